package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
)

// TestFamilies finds every folder with kernels among the families.
func TestFamilies(t *testing.T) {
	files, err := filepath.Glob("../*/*.cu")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var want []string
	for _, file := range files {
		want = append(want, filepath.Base(filepath.Dir(file)))
	}
	var got []string
	for _, f := range families {
		got = append(got, f.name)
	}
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("families %q, folders with kernels %q", got, want)
	}
}

// declared are the kernels that a text of CUDA C++ has.
func declared(text string) []string {
	var names []string
	for _, found := range kernelName.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

var kernelName = regexp.MustCompile(`extern "C" __global__ void\s+(?:__(?:launch_bounds|cluster_dims)__\([^()]*\)\s+)*(\w+)\s*\(`)

// TestEveryKernel asks whether each kernel, in a file or written by its family, is
// one that some specimen asks for.
func TestEveryKernel(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			set := f.set(t)
			var wanted, asked []string
			for _, source := range set.Sources() {
				asked = append(asked, set.Kernels(source)...)
				wanted = append(wanted, declared(source.Text)...)
			}
			files, err := filepath.Glob(filepath.Join("..", f.name, "*.cu"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				names := declared(string(text))
				if n := strings.Count(string(text), "__global__"); n != len(names) {
					t.Errorf("%s: %d kernels, of which these names are read: %q", file, n, names)
				}
				wanted = append(wanted, names...)
			}
			if len(wanted) == 0 {
				t.Error("no kernels")
			}
			for _, name := range wanted {
				if !slices.Contains(asked, name) {
					t.Errorf("no specimen asks for kernel %s", name)
				}
			}
		})
	}
}

// set is what the family asks for.
func (f family) set(t *testing.T) *device.Set {
	t.Helper()
	set := new(device.Set)
	if err := f.specimens(set); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestNoDuplicates finds sources that are specialised in the same way twice, in
// whatever order.
func TestNoDuplicates(t *testing.T) {
	for _, f := range families {
		seen := map[string]bool{}
		for _, source := range f.set(t).Sources() {
			macros := map[string]bool{}
			for _, define := range source.Defines {
				name, _, _ := strings.Cut(define, "=")
				if macros[name] {
					t.Errorf("%s: %s defines %s twice", f.name, source.Describe(), name)
				}
				macros[name] = true
			}
			key := strings.Join(append(slices.Sorted(slices.Values(source.Defines)), source.Text), "\x00")
			if seen[key] {
				t.Errorf("%s: %s is there twice", f.name, source.Describe())
			}
			seen[key] = true
		}
	}
}

func TestPlan(t *testing.T) {
	jobs, err := plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]bool{} // kernel and architecture
	for _, j := range jobs {
		for _, kernel := range j.kernels {
			compiled[j.file()+" "+kernel+" "+j.arch] = true
		}
	}
	for _, j := range jobs {
		for _, kernel := range j.kernels {
			on := []string{"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120"}
			if j.source.Arch != "" {
				on = []string{j.source.Arch}
			}
			if !slices.Contains(on, j.arch) {
				t.Errorf("%s is compiled for %s", j.file(), j.arch)
			}
			for _, arch := range on {
				if !compiled[j.file()+" "+kernel+" "+arch] {
					t.Errorf("%s %s is not compiled for %s", j.file(), kernel, arch)
				}
			}
		}
	}
	one, err := plan([]string{"optimizer"})
	if err != nil || len(one) == 0 || len(one) == len(jobs) || one[0].family != "optimizer" {
		t.Errorf("got %d jobs of %d, %v", len(one), len(jobs), err)
	}
	if _, err := plan([]string{"optimiser"}); err == nil || !strings.Contains(err.Error(), `no family "optimiser"`) {
		t.Errorf("got %v", err)
	}
}

