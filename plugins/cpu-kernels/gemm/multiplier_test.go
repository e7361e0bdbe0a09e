package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/isa"
	"github.com/honeml/hone/plugins/cpu-kernels/workers"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

// A stand is a matrix made for a test: the view under test, and its values.
type stand struct {
	Matrix
	values     []float64 // as the view has them, row-major
	rows, cols int
}

// kinds are the ways to store a matrix.
var kinds = []string{"float32", "bfloat16", "float16", "source"}

// memory makes the memory of a test's matrices.
type memory struct {
	r        *rand.Rand
	float32s func(n int) []float32
	halves   func(n int) []uint16
}

func ordinary(seed uint64) memory {
	return memory{
		rand.New(rand.NewPCG(seed, 1)),
		func(n int) []float32 { return make([]float32, n) },
		func(n int) []uint16 { return make([]uint16, n) },
	}
}

// matrix is a rows × cols view of random values. Between the stored rows are pad
// elements of NaN, which spoil whatever they get into.
func (mem memory) matrix(rows, cols, pad int, transposed bool, kind string) stand {
	s := stand{rows: rows, cols: cols, values: make([]float64, rows*cols)}
	storedRows, storedCols := rows, cols
	if transposed {
		storedRows, storedCols = cols, rows
	}
	stride := storedCols + pad
	size := max(0, (storedRows-1)*stride+storedCols)
	if storedRows == 0 || storedCols == 0 {
		size = 0
	}
	f := mem.float32s(size)
	h := mem.halves(size)
	for i := range f {
		f[i], h[i] = float32(math.NaN()), 0x7fff // NaN in either 16-bit type
	}
	for i := range storedRows {
		for j := range storedCols {
			at := i*stride + j
			v := mem.r.Float32()*2 - 1
			switch kind {
			case "bfloat16":
				h[at] = halffloat.ToBFloat16(v)
				v = halffloat.FromBFloat16(h[at])
			case "float16":
				h[at] = halffloat.ToFloat16(v)
				v = halffloat.FromFloat16(h[at])
			}
			f[at] = v
			if transposed {
				s.values[j*cols+i] = float64(v)
			} else {
				s.values[i*cols+j] = float64(v)
			}
		}
	}
	switch kind {
	case "float32":
		s.Matrix = Float32(f, storedRows, storedCols, stride)
	case "bfloat16":
		s.Matrix = BFloat16(h, storedRows, storedCols, stride)
	case "float16":
		s.Matrix = Float16(h, storedRows, storedCols, stride)
	case "source":
		s.Matrix = From(&granular{f, storedRows, storedCols, stride}, storedRows, storedCols)
	}
	if transposed {
		s.Matrix = s.T()
	}
	return s
}

// granular is a Source that insists on the granule, as quantised blocks do.
type granular struct {
	data               []float32
	rows, cols, stride int
}

var _ Source = (*granular)(nil)

func (g *granular) Widen(dst []float32, stride, row, rows, col, cols int) {
	if col%Granule != 0 || col+cols != g.cols && cols%Granule != 0 || row < 0 || row+rows > g.rows || col+cols > g.cols {
		panic(fmt.Sprintf("a source of %d x %d was asked for rows %d+%d, columns %d+%d", g.rows, g.cols, row, rows, col, cols))
	}
	for i := range rows {
		copy(dst[i*stride:i*stride+cols], g.data[(row+i)*g.stride+col:])
	}
}

// levels are those of this machine.
func levels(t testing.TB, threads int, f func(t *testing.T, m *Multiplier)) {
	pool := workers.New(threads)
	t.Cleanup(pool.Close)
	for _, level := range isa.Supported() {
		m, err := New(pool, level)
		if err != nil {
			t.Fatal(err)
		}
		switch t := t.(type) {
		case *testing.T:
			t.Run(level.String(), func(t *testing.T) { f(t, m) })
		}
	}
}

