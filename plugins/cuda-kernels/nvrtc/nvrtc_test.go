package nvrtc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// compilers are those in the folders that HONE_TEST_NVRTC lists, else the first that
// is found. Without one the test is skipped.
func compilers(t testing.TB) map[string]*Compiler {
	t.Helper()
	out := map[string]*Compiler{}
	folders := filepath.SplitList(os.Getenv("HONE_TEST_NVRTC"))
	if len(folders) == 0 {
		l, err := dl.Host().Finder().Open(dl.NVRTC, dl.Version{}, nil)
		if err != nil {
			t.Skipf("no NVRTC (HONE_TEST_NVRTC names its folder): %v", err)
		}
		out["found"] = open(t, l)
		return out
	}
	for _, folder := range folders {
		system := dl.Host()
		system.Extra = []string{folder}
		l, err := system.Finder().Open(dl.NVRTC, dl.Version{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := open(t, l)
		out[c.Version().String()] = c
	}
	return out
}

func open(t testing.TB, l *dl.Library) *Compiler {
	t.Helper()
	c, err := Open(l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compiler is one of them.
func compiler(t testing.TB) *Compiler {
	t.Helper()
	for _, c := range compilers(t) {
		return c
	}
	return nil
}

const scaleSource = `#include "scale.cuh"
extern "C" __global__ void scale(float* x, float by, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = times(x[i], by) * FACTOR;
}
`

func scale(arch string) Request {
	return Request{
		Name: "scale.cu", Source: scaleSource, Arch: arch, Options: []string{"-DFACTOR=2.0f"},
		Headers: map[string]string{"scale.cuh": "float times(float a, float b) { return a * b; }\n", "unused.cuh": "#error unused\n"},
	}
}

func TestCompile(t *testing.T) {
	for name, c := range compilers(t) {
		for _, arch := range []string{"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120"} {
			base := strings.TrimSuffix(arch, "a")
			if !slices.Contains(c.Archs(), base) {
				if base != "sm_100" && base != "sm_120" {
					t.Errorf("NVRTC %s compiles for %q", name, c.Archs())
				}
				continue
			}
			t.Run(name+" "+arch, func(t *testing.T) {
				result, err := c.Compile(t.Context(), scale(arch))
				if err != nil {
					t.Fatal(err)
				}
				k, ok := result.Kernel("scale")
				if !ok || len(result.Kernels) != 1 {
					t.Fatalf("kernels %+v", result.Kernels)
				}
				if want := []cubin.Parameter{{Offset: 0, Size: 8}, {Offset: 8, Size: 4}, {Offset: 12, Size: 4}}; !slices.Equal(k.Parameters, want) || k.Registers == 0 {
					t.Errorf("got %+v", k)
				}
				log := cubin.ParseLog(result.Log)
				if spill, ok := log.Spills["scale"]; !ok || spill != (cubin.Spill{}) || len(log.Warnings) != 0 {
					t.Errorf("the log %q", result.Log)
				}
			})
		}
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *Request)
		want   string
		is     error
	}{
		{"a mistake, on its line", func(r *Request) { r.Source += "\nextern \"C\" __global__ void k() { y = 1; }\n" }, "scale.cu(7): error:", Compilation},
		{"a mistake in a header", func(r *Request) { r.Headers["scale.cuh"] = "\nint f() { return z; }" }, "scale.cuh(2): error:", Compilation},
		{"a header that is not given", func(r *Request) { r.Headers = nil }, `scale.cuh`, Compilation},
		{"an architecture that is none", func(r *Request) { r.Arch = "sm_1" }, "compiling scale.cu for sm_1:", fault.Unsupported},
		{"an option that is none", func(r *Request) { r.Options = append(r.Options, "--no-such-option") }, "--no-such-option", InvalidOption},
		{"a zero byte in the source", func(r *Request) { r.Source = "void f(){}\x00 // more" }, "a zero byte at offset 10", fault.BadInput},
		{"a zero byte in an option", func(r *Request) { r.Options = []string{"-DFACTOR=1\x00"} }, "a zero byte", fault.BadInput},
		{"an endless include", func(r *Request) { r.Headers["scale.cuh"] = `#include "scale.cuh"` }, "scale.cuh", Compilation},
	}
	for version, c := range compilers(t) {
		for _, tt := range tests {
			t.Run(version+" "+tt.name, func(t *testing.T) {
				r := scale("sm_80")
				tt.change(&r)
				result, err := c.Compile(t.Context(), r)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.is) {
					t.Errorf("got %+v, %v", result, err)
				}
			})
		}
	}
}

func TestCompileOfNothing(t *testing.T) {
	result, err := compiler(t).Compile(t.Context(), Request{Name: "empty.cu", Arch: "sm_80"})
	if err != nil || len(result.Kernels) != 0 {
		t.Errorf("got %+v, %v", result, err)
	}
}

// TestCompileTogether compiles different sources at once; each gets its own.
func TestCompileTogether(t *testing.T) {
	c := compiler(t)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var wait sync.WaitGroup
	for _, name := range names {
		wait.Go(func() {
			r := scale("sm_80")
			r.Source = strings.ReplaceAll(r.Source, "void scale", "void "+name)
			result, err := c.Compile(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			if len(result.Kernels) != 1 || result.Kernels[0].Name != name {
				t.Errorf("%s: got %+v", name, result.Kernels)
			}
		})
	}
	wait.Wait()
}

func TestCompileStops(t *testing.T) {
	c := compiler(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Compile(ctx, scale("sm_80")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "scale.cu") {
		t.Errorf("got %v", err)
	}
	// A source that takes seconds: the preprocessor's output grows twofold each line.
	slow := Request{Name: "slow.cu", Arch: "sm_80"}
	slow.Source = "#define A0 x = x * x + 1;\n"
	for i := range 12 {
		a, b := string(rune('A'+i)), string(rune('B'+i))
		slow.Source += "#define " + b + "0 " + a + "0 " + a + "0\n"
	}
	slow.Source += "extern \"C\" __global__ void k(float* y) { float x = *y; M0 *y = x; }\n"
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.Compile(ctx, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v to stop", took)
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Name: "norm.cu", Arch: "sm_90a", Status: 99, Log: strings.Repeat("x", maxLogInError+5)}
	text := e.Error()
	if !strings.HasPrefix(text, "compiling norm.cu for sm_90a: nvrtcResult 99:\nxxx") || !strings.HasSuffix(text, "x\n… and 5 bytes more") {
		t.Errorf("got %q", text)
	}
	e = &Error{Name: "norm.cu", Arch: "sm_90a", Status: BuiltinFailure}
	if got := e.Error(); got != "compiling norm.cu for sm_90a: NVRTC_ERROR_BUILTIN_OPERATION_FAILURE (7)" {
		t.Errorf("got %q", got)
	}
	if hint := fault.HintOf(e); !strings.Contains(hint, "libnvrtc-builtins") {
		t.Errorf("hint %q", hint)
	}
}

// nothing is a library without functions.
type nothing struct{}

func (nothing) Symbol(string) (uintptr, error) { return 0, errors.New("none") }

func TestOpenOfAnother(t *testing.T) {
	_, err := Open(nothing{})
	if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "nvrtcCompileProgram") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkCompile(b *testing.B) {
	c := compiler(b)
	for b.Loop() {
		if _, err := c.Compile(b.Context(), scale("sm_90a")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := compiler(b)
	k := OpenCache(b.TempDir())
	for b.Loop() {
		if _, err := k.Compile(b.Context(), c, scale("sm_90a")); err != nil {
			b.Fatal(err)
		}
	}
}