func TestJudge(t *testing.T) {
	good := cubin.Kernel{Name: "k", Registers: 64, MaxThreads: 1024}
	loop := "ptxas info : Function properties for k\nptxas . 8 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads\n"
	tests := []struct {
		name   string
		kernel cubin.Kernel
		log    string
		known  []known
		want   string // "": all is well
	}{
		{name: "all is well", kernel: good},
		{name: "a wait after each wgmma", kernel: good, log: "ptxas info : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized", want: "C7510"},
		{name: "a warning", kernel: good, log: `k.cu(3): warning #177-D: variable "x" was declared but never referenced`, want: "177-D"},
		{name: "another kernel", kernel: cubin.Kernel{Name: "l", MaxThreads: 32}, want: "there is no kernel k"},
		{name: "no bounds", kernel: cubin.Kernel{Name: "k", Registers: 8}, want: "no __launch_bounds__"},
		{name: "a register too many", kernel: cubin.Kernel{Name: "k", Registers: 65, MaxThreads: 1024}, want: "takes 65 registers a thread: a block of 1024 has 73728"},
		{name: "a warp too many", kernel: cubin.Kernel{Name: "k", Registers: 255, MaxThreads: 257}, want: "has 73728"},
		{name: "a spill", kernel: good, log: loop, want: "kernel k spills: 4 bytes of stores and 8 of loads"},
		{name: "a known spill", kernel: good, log: loop, known: []known{{"f/k.cu", "k", "", 12, "why"}}},
		{name: "more than the known spill", kernel: good, log: loop, known: []known{{"f/k.cu", "k", "sm_80", 11, "why"}}, want: "known are 11"},
		{name: "a spill known elsewhere", kernel: good, log: loop, known: []known{{"f/k.cu", "k", "sm_90a", 12, "why"}}, want: "spills"},
		{name: "a spill known of another", kernel: good, log: loop, known: []known{{"f/l.cu", "k", "", 12, "why"}, {"f/k.cu", "l", "", 12, "why"}}, want: "spills"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := result{
				job:      job{family: "f", source: device.Source{Name: "k.cu"}, kernels: []string{"k"}, arch: "sm_80"},
				compiled: &nvrtc.Result{Kernels: []cubin.Kernel{tt.kernel}},
				log:      cubin.ParseLog(tt.log),
			}
			err := judge(r, tt.known)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "f, k.cu for sm_80: ")):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestKnownSpills finds entries of kernels that are gone, or without a reason.
func TestKnownSpills(t *testing.T) {
	jobs, err := plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knownSpills {
		if k.bytes == 0 || k.why == "" || !slices.ContainsFunc(jobs, func(j job) bool {
			return j.file() == k.file && slices.Contains(j.kernels, k.kernel) && (k.arch == "" || k.arch == j.arch)
		}) {
			t.Errorf("%+v", k)
		}
	}
}

func TestWorst(t *testing.T) {
	row := func(kernel, arch string, registers, local, spill int) cubin.Row {
		return cubin.Row{
			Source: "f/k.cu", Arch: arch, Kernel: cubin.Kernel{Name: kernel, Registers: registers, LocalBytes: local},
			Spill: cubin.Spill{Loads: spill},
		}
	}
	got := worst([]cubin.Row{
		row("b", "sm_80", 20, 0, 0), row("a", "sm_80", 255, 8, 0), row("a", "sm_90a", 16, 0, 0),
		row("a", "sm_80", 24, 8, 4), row("a", "sm_90a", 16, 8, 0), row("b", "sm_80", 21, 0, 0),
	})
	want := []cubin.Row{row("a", "sm_80", 24, 8, 4), row("a", "sm_90a", 16, 8, 0), row("b", "sm_80", 21, 0, 0)}
	if !slices.EqualFunc(got, want, func(a, b cubin.Row) bool {
		return a.Kernel.Name == b.Kernel.Name && a.Arch == b.Arch && a.Kernel.Registers == b.Kernel.Registers && a.Kernel.LocalBytes == b.Kernel.LocalBytes && a.Spill == b.Spill
	}) {
		t.Errorf("got %+v", got)
	}
}

// nvrtcFolder is the first that HONE_TEST_NVRTC lists, or "" where one is found
// without. Where there is none the test is skipped.
func nvrtcFolder(t *testing.T) string {
	t.Helper()
	if folders := filepath.SplitList(os.Getenv("HONE_TEST_NVRTC")); len(folders) > 0 {
		return folders[0]
	}
	if _, err := open(""); err != nil {
		t.Skipf("no NVRTC (HONE_TEST_NVRTC names its folder): %v", err)
	}
	return ""
}

// TestRun compiles the smallest family.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, nvrtcFolder(t), false, []string{"optimizer"}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	// A heading, four kernels for six architectures, how long it took.
	if len(lines) != 1+4*6+1 || !strings.Contains(out.String(), "sm_100a optimizer/optimizer.cu adamw") || !strings.Contains(lines[25], " kernels of 14 sources in ") {
		t.Errorf("got\n%s", out.String())
	}
}

// TestCompileErrors compiles a source that is wrong beside one that is right.
func TestCompileErrors(t *testing.T) {
	compiler, err := open(nvrtcFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	jobs := []job{
		{family: "f", source: device.Source{Name: "bad.cu", Text: "#include \"hone.cuh\"\nN x;", Defines: []string{"N=3"}}, arch: "sm_80"},
		{family: "f", source: device.Source{Name: "good.cu", Text: `extern "C" __global__ void k() {}`}, kernels: []string{"k"}, arch: "sm_80"},
	}
	results, err := compile(t.Context(), compiler, jobs, 2)
	if !errors.Is(err, nvrtc.Compilation) || !strings.Contains(err.Error(), "f, bad.cu (N=3) for sm_80: ") {
		t.Errorf("got %v", err)
	}
	if len(results) != 1 || results[0].source.Name != "good.cu" {
		t.Errorf("got %+v", results)
	}
}