// check multiplies a and b by m and compares with float64, element by element.
func check(t *testing.T, m *Multiplier, mem memory, a, b stand, alpha float32, accumulate bool) {
	t.Helper()
	const pad = 3
	rows, cols, inner := a.rows, b.cols, a.cols
	stride := cols + pad
	c := mem.float32s(max(0, (rows-1)*stride+cols))
	before := make([]float32, len(c))
	for i := range c {
		c[i] = mem.r.Float32()
		if !accumulate {
			c[i] = float32(math.NaN())
		}
		if i%stride >= cols {
			c[i] = 12345
		}
	}
	copy(before, c)
	view := Float32(c, rows, cols, stride)
	if accumulate {
		m.MultiplyAdd(view, a.Matrix, b.Matrix, alpha)
	} else {
		m.Multiply(view, a.Matrix, b.Matrix, alpha)
	}
	// Of a large product some elements are compared, spread over all of it.
	every := 1 + rows*cols*inner/10_000_000
	for i := range rows {
		for j := range cols {
			if (i*cols+j)%every != 0 {
				continue
			}
			want, size := 0.0, 0.0
			for k := range inner {
				v := a.values[i*inner+k] * b.values[k*cols+j]
				want += v
				size += math.Abs(v)
			}
			want *= float64(alpha)
			size *= math.Abs(float64(alpha))
			if accumulate {
				want += float64(before[i*stride+j])
				size += 1
			}
			// Blocks of 256 summed one by one: the error grows with a few times √k.
			tolerance := 2e-7 * (4 + math.Sqrt(float64(min(inner, most)))) * (size/math.Sqrt(float64(inner+1)) + math.Abs(want) + 1e-6)
			got := float64(c[i*stride+j])
			if !(math.Abs(got-want) <= tolerance) {
				t.Fatalf("element %d, %d of %d x %d x %d: got %v, want %v ± %.1e", i, j, rows, cols, inner, got, want, tolerance)
			}
		}
	}
	for i := range c {
		if i%stride >= cols && c[i] != 12345 {
			t.Fatalf("element %d between the rows of C was written", i)
		}
	}
}

// shapes are M, N, K.
var shapes = [][3]int{
	{1, 1, 1}, {1, 7, 5}, {1, 64, 576}, {2, 33, 19}, {3, 16, 64}, {4, 100, 300}, {5, 17, 8}, {8, 40, 129},
	{9, 16, 16}, {7, 1, 100}, {6, 16, 256}, {12, 32, 257}, {13, 31, 383}, {16, 576, 40}, {16, 130, 700},
	{95, 15, 33}, {96, 64, 64}, {97, 16, 300}, {100, 8, 70}, {128, 48, 16}, {200, 131, 90}, {130, 300, 5}, {300, 70, 660},
}

func TestProducts(t *testing.T) {
	levels(t, 2, func(t *testing.T, m *Multiplier) {
		for n, shape := range shapes {
			for way := range 4 {
				for kind := range kinds {
					mem := ordinary(uint64(n))
					kindA, kindB := "float32", kinds[kind]
					if way == 3 || kind == 3 && way == 0 {
						kindA = kinds[(kind+n)%4]
					}
					transposeA, transposeB := way&1 != 0, way&2 != 0
					name := fmt.Sprintf("%v %s %v times %s %v", shape, kindA, transposeA, kindB, transposeB)
					a := mem.matrix(shape[0], shape[2], n%3, transposeA, kindA)
					b := mem.matrix(shape[2], shape[1], (n+1)%4, transposeB, kindB)
					t.Run(name, func(t *testing.T) {
						check(t, m, mem, a, b, 1, false)
						check(t, m, mem, a, b, -0.75, true)
					})
				}
			}
		}
	})
}

// TestParts has products whose packed operands are larger than what is packed at a
// time, in each direction.
func TestParts(t *testing.T) {
	m, err := New(nil, isa.Supported()[len(isa.Supported())-1])
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range [][3]int{{5300, 100, 3}, {100, 5700, 20}, {300, 130, 9000}} {
		for way := range 4 {
			t.Run(fmt.Sprint(shape, way), func(t *testing.T) {
				mem := ordinary(uint64(way))
				a := mem.matrix(shape[0], shape[2], 0, way&1 != 0, "float32")
				b := mem.matrix(shape[2], shape[1], 1, way&2 != 0, "float32")
				check(t, m, mem, a, b, 1, true)
			})
		}
	}
}

func TestSameBitsOnAnyNumberOfThreads(t *testing.T) {
	for _, shape := range [][3]int{{1, 700, 576}, {8, 301, 640}, {16, 576, 512}, {77, 200, 300}, {300, 16, 576}, {250, 333, 700}} {
		for way := range 4 {
			t.Run(fmt.Sprint(shape, way), func(t *testing.T) {
				var first []float32
				for _, threads := range []int{1, 2, 3, 7} {
					levels(t, threads, func(t *testing.T, m *Multiplier) {
						if m.Level() != isa.Supported()[len(isa.Supported())-1] {
							return
						}
						mem := ordinary(3)
						a := mem.matrix(shape[0], shape[2], 0, way&1 != 0, "float32")
						b := mem.matrix(shape[2], shape[1], 0, way&2 != 0, "bfloat16")
						c := make([]float32, shape[0]*shape[1])
						m.Multiply(Float32(c, shape[0], shape[1], shape[1]), a.Matrix, b.Matrix, 0.5)
						if first == nil {
							first = c
						}
						if !slices.Equal(first, c) {
							t.Errorf("%d threads give other bits than 1", threads)
						}
					})
				}
			})
		}
	}
}

