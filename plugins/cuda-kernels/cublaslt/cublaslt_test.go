package cublaslt

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

func openFake(t testing.TB) (*fake, *Handle) {
	t.Helper()
	f := newFake(t)
	h, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return f, h
}

// TestProducts computes through the fake: what is tested is the translation to
// column-major order, the descriptors and the calls.
func TestProducts(t *testing.T) {
	f, h := openFake(t)
	for _, tt := range productTests() {
		t.Run(tt.name, func(t *testing.T) {
			f.t = t
			tt.run(t, h, f)
			if len(f.objects) != 0 {
				t.Errorf("%d descriptors are left", len(f.objects))
			}
			clear(f.memory)
		})
	}
	if last := f.matmuls[len(f.matmuls)-1]; last.stream != 0x77 || last.algorithm != fakeAlgorithm(1, 0) {
		t.Errorf("got %+v", last)
	}
	h.Close()
	h.Close()
	if !f.closed {
		t.Error("the library was not closed")
	}
}

func TestColumnMajor(t *testing.T) {
	const m, n, k = 3, 5, 7
	row := func(t uint32, rows, cols uint64, stride int64) layout {
		return layout{dtype: t, rows: rows, cols: cols, stride: stride, batch: 1}
	}
	tests := []struct {
		name string
		p    Product
		want columnMajor
	}{
		{"as they lie", Product{A: Dense(BFloat16, m, k), B: Dense(BFloat16, k, n), D: Dense(Float32, m, n)},
			columnMajor{first: row(14, n, k, n), second: row(14, k, m, k), c: row(0, n, m, n), d: row(0, n, m, n)}},
		{"a linear's forward", Product{A: Dense(Float16, m, k), B: strided(Float16, n, k, 9).T(), D: strided(Float16, m, n, 6)},
			columnMajor{first: row(2, k, n, 9), second: row(2, k, m, k), c: row(2, n, m, 6), d: row(2, n, m, 6), transposeFirst: 1}},
		{"a weight's gradient", Product{A: Dense(Float32, k, m).T(), B: Dense(Float32, k, n), D: Dense(Float32, m, n), C: strided(Float32, m, n, 8)},
			columnMajor{first: row(0, n, k, n), second: row(0, m, k, m), c: row(0, n, m, 8), d: row(0, n, m, n), transposeSecond: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.p.complete()
			if err != nil {
				t.Fatal(err)
			}
			if got := p.columnMajor(); got != tt.want {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
		})
	}
}

func good() Product {
	return Product{A: Dense(BFloat16, 16, 32), B: Dense(BFloat16, 8, 32).T(), D: Dense(BFloat16, 16, 8)}
}

func TestPlanRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *Product)
		want   string
	}{
		{"no A", func(p *Product) { p.A = Matrix{} }, "A has the shape [0 0]"},
		{"a negative shape", func(p *Product) { p.B.Rows = -1 }, "B has the shape [-1 32]"},
		{"a huge shape", func(p *Product) { p.B.Rows = 1 << 31 }, "B has the shape"},
		{"a type that is none", func(p *Product) { p.D.Type = 9 }, "has the type 9, which is none"},
		{"rows that overlap", func(p *Product) { p.A.Stride = 31 }, "A has rows of 32 elements, 31 apart"},
		{"inner dimensions", func(p *Product) { p.B = p.B.T() }, "A has an inner dimension of 32, B one of 8"},
		{"D's shape", func(p *Product) { p.D = Dense(BFloat16, 8, 16) }, "the product has the shape [16 8], D has [8 16]"},
		{"C's shape", func(p *Product) { p.C = Dense(BFloat16, 8, 16) }, "the product has the shape [16 8], C has [8 16]"},
		{"D transposed", func(p *Product) { p.D = Dense(BFloat16, 8, 16).T() }, "C and D cannot be transposed"},
		{"A and B of two types", func(p *Product) { p.B.Type = Float16 }, "bf16 · f16 → bf16"},
		{"D of another type", func(p *Product) { p.D.Type = Float16 }, "bf16 · bf16 → f16"},
		{"D narrower than A", func(p *Product) { p.A.Type, p.B.Type = Float32, Float32 }, "f32 · f32 → bf16"},
		{"C of another type", func(p *Product) { p.C = Dense(Float32, 16, 8) }, "with C f32"},
		{"a negative batch", func(p *Product) { p.Batch = -2 }, "a batch of -2"},
		{"a batch in one place", func(p *Product) { p.Batch = 2 }, "D has no batch stride"},
		{"a batch stride without a batch", func(p *Product) { p.A.BatchStride = 512 }, "A has a batch stride of 512 in a batch of 1"},
		{"an odd alignment", func(p *Product) { p.Alignment = 12 }, "an alignment of 12 bytes"},
		{"an alignment below an element", func(p *Product) { p.Alignment = 1 }, "an alignment of 1 bytes"},
		{"a negative alignment", func(p *Product) { p.Alignment = -16 }, "an alignment of -16 bytes"},
	}
	f, h := openFake(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := good()
			tt.change(&p)
			plan, err := h.Plan(p, 0)
			if !errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v", plan, err)
			}
		})
	}
	if _, err := h.Plan(good(), -1); !errors.Is(err, fault.BadInput) {
		t.Errorf("a negative workspace: %v", err)
	}
	h.Close()
	if _, err := h.Plan(good(), 0); !errors.Is(err, fault.OutOfOrder) {
		t.Errorf("a closed handle: %v", err)
	}
	if len(f.objects) != 0 {
		t.Errorf("%d descriptors are left", len(f.objects))
	}
}

