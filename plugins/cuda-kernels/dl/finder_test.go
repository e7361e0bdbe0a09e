package dl

import (
	"debug/elf"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
)

func TestCandidates(t *testing.T) {
	const site = "venv/lib/python3.12/site-packages/"
	foreign := elf.EM_AARCH64
	if machine() == foreign {
		foreign = elf.EM_X86_64
	}
	tests := []struct {
		name string
		tree func(tr *tree)
		spec Spec
		want []string // below the root
	}{
		{"nothing", func(*tree) {}, NVRTC, nil},
		{"the loader's cache, in its order", func(tr *tree) {
			tr.libraries("opt/a/libnvrtc.so.12", "opt/b/libnvrtc.so.12")
			tr.write(loaderCache, loaderCacheOf([2]string{"libnvrtc.so.12", "/opt/b/libnvrtc.so.12"}, [2]string{"libnvrtc.so.12", "/opt/a/libnvrtc.so.12"}))
		}, NVRTC, []string{"opt/b/libnvrtc.so.12", "opt/a/libnvrtc.so.12"}},
		{"a cache that names what is gone", func(tr *tree) {
			tr.write(loaderCache, loaderCacheOf([2]string{"libnvrtc.so.12", "/opt/b/libnvrtc.so.12"}))
		}, NVRTC, nil},
		{"a cache that is none", func(tr *tree) {
			tr.write(loaderCache, []byte("nonsense"))
			tr.libraries("usr/lib64/libnvrtc.so.12")
		}, NVRTC, []string{"usr/lib64/libnvrtc.so.12"}},
		{"the newest within a folder", func(tr *tree) {
			tr.libraries("usr/local/cuda/lib64/libnvrtc.so.12", "usr/local/cuda/lib64/libnvrtc.so.13")
		}, NVRTC, []string{"usr/local/cuda/lib64/libnvrtc.so.13", "usr/local/cuda/lib64/libnvrtc.so.12"}},
		{"a version that hone does not know", func(tr *tree) {
			tr.libraries("usr/local/cuda/lib64/libnvrtc.so.11.2")
		}, NVRTC, nil},
		{"toolkits, the newest first, by number", func(tr *tree) {
			tr.libraries("usr/local/cuda-12.4/lib64/libnvrtc.so.12", "usr/local/cuda-12.10/lib64/libnvrtc.so.12", "usr/local/cuda-13.0/lib64/libnvrtc.so.13")
		}, NVRTC, []string{
			"usr/local/cuda-13.0/lib64/libnvrtc.so.13", "usr/local/cuda-12.10/lib64/libnvrtc.so.12", "usr/local/cuda-12.4/lib64/libnvrtc.so.12",
		}},
		{"the toolkit that the link points to comes first, and once", func(tr *tree) {
			tr.libraries("usr/local/cuda-12.4/lib64/libnvrtc.so.12", "usr/local/cuda-13.0/lib64/libnvrtc.so.13")
			tr.link("cuda-12.4", "usr/local/cuda")
		}, NVRTC, []string{"usr/local/cuda/lib64/libnvrtc.so.12", "usr/local/cuda-13.0/lib64/libnvrtc.so.13"}},
		{"CUDA_HOME before the loader", func(tr *tree) {
			tr.libraries("usr/lib64/libnvrtc.so.13", "cuda/lib64/libnvrtc.so.12")
			tr.env["CUDA_HOME"] = tr.path("cuda")
		}, NVRTC, []string{"cuda/lib64/libnvrtc.so.12", "usr/lib64/libnvrtc.so.13"}},
		{"LD_LIBRARY_PATH before CUDA_HOME", func(tr *tree) {
			tr.libraries("mine/libnvrtc.so.12", "cuda/lib64/libnvrtc.so.12")
			tr.env["CUDA_HOME"] = tr.path("cuda")
			tr.env["LD_LIBRARY_PATH"] = "relative:" + tr.path("nowhere") + ":" + tr.path("mine")
		}, NVRTC, []string{"mine/libnvrtc.so.12", "cuda/lib64/libnvrtc.so.12"}},
		{"pip, of the environment that is active", func(tr *tree) {
			tr.libraries(site+"nvidia/cu13/lib/libnvrtc.so.13", site+"nvidia/cuda_nvrtc/lib/libnvrtc.so.12")
			tr.env["VIRTUAL_ENV"] = tr.path("venv")
		}, NVRTC, []string{site + "nvidia/cu13/lib/libnvrtc.so.13", site + "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"}},
		{"pip, of a Python on PATH and of the one that it links to", func(tr *tree) {
			tr.write("base/bin/python3.12", nil)
			tr.link(tr.path("base/bin/python3.12"), "venv/bin/python3")
			tr.libraries(site+"nvidia/cublas/lib/libcublasLt.so.12", "base/lib/python3.12/site-packages/nvidia/cu13/lib/libcublasLt.so.13")
			tr.env["PATH"] = "relative:" + tr.path("venv/bin")
		}, CublasLt, []string{site + "nvidia/cublas/lib/libcublasLt.so.12", "base/lib/python3.12/site-packages/nvidia/cu13/lib/libcublasLt.so.13"}},
		{"pip, the newest Python by number", func(tr *tree) {
			tr.libraries("v/lib/python3.9/site-packages/nvidia/nccl/lib/libnccl.so.2", "v/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2")
			tr.env["VIRTUAL_ENV"] = tr.path("v")
		}, NCCL, []string{"v/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2", "v/lib/python3.9/site-packages/nvidia/nccl/lib/libnccl.so.2"}},
		{"pyenv", func(tr *tree) {
			tr.libraries("pyenv/versions/3.12.1/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2")
			tr.env["PATH"] = tr.path("pyenv/shims")
		}, NCCL, []string{"pyenv/versions/3.12.1/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2"}},
		{"pip install --user", func(tr *tree) {
			tr.libraries("home/.local/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2")
			tr.env["HOME"] = tr.path("home")
		}, NCCL, []string{"home/.local/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2"}},
		{"conda", func(tr *tree) {
			tr.libraries("conda/lib/libnvrtc.so.12")
			tr.env["CONDA_PREFIX"] = tr.path("conda")
		}, NVRTC, []string{"conda/lib/libnvrtc.so.12"}},
		{"the driver, where containers keep it", func(tr *tree) {
			tr.libraries("usr/local/nvidia/lib64/libcuda.so.1")
		}, Driver, []string{"usr/local/nvidia/lib64/libcuda.so.1"}},
		{"no other library from the driver's folders", func(tr *tree) {
			tr.libraries("usr/local/nvidia/lib64/libnvrtc.so.12")
		}, NVRTC, nil},
		{"no driver from a Python package", func(tr *tree) {
			tr.libraries(site + "nvidia/cu13/lib/libcuda.so.1")
			tr.env["VIRTUAL_ENV"] = tr.path("venv")
		}, Driver, nil},
		{"files that are no library for this machine", func(tr *tree) {
			tr.write("usr/lib64/libnvrtc.so.13", sharedLibrary(tr.t, foreign))
			tr.write("lib64/libnvrtc.so.13", []byte("INPUT(libnvrtc.so.13)"))
			tr.write("lib/libnvrtc.so.13/file", nil)
			tr.libraries("usr/lib/libnvrtc.so.13")
		}, NVRTC, []string{"usr/lib/libnvrtc.so.13"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t)
			tt.tree(tr)
			var got []string
			for _, c := range tr.system().Finder().Candidates(tt.spec) {
				got = append(got, strings.TrimPrefix(c.Path, tr.root+"/"))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestExtra(t *testing.T) {
	tr := newTree(t)
	tr.libraries("usr/lib64/libnvrtc.so.13", "mine/libnvrtc.so.13", "other/lib64/libnvrtc.so.12")
	s := tr.system()
	s.Extra = []string{tr.path("mine/libnvrtc.so.13"), tr.path("other"), tr.path("nowhere")}
	var got []string
	for _, c := range s.Finder().Candidates(NVRTC) {
		got = append(got, strings.TrimPrefix(c.Path, tr.root+"/"))
	}
	if want := []string{"mine/libnvrtc.so.13", "other/lib64/libnvrtc.so.12", "usr/lib64/libnvrtc.so.13"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVersionsOfFiles(t *testing.T) {
	tr := newTree(t)
	const site = "venv/lib/python3.12/site-packages/"
	tr.libraries("usr/local/cuda/lib64/libnvrtc.so.12.8.93", site+"nvidia/cu13/lib/libnvrtc.so.13", site+"nvidia/cu13/lib/libnccl.so.2", "usr/lib64/libcublasLt.so.12")
	tr.link("libnvrtc.so.12.8.93", "usr/local/cuda/lib64/libnvrtc.so.12")
	tr.write(site+"nvidia_cuda_nvrtc-13.2.86.dist-info/METADATA", nil)
	tr.write(site+"nvidia_nccl_cu13-2.30.7.dist-info/METADATA", nil)
	tr.env["VIRTUAL_ENV"] = tr.path("venv")
	tests := []struct {
		spec Spec
		want []string
	}{
		{NVRTC, []string{"13.2.86", "12.8.93"}},
		{NCCL, []string{"2.30.7"}},
		{CublasLt, []string{"12"}},
	}
	for _, tt := range tests {
		var got []string
		for _, c := range tr.system().Finder().Candidates(tt.spec) {
			got = append(got, c.Version)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.spec.Name, got, tt.want)
		}
	}
}

func TestPreload(t *testing.T) {
	tr := newTree(t)
	tr.write("cuda/lib64/libnvrtc.so.12", sharedLibrary(t, machine(), "libc.so.6", "libnvBeside.so.12", "libcuElsewhere.so.12", "libnvNowhere.so.12"))
	tr.libraries("cuda/lib64/libnvrtc-builtins.so.12.8", "cuda/lib64/libnvrtc-builtins.so.13.0", "cuda/lib64/libnvBeside.so.12", "usr/lib64/libcuElsewhere.so.12")
	tr.env["CUDA_HOME"] = tr.path("cuda")
	f := tr.system().Finder()
	c := f.Candidates(NVRTC)
	if len(c) != 1 {
		t.Fatalf("got %d candidates", len(c))
	}
	want := []string{tr.path("cuda/lib64/libnvrtc-builtins.so.12.8"), tr.path("cuda/lib64/libnvBeside.so.12"), tr.path("usr/lib64/libcuElsewhere.so.12")}
	if got := c[0].preload(f.soname); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if missing := c[0].MissingCompanions(NVRTC); missing != nil {
		t.Errorf("missing %q", missing)
	}
}

// TestOpen opens libraries of the C library, which a program that opens libraries
// has in any case.
func TestOpen(t *testing.T) {
	spec := Spec{Name: "libm", Purpose: "roots", Sonames: []string{"libm.so.6"}, pip: "glibc", apt: "libc6", conda: "glibc"}
	l, err := Host().Finder().Open(spec, Version{}, nil)
	if err != nil {
		t.Skipf("no glibc: %v", err)
	}
	var cos, nothing uintptr
	if err := Resolve(l, map[string]*uintptr{"cos": &cos}); err != nil || cos == 0 {
		t.Errorf("cos at %#x: %v", cos, err)
	}
	err = Resolve(l, map[string]*uintptr{"cos": &cos, "noSuchB": &nothing, "noSuchA": &nothing})
	if err == nil || err.Error() != "functions are missing: noSuchA, noSuchB" {
		t.Errorf("got %v", err)
	}
	refusal := errors.New("too small a root")
	_, err = Host().Finder().Open(spec, Version{}, func(*Library) error { return refusal })
	if !errors.Is(err, refusal) || !errors.Is(err, fault.Unsupported) {
		t.Errorf("a refusal got lost: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	tests := []struct {
		name   string
		tree   func(tr *tree)
		spec   Spec
		driver Version
		want   []string // parts of the error
		hint   []string // parts of the hint
	}{
		{"not found", func(*tree) {}, NVRTC, Version{13, 0},
			[]string{"NVRTC (compiles hone's kernels for the GPU) was not found: looked for libnvrtc.so.13 and libnvrtc.so.12 in 0 folders"},
			[]string{"pip install nvidia-cuda-nvrtc,", "apt install cuda-nvrtc-13-0 ", "conda install -c nvidia cuda-nvrtc"}},
		{"too new for the driver", func(tr *tree) { tr.libraries("usr/lib64/libcublasLt.so.13") }, CublasLt, Version{12, 8},
			[]string{"no cuBLASLt that was found can be used", "libcublasLt.so.13 is for CUDA 13, the driver is for CUDA 12.8"},
			[]string{"pip install nvidia-cublas-cu12,", "libcublas-12-8 "}},
		{"NCCL's number is not CUDA's", func(tr *tree) { tr.libraries("usr/lib64/libnccl.so.2") }, NCCL, Version{1, 0},
			[]string{"no NCCL that was found can be used", "opening "}, []string{"nvidia-nccl-cu13,", "libnccl2"}},
		{"it cannot be opened", func(tr *tree) { tr.libraries("usr/lib64/libnvrtc.so.12") }, NVRTC, Version{13, 0},
			[]string{"no NVRTC that was found can be used", "usr/lib64/libnvrtc.so.12"}, nil},
		{"the driver", func(*tree) {}, Driver, Version{},
			[]string{"CUDA driver (runs kernels on the GPU) was not found"}, []string{"--gpus all", "nvidia-driver-580"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t)
			tt.tree(tr)
			_, err := tr.system().Finder().Open(tt.spec, tt.driver, nil)
			if !errors.Is(err, fault.Unsupported) {
				t.Fatalf("got %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			for _, part := range tt.hint {
				if !strings.Contains(fault.HintOf(err), part) {
					t.Errorf("hint %q lacks %q", fault.HintOf(err), part)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	tests := []struct {
		number int
		want   Version
		text   string
	}{{13020, Version{13, 2}, "13.2"}, {12080, Version{12, 8}, "12.8"}, {12100, Version{12, 10}, "12.10"}}
	for _, tt := range tests {
		if got := VersionOf(tt.number); got != tt.want || got.String() != tt.text {
			t.Errorf("%d: got %v", tt.number, got)
		}
	}
	if !(Version{12, 9}).Less(Version{13, 0}) || !(Version{12, 8}).Less(Version{12, 9}) || (Version{12, 9}).Less(Version{12, 9}) || (Version{13, 0}).Less(Version{12, 9}) {
		t.Error("versions are out of order")
	}
}
