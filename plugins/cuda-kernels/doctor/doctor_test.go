package doctor

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
	"github.com/honeml/hone/sdk/fault"
)

// A patient is a machine with one H100 where all is well, until a test spoils it.
type patient struct {
	t        *testing.T
	root     string
	driver   *cudatest.Driver
	compiler *fakeCompiler
	open     func(spec dl.Spec, found []dl.Candidate) (string, error) // which file is opened
	cublaslt error
	nccl     error
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("CUDA is for Linux")
	}
	p := &patient{
		t: t, root: t.TempDir(), driver: cudatest.New(cudatest.H100()),
		compiler: &fakeCompiler{archs: []string{"sm_80", "sm_90"}},
		open:     func(_ dl.Spec, found []dl.Candidate) (string, error) { return found[0].Path, nil },
	}
	p.driver.Kernels[kernelName] = cudatest.Kernel{
		Params: [][2]uint64{{0, 8}, {8, 4}},
		Run: func(l cudatest.Launch) {
			copy(cudatest.Memory(binary.LittleEndian.Uint64(l.Params), 4), l.Params[8:])
		},
	}
	p.write("proc/driver/nvidia/version", []byte("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue\n"))
	p.write("dev/nvidia0", nil)
	p.library("usr/lib64/libcuda.so.580.95.05")
	if err := os.Symlink("libcuda.so.580.95.05", filepath.Join(p.root, "usr/lib64/libcuda.so.1")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libnvrtc.so.13", "libnvrtc-builtins.so.13.0", "libcublasLt.so.13", "libnccl.so.2"} {
		p.library("usr/lib64/" + name)
	}
	return p
}

func (p *patient) write(name string, data []byte) {
	p.t.Helper()
	path := filepath.Join(p.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// library writes the shortest file that is a shared library of this machine.
func (p *patient) library(name string) {
	p.t.Helper()
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	var b bytes.Buffer
	err := binary.Write(&b, binary.LittleEndian, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Shentsize: 64,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name, b.Bytes())
}

func (p *patient) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.root, name)); err != nil {
		p.t.Fatal(err)
	}
}

// examine is Examine, of libraries that cannot be opened.
func (p *patient) examine(ctx context.Context) *Report {
	system := dl.System{Root: p.root, Getenv: func(string) string { return "" }}
	e := &examination{
		libraries: libraries{
			open: func(f *dl.Finder, spec dl.Spec, _ dl.Version) (dl.Symbols, string, error) {
				path, err := p.open(spec, f.Candidates(spec))
				return p.driver, path, err
			},
			compiler: func(dl.Symbols) (compiler, error) {
				if p.compiler.refusal != nil {
					return nil, p.compiler.refusal
				}
				return p.compiler, nil
			},
			cublasltVersion: func(dl.Symbols) (dl.Version, error) { return dl.Version{Major: 13, Minor: 1}, p.cublaslt },
			ncclVersion:     func(dl.Symbols) (string, error) { return "2.27.7", p.nccl },
		},
		finder: system.Finder(),
		report: &Report{Libraries: dl.Report{Kernel: system.KernelModule()}},
	}
	e.run(ctx)
	return e.report
}

// text is a report without what differs from machine to machine.
func (p *patient) text(r *Report) string { return strings.ReplaceAll(r.String(), p.root, "") }

// A fakeCompiler compiles everything to the same.
type fakeCompiler struct {
	archs   []string
	refusal error // of the library
	failure error // of a source
}

func (c *fakeCompiler) Version() dl.Version { return dl.Version{Major: 13, Minor: 0} }
func (c *fakeCompiler) Archs() []string     { return c.archs }

func (c *fakeCompiler) Compile(context.Context, nvrtc.Request) (*nvrtc.Result, error) {
	return &nvrtc.Result{Cubin: []byte("code")}, c.failure
}