func TestRunRefuses(t *testing.T) {
	type args struct{ a, b, c, d, bias, workspace uint64 }
	tests := []struct {
		name   string
		change func(x *args)
		want   string
	}{
		{"nothing wrong", func(*args) {}, ""},
		{"no A", func(x *args) { x.a = 0 }, "A, B or D has no address"},
		{"no C", func(x *args) { x.c = 0 }, "beta is 1 and C has no address"},
		{"C in D's place", func(x *args) { x.c = x.d }, "C lies where D does, in another layout"},
		{"no bias", func(x *args) { x.bias = 0 }, "the bias has no address"},
		{"no workspace", func(x *args) { x.workspace = 0 }, "there is no workspace, the algorithm needs 4096 bytes"},
		{"A between", func(x *args) { x.a += 8 }, "an address is not a multiple of 16 bytes"},
		{"C between", func(x *args) { x.c += 2 }, "an address is not a multiple of 16 bytes"},
		{"bias between", func(x *args) { x.bias++ }, "an address is not a multiple of 16 bytes"},
		{"workspace between", func(x *args) { x.workspace += 4 }, "workspace's address"},
	}
	f, h := openFake(t)
	p := good()
	p.Bias, p.C = true, strided(BFloat16, 16, 8, 16)
	plan, err := h.Plan(p, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Choose(1); err != nil {
		t.Fatal(err)
	}
	at := func() uint64 { return f.upload(t, make([]byte, 4096)) }
	whole := args{at(), at(), at(), at(), at(), at()}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := whole
			tt.change(&x)
			err := plan.Run(1, 1, x.a, x.b, 1, x.c, x.d, x.bias, x.workspace)
			if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
	plan.Close()
	plan.Close()
	if err := plan.Run(1, 1, whole.a, whole.b, 1, whole.c, whole.d, whole.bias, whole.workspace); !errors.Is(err, fault.BadInput) {
		t.Errorf("a closed plan: %v", err)
	}
}

func TestAlgorithms(t *testing.T) {
	f, h := openFake(t)
	plan, err := h.Plan(good(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	if n := plan.Algorithms(); n != 2 {
		t.Fatalf("%d algorithms; those in place, refused or too large must be left out", n)
	}
	if plan.WorkspaceBytes() != 0 || plan.Choose(2) == nil || plan.Choose(-1) == nil || plan.Choose(1) != nil || plan.WorkspaceBytes() != 4096 {
		t.Errorf("got %s", plan)
	}
	if got, want := plan.String(), "bf16 [16 8] = bf16 [16 32] · bf16 [8 32]ᵀ: algorithm 3, tile 0, stages 0, cluster 0, split 0 by scheme 2, 0.00 waves, 4096 bytes of workspace"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	text, err := plan.Algorithm().MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var again Algorithm
	if err := again.UnmarshalText(text); err != nil || again != fakeAlgorithm(3, reductionComputeType) {
		t.Errorf("got %v, %v", again, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 128), strings.Repeat("0", 130)} {
		if err := again.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	if err := plan.Choose(0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		a    Algorithm
		is   error
	}{
		{"of another library", fakeAlgorithm(9, 0), InvalidValue},
		{"for another GPU", fakeAlgorithm(4, 0), fault.Unsupported},
		{"in place", fakeAlgorithm(2, 1), fault.Unsupported},
		{"with too large a workspace", fakeAlgorithm(5, 0), fault.Unsupported},
	} {
		if err := plan.Use(tt.a); !errors.Is(err, tt.is) || plan.Algorithm() != fakeAlgorithm(1, 0) {
			t.Errorf("%s: %v, chosen is %v", tt.name, err, plan.Algorithm())
		}
	}
	if err := plan.Use(fakeAlgorithm(3, reductionComputeType)); err != nil || plan.WorkspaceBytes() != 4096 {
		t.Errorf("got %v, %s", err, plan)
	}
	x, workspace := f.upload(t, make([]byte, 4096)), f.upload(t, make([]byte, 4096))
	if err := plan.Run(5, 1, x, x, 0, 0, x, 0, workspace); err != nil {
		t.Fatal(err)
	}
	if want := (matmul{fakeAlgorithm(3, reductionComputeType), uintptr(workspace), 5, 4096}); !reflect.DeepEqual(f.matmuls, []matmul{want}) {
		t.Errorf("got %+v, want %+v", f.matmuls, want)
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		call   string
		status Status
		is     error
		want   string
	}{
		{"cublasLtCreate", NotInitialized, fault.Unsupported, "cublasLtCreate: CUBLAS_STATUS_NOT_INITIALIZED (1)"},
		{"cublasLtMatmulDescCreate", AllocFailed, fault.OutOfMemory, "cublasLtMatmulDescCreate of bf16 [16 8]"},
		{"cublasLtMatmulDescSetAttribute", InvalidValue, InvalidValue, "CUBLAS_STATUS_INVALID_VALUE (7)"},
		{"cublasLtMatrixLayoutCreate", InternalError, InternalError, "CUBLAS_STATUS_INTERNAL_ERROR (14)"},
		{"cublasLtMatmulPreferenceCreate", 99, Status(99), "cublasStatus_t 99"},
		{"cublasLtMatmulPreferenceSetAttribute", InvalidValue, InvalidValue, "cublasLtMatmulPreferenceSetAttribute"},
		{"cublasLtMatmulAlgoGetHeuristic", NotSupported, fault.Unsupported, "cublasLtMatmulAlgoGetHeuristic of bf16 [16 8] = bf16 [16 32] · bf16 [8 32]ᵀ: CUBLAS_STATUS_NOT_SUPPORTED (15)"},
		{"cublasLtMatmul", ExecutionFailed, fault.DeviceLost, "cublasLtMatmul of bf16 [16 8] = bf16 [16 32] · bf16 [8 32]ᵀ: CUBLAS_STATUS_EXECUTION_FAILED (13)"},
	}
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			f := newFake(t)
			f.fails[tt.call] = tt.status
			err := runOnce(t, f)
			if !errors.Is(err, tt.is) || !errors.Is(err, tt.status) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if len(f.objects) != 0 {
				t.Errorf("%d descriptors are left", len(f.objects))
			}
		})
	}
}

func runOnce(t *testing.T, f *fake) error {
	h, err := Open(f)
	if err != nil {
		return err
	}
	plan, err := h.Plan(good(), 0)
	if err != nil {
		return err
	}
	defer plan.Close()
	x := f.upload(t, make([]byte, 4096))
	return plan.Run(1, 1, x, x, 0, 0, x, 0, 0)
}

func TestNoAlgorithm(t *testing.T) {
	f, h := openFake(t)
	f.offered = f.offered[1:2] // adds up in place
	_, err := h.Plan(good(), 1<<20)
	if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "has no algorithm for it with 1048576 bytes of workspace") {
		t.Errorf("got %v", err)
	}
}