// TestSameBitsWhateverIsBeside: rows and columns of a product do not depend on how
// many others there are, beyond the few rows that are dot products.
func TestSameBitsWhateverIsBeside(t *testing.T) {
	levels(t, 2, func(t *testing.T, m *Multiplier) {
		const rows, cols, inner = 250, 200, 600
		for way := range 4 {
			mem := ordinary(5)
			a := mem.matrix(rows, inner, 0, way&1 != 0, "float32")
			b := mem.matrix(inner, cols, 0, way&2 != 0, "float32")
			whole := make([]float32, rows*cols)
			m.Multiply(Float32(whole, rows, cols, cols), a.Matrix, b.Matrix, 0.3)
			for _, part := range [][2]int{{9, 200}, {11, 17}, {96, 5}, {100, 64}, {249, 199}} {
				view := func(s Matrix, rows, cols int) Matrix {
					if s.transposed {
						return Float32(s.float32s, cols, rows, s.stride).T()
					}
					return Float32(s.float32s, rows, cols, s.stride)
				}
				got := make([]float32, part[0]*part[1])
				m.Multiply(Float32(got, part[0], part[1], part[1]), view(a.Matrix, part[0], inner), view(b.Matrix, inner, part[1]), 0.3)
				for i := range part[0] {
					if !slices.Equal(got[i*part[1]:(i+1)*part[1]], whole[i*cols:i*cols+part[1]]) {
						t.Fatalf("way %d: row %d of %d x %d has other bits than in %d x %d", way, i, part[0], part[1], rows, cols)
					}
				}
			}
		}
	})
}

func TestEmptyProducts(t *testing.T) {
	m, err := New(nil, isa.Generic)
	if err != nil {
		t.Fatal(err)
	}
	c := []float32{1, 2, 3, 4}
	m.MultiplyAdd(Float32(c, 2, 2, 2), Float32(nil, 2, 0, 0), Float32(nil, 0, 2, 2), 1)
	if !slices.Equal(c, []float32{1, 2, 3, 4}) {
		t.Errorf("adding a sum of nothing gives %v", c)
	}
	m.Multiply(Float32(c, 2, 2, 2), Float32(nil, 2, 0, 0), Float32(nil, 0, 2, 2), 1)
	if !slices.Equal(c, make([]float32, 4)) {
		t.Errorf("a sum of nothing is %v", c)
	}
	m.Multiply(Float32(nil, 0, 2, 2), Float32(nil, 0, 3, 3), Float32(make([]float32, 6), 3, 2, 2), 1)
}

func TestMistakesPanic(t *testing.T) {
	m, err := New(nil, isa.Generic)
	if err != nil {
		t.Fatal(err)
	}
	six, four := make([]float32, 6), make([]float32, 4)
	tests := []struct {
		name string
		f    func()
	}{
		{"inner dimensions differ", func() { m.Multiply(Float32(four, 2, 2, 2), Float32(six, 2, 3, 3), Float32(four, 2, 2, 2), 1) }},
		{"C has another shape", func() { m.Multiply(Float32(six, 3, 2, 2), Float32(six, 2, 3, 3), Float32(six, 3, 2, 2), 1) }},
		{"C is transposed", func() { m.Multiply(Float32(four, 2, 2, 2).T(), Float32(six, 2, 3, 3), Float32(six, 3, 2, 2), 1) }},
		{"too little memory", func() { Float32(six, 3, 3, 3) }},
		{"too little memory for the stride", func() { Float32(six, 2, 3, 4) }},
		{"rows overlap", func() { Float32(six, 2, 3, 2) }},
		{"sizes that overflow", func() { Float32(six, math.MaxInt/2, 3, 4) }},
		{"negative", func() { BFloat16(nil, -1, 3, 4) }},
		{"negative source", func() { From(nil, -1, 3) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			test.f()
		})
	}
}

func TestUnknownLevel(t *testing.T) {
	if _, err := New(nil, isa.Level(99)); err == nil {
		t.Error("a level that does not exist was taken")
	}
}

func TestProductsAllocateNothing(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	for _, level := range isa.Supported() {
		m, err := New(pool, level)
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range [][3]int{{2, 64, 64}, {20, 70, 64}, {200, 130, 64}} {
			mem := ordinary(1)
			a := mem.matrix(shape[0], shape[2], 0, false, "float32")
			b := mem.matrix(shape[2], shape[1], 0, true, "source")
			c := Float32(make([]float32, shape[0]*shape[1]), shape[0], shape[1], shape[1])
			m.Multiply(c, a.Matrix, b.Matrix, 1) // makes room for each worker by and by
			m.Multiply(c, a.Matrix, b.Matrix, 1)
			if n := testing.AllocsPerRun(50, func() { m.Multiply(c, a.Matrix, b.Matrix, 1) }); n >= 1 {
				t.Errorf("%v, %v: a product allocates %v times", level, shape, n)
			}
		}
	}
}
