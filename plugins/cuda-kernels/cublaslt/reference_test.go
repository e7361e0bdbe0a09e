package cublaslt

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A device is where products are computed in a test: a GPU, or the fake.
type device interface {
	// do runs f where the context is current.
	do(f func() error) error
	// upload puts bytes into new device memory; the address is a multiple of 256.
	upload(t testing.TB, data []byte) uint64
	// download waits for the stream and reads n bytes.
	download(t testing.TB, address uint64, n int) []byte
	stream() uintptr
}

// A productTest is a product and how it is run.
type productTest struct {
	name        string
	product     Product
	alpha, beta float32
	separateC   bool   // C does not lie in D's place
	offset      uint64 // elements between an allocation and each matrix
}

func strided(t Type, rows, cols, stride int) Matrix {
	return Matrix{Type: t, Rows: rows, Cols: cols, Stride: stride}
}

func batched(m Matrix, stride int) Matrix {
	m.BatchStride = stride
	return m
}

// productTests are all combinations of types and transposes, and what else a Product
// can say, one by one.
func productTests() []productTest {
	var out []productTest
	const m, n, k = 24, 40, 136
	types := []struct{ in, out Type }{{Float32, Float32}, {BFloat16, BFloat16}, {BFloat16, Float32}, {Float16, Float16}, {Float16, Float32}}
	for _, t := range types {
		for flags := range 16 {
			a, b, d := strided(t.in, m, k, k+8), strided(t.in, k, n, n+16), strided(t.out, m, n, n+24)
			test := productTest{alpha: 1}
			if flags&1 != 0 {
				a = strided(t.in, k, m, m+8).T()
			}
			if flags&2 != 0 {
				b = strided(t.in, n, k, k+32).T()
			}
			if flags&4 != 0 {
				test.alpha, test.beta = -0.5, 0.75
			}
			test.product = Product{A: a, B: b, D: d, Bias: flags&8 != 0}
			test.name = fmt.Sprintf("%s, beta %g", test.product, test.beta)
			out = append(out, test)
		}
		dense := Product{A: Dense(t.in, m, k), B: Dense(t.in, n, k).T(), D: Dense(t.out, m, n)}
		add := func(name string, change func(p *productTest)) {
			test := productTest{name: fmt.Sprintf("%s·%s→%s %s", t.in, t.in, t.out, name), product: dense, alpha: 1}
			change(&test)
			out = append(out, test)
		}
		add("dense", func(*productTest) {})
		add("alpha 0", func(p *productTest) { p.alpha, p.beta = 0, 1 })
		add("C elsewhere", func(p *productTest) { p.beta, p.separateC = 1, true })
		add("C elsewhere, wider", func(p *productTest) {
			p.product.C, p.beta, p.separateC = strided(t.out, m, n, n+40), 1, true
		})
		add("C wider, not read", func(p *productTest) { p.product.C = strided(t.out, m, n, n+40) })
		add("one row", func(p *productTest) { p.product.A, p.product.D = Dense(t.in, 1, k), Dense(t.out, 1, n) })
		add("LoRA's rank", func(p *productTest) { p.product.B, p.product.D = Dense(t.in, 8, k).T(), Dense(t.out, m, 8) })
		add("odd sizes", func(p *productTest) {
			p.product = Product{A: Dense(t.in, 7, 13), B: Dense(t.in, 13, 5), D: Dense(t.out, 7, 5), Alignment: 4, Bias: true}
		})
		add("weakly aligned", func(p *productTest) { p.product.Alignment, p.offset = 4, 2 })
		add("batch", func(p *productTest) {
			p.product = Product{
				A: batched(strided(t.in, m, k, k+8), m*(k+8)), B: batched(Dense(t.in, n, k).T(), n*k+64),
				D: batched(Dense(t.out, m, n), m*n+32), Batch: 3, Bias: true,
			}
			p.beta = 1
		})
		add("batch with one B", func(p *productTest) {
			p.product = Product{A: batched(Dense(t.in, m, k), m*k), B: Dense(t.in, k, n), D: batched(Dense(t.out, m, n), m*n), Batch: 5}
		})
		add("heads side by side", func(p *productTest) { // a batch within rows
			p.product = Product{
				A: batched(strided(t.in, m, 16, 64), 16), B: batched(strided(t.in, n, 16, 64).T(), 16),
				D: batched(Dense(t.out, m, n), m*n), Batch: 4,
			}
		})
	}
	return out
}

// elements is how many elements a matrix spans, batch and gaps included.
func (m Matrix) elements(batch int) int { return (batch-1)*m.BatchStride + m.Rows*m.Stride }