func TestOpenOfAnother(t *testing.T) {
	f := newFake(t)
	f.number = 111103
	if _, err := Open(f); !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "version 11.11, hone needs 12.0") || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	delete(f.symbols, "cublasLtMatmul")
	if _, err := Open(f); !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "missing: cublasLtMatmul") {
		t.Errorf("got %v", err)
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	f, h := openFake(t)
	p := good()
	p.Bias = true
	plan, err := h.Plan(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	// A call of the fake allocates; in its place is a function of C that answers 0 to 0.
	abs, err := purego.Dlsym(purego.RTLD_DEFAULT, "abs")
	if err != nil {
		t.Skip(err)
	}
	desc := plan.descriptors.desc
	h.handle, plan.descriptors.desc, h.fn.matmulCall, h.fn.descSet = 0, 0, abs, abs
	x, biases := f.upload(t, make([]byte, 4096)), [2]uint64{16, 32}
	i := 0
	allocations := testing.AllocsPerRun(100, func() {
		i++
		if err := plan.Run(1, 1, x, x, 0, 0, x, biases[i%2], 0); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%g allocations", allocations)
	}
	plan.descriptors.desc = desc
}

// library is the cuBLASLt in the folder HONE_TEST_CUBLASLT, or else one that is found.
func library(t testing.TB, driver dl.Version) *dl.Library {
	t.Helper()
	system := dl.Host()
	if folder := os.Getenv("HONE_TEST_CUBLASLT"); folder != "" {
		system.Extra = []string{folder}
	}
	l, err := system.Finder().Open(dl.CublasLt, driver, nil)
	if err != nil {
		t.Skipf("no cuBLASLt (HONE_TEST_CUBLASLT names its folder): %v", err)
	}
	return l
}

// TestLibrary builds descriptors with the real library, which needs no GPU for it.
func TestLibrary(t *testing.T) {
	l := library(t, dl.Version{})
	h, err := resolve(l)
	if err != nil {
		t.Fatal(err)
	}
	if h.Version().Less(MinimumVersion) {
		t.Errorf("version %s", h.Version())
	}
	for _, tt := range productTests() {
		p, err := tt.product.complete()
		if err != nil {
			t.Fatal(err)
		}
		ds, err := h.newDescriptors(p)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		b := &builder{fn: &h.fn, product: p}
		_, destroy := b.preference(p, 32<<20)
		if b.err != nil {
			t.Errorf("%s: %v", tt.name, b.err)
		}
		destroy()
		ds.destroy()
	}
}