func TestExamineAHealthyMachine(t *testing.T) {
	p := newPatient(t)
	r := p.examine(context.Background())
	if !r.OK() || r.Driver != (dl.Version{Major: 12, Minor: 8}) || len(r.Devices) != 1 || !r.Devices[0].Works || r.Devices[0].Arch != "sm_90a" {
		t.Errorf("got %+v", r)
	}
	const want = `kernel module    580.95.05             /dev/nvidia0
CUDA driver      580.95.05, CUDA 12.8  /usr/lib64/libcuda.so.1 (the loader's default folders)
NVRTC            13.0                  /usr/lib64/libnvrtc.so.13 (the loader's default folders)
cuBLASLt         13.1                  /usr/lib64/libcublasLt.so.13 (the loader's default folders)
NCCL (optional)  2.27.7                /usr/lib64/libnccl.so.2 (the loader's default folders)
GPU 0: NVIDIA H100 80GB HBM3, compute capability 9.0, 132 multiprocessors, 79.2 GiB, 79.2 GiB free, GPU-01234567-89ab-cdef-0123-456789abcdef: runs kernels compiled for sm_90a
hone can train on GPU 0
`
	if got := p.text(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExamineFindsWhatIsWrong(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(p *patient)
		ok    bool
		want  []string // lines, or parts of one
	}{
		{"no driver", func(p *patient) { p.remove("usr/lib64/libcuda.so.1") }, false,
			[]string{"CUDA driver      missing", "CUDA driver: the kernel module is loaded, but its library is not here", "hone cannot train on a GPU here"}},
		{"the driver shows no GPU", func(p *patient) { p.driver.Answer("cuInit", 100) }, false,
			[]string{"CUDA driver: cuInit: no device", "CUDA driver: nvidia-smi -L lists devices", "NVRTC            13.0"}},
		{"an old driver", func(p *patient) { p.driver.Version = 11080 }, false, []string{"is for CUDA 11.8, hone needs one for 12.0", "install NVIDIA's driver"}},
		{"no compiler", func(p *patient) { p.remove("usr/lib64/libnvrtc.so.13") }, false,
			[]string{"NVRTC            missing", "NVRTC: pip install nvidia-cuda-nvrtc-cu12", "GPU 0: NVIDIA H100 80GB HBM3", "79.2 GiB free, GPU-01234567-89ab-cdef-0123-456789abcdef\n"}},
		{"a compiler that is not whole", func(p *patient) { p.remove("usr/lib64/libnvrtc-builtins.so.13.0") }, false,
			[]string{"NVRTC: libnvrtc-builtins.so.* does not lie beside it"}},
		{"a compiler that is older than the GPU", func(p *patient) { p.compiler.archs = []string{"sm_80", "sm_86"} }, false,
			[]string{"GPU 0: NVRTC compiles for sm_80, sm_86, not for the GPU's compute capability 9.0", "GPU 0: a newer NVRTC", "79.2 GiB free"}},
		{"a compiler that cannot be opened", func(p *patient) { p.compiler.refusal = fault.New(fault.Unsupported, "of glass").WithHint("take care") }, false,
			[]string{"NVRTC: of glass\n", "NVRTC: take care\n"}},
		{"a compiler that fails", func(p *patient) { p.compiler.failure = errors.New("line 1\nline 2") }, false, []string{"GPU 0: line 1; line 2\n"}},
		{"an old GPU", func(p *patient) { p.driver.GPUs[0].Attributes[75] = 7 }, false, []string{"GPU 0: the GPU has compute capability 7.0, hone needs 8.0 or newer"}},
		{"libraries that do not fit", func(p *patient) {
			p.open = func(spec dl.Spec, found []dl.Candidate) (string, error) {
				if spec.Name == dl.CublasLt.Name {
					return "", fault.New(fault.Unsupported, "none serves: %w", errors.Join(errors.New("a"), errors.New("b"))).WithHint("get c")
				}
				return found[0].Path, nil
			}
		}, false, []string{"cuBLASLt: none serves: a; b\n", "cuBLASLt: get c\n", "runs kernels compiled for sm_90a"}},
		{"a cuBLASLt that lacks functions", func(p *patient) { p.cublaslt = errors.New("functions are missing: x") }, false, []string{"cuBLASLt: functions are missing: x"}},
		{"an NCCL that lacks functions", func(p *patient) { p.nccl = errors.New("no function ncclGetVersion") }, true, []string{"NCCL: no function ncclGetVersion", "hone can train on GPU 0"}},
		{"a GPU that is another's", func(p *patient) {
			p.driver.GPUs = append(p.driver.GPUs, cudatest.H100())
			p.driver.Answer("cuDevicePrimaryCtxRetain", 46)
		}, true, []string{"GPU 0: cuDevicePrimaryCtxRetain of GPU 0 (NVIDIA H100 80GB HBM3): the device is busy", "GPU 0: nvidia-smi shows which process", "hone can train on GPU 1\n"}},
		{"a GPU without free memory", func(p *patient) { p.driver.Answer("cuMemAlloc_v2", 2) }, false, []string{"GPU 0: cuMemAlloc of 4 bytes", "another process may hold memory"}},
		{"a GPU that miscounts", func(p *patient) {
			p.driver.Kernels[kernelName] = cudatest.Kernel{Params: p.driver.Kernels[kernelName].Params}
		}, false, []string{"GPU 0: a kernel wrote 0x0 instead of 0x686f6e65"}},
		{"a GPU that fails", func(p *patient) { p.driver.Answer("cuStreamSynchronize", 214) }, false,
			[]string{"ECC could not correct", "launched before, the latest last: answer", "the hardware reports an error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPatient(t)
			tt.spoil(p)
			r := p.examine(context.Background())
			got := p.text(r)
			if r.OK() != tt.ok {
				t.Errorf("OK is %v:\n%s", r.OK(), got)
			}
			for _, part := range tt.want {
				if !strings.Contains(got, part) {
					t.Errorf("%q is missing in\n%s", part, got)
				}
			}
		})
	}
}

func TestTheFileThatWasOpenedIsShown(t *testing.T) {
	p := newPatient(t)
	p.library("usr/local/cuda/lib64/libnvrtc.so.12")
	p.open = func(_ dl.Spec, found []dl.Candidate) (string, error) { return found[len(found)-1].Path, nil }
	item := p.examine(context.Background()).Libraries.Items[1]
	if len(item.Found) != 2 || filepath.Base(item.Found[0].Path) != "libnvrtc.so.12" || len(item.Missing) != 1 {
		t.Errorf("got %+v", item)
	}
}

func TestExamineStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := newPatient(t).examine(ctx)
	if r.OK() || len(r.Devices) != 1 || !strings.Contains(r.Devices[0].Problem, "canceled") {
		t.Errorf("got %s", r)
	}
}

// TestExamineThisMachine opens what is here.
func TestExamineThisMachine(t *testing.T) {
	r := Examine(context.Background(), dl.Host())
	if len(r.Libraries.Items) != 4 || r.OK() != strings.Contains(r.String(), "hone can train") {
		t.Errorf("got %s", r)
	}
	t.Logf("\n%s", r)
}