// A tensor is a matrix on the device and what was put there.
type tensor struct {
	m       Matrix
	batch   int
	offset  int // elements
	data    []byte
	values  []float64
	address uint64
}

func newTensor(t testing.TB, d device, m Matrix, batch int, offset uint64, random *rand.Rand) *tensor {
	size := m.Type.Bytes()
	x := &tensor{m: m, batch: batch, offset: int(offset)}
	x.data = make([]byte, (x.offset+m.elements(batch))*size)
	for i := 0; i < len(x.data); i += size {
		encode(m.Type, x.data[i:], random.NormFloat64())
	}
	x.values = decodeAll(m.Type, x.data)
	x.address = d.upload(t, x.data) + offset*uint64(size)
	return x
}

// at is where element [i, j], as the product sees it, lies, in elements of data.
func (x *tensor) at(b, i, j int) int {
	if x.m.Transposed {
		i, j = j, i
	}
	return x.offset + b*x.m.BatchStride + i*x.m.Stride + j
}

func (x *tensor) get(b, i, j int) float64 { return x.values[x.at(b, i, j)] }

// run computes a product twice and compares it with the same in float64: within the
// rounding of the output and of a float32 sum, the same bits both times, and nothing
// between the rows of D changed.
func (test productTest) run(t *testing.T, h *Handle, dev device) {
	t.Helper()
	const workspaceBytes = 4 << 20
	var plan *Plan
	err := dev.do(func() (err error) {
		plan, err = h.Plan(test.product, workspaceBytes)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	p := plan.Product()
	random := rand.New(rand.NewPCG(1, 2))
	a := newTensor(t, dev, p.A, p.Batch, test.offset, random)
	b := newTensor(t, dev, p.B, p.Batch, test.offset, random)
	d := newTensor(t, dev, p.D, p.Batch, test.offset, random)
	bias := newTensor(t, dev, Dense(p.D.Type, 1, p.D.Cols), 1, test.offset, random)
	start := d.address - test.offset*uint64(p.D.Type.Bytes())
	startAgain := dev.upload(t, d.data)
	again := startAgain + d.address - start
	c, cAddress, cAgain := d, d.address, again
	if test.separateC {
		c = newTensor(t, dev, p.C, p.Batch, test.offset, random)
		cAddress, cAgain = c.address, c.address
	}
	workspace := dev.upload(t, make([]byte, workspaceBytes))
	for _, r := range []struct{ c, d uint64 }{{cAddress, d.address}, {cAgain, again}} {
		err := dev.do(func() error {
			return plan.Run(dev.stream(), test.alpha, a.address, b.address, test.beta, r.c, r.d, bias.address, workspace)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := dev.download(t, start, len(d.data))
	if !bytes.Equal(got, dev.download(t, startAgain, len(d.data))) {
		t.Error("the second time gave other bits")
	}
	test.compare(t, p, a, b, c, bias, d, got)
}

// compare checks each element of D, and that the others are as they were.
func (test productTest) compare(t *testing.T, p Product, a, b, c, bias, d *tensor, got []byte) {
	t.Helper()
	size := p.Size()
	bytesOf := func(at int) (from, to int) { return at * p.D.Type.Bytes(), (at + 1) * p.D.Type.Bytes() }
	want, values := bytes.Clone(d.data), decodeAll(p.D.Type, got)
	for batch := range p.Batch {
		for i := range size.M {
			for j := range size.N {
				sum, magnitude := 0.0, 0.0
				for x := range size.K {
					term := a.get(batch, i, x) * b.get(batch, x, j)
					sum += term
					magnitude += math.Abs(term)
				}
				sum, magnitude = sum*float64(test.alpha), magnitude*math.Abs(float64(test.alpha))
				if test.beta != 0 {
					term := float64(test.beta) * c.get(batch, i, j)
					sum, magnitude = sum+term, magnitude+math.Abs(term)
				}
				if p.Bias {
					term := bias.get(0, 0, j)
					sum, magnitude = sum+term, magnitude+math.Abs(term)
				}
				at := d.at(batch, i, j)
				value := values[at]
				// A float32 sum of K terms is off by far less than K roundings.
				bound := 1.01*epsilon(p.D.Type)*math.Abs(sum) + 8*epsilon(Float32)*magnitude
				if !(math.Abs(value-sum) <= bound) {
					t.Fatalf("[%d %d] of product %d is %g, want %g, give or take %.2g", i, j, batch, value, sum, bound)
				}
				from, to := bytesOf(at)
				copy(want[from:], got[from:to])
			}
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what lies between D's rows has changed")
	}
}
