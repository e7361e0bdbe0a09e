package gemm_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

// operands are random ones of a product. q is small, so that d is of x's size.
type operands struct {
	p, q, p2, q2, d rowstest.Buffer
}

func draw(b *devicetest.Bench, s gemm.Spec, m, n, k int) operands {
	return operands{
		p: rowstest.Random(b, s.Type, m*k, 1), q: rowstest.Random(b, s.Type, n*k, 2),
		p2: rowstest.Random(b, s.Type, m*max(1, s.Rank), 3), q2: rowstest.Random(b, s.Type, n*max(1, s.Rank), 4),
		d: rowstest.Random(b, s.Type, m*n, 5),
	}
}

// small is the second product.
func (o operands) small(rank int) gemm.Term {
	return gemm.Term{P: o.p2.Pointer, Q: o.q2.Pointer, K: rank}
}

// want is the product in float64, without what is in d.
func (o operands) want(s gemm.Spec, m, n, k int, second bool) []float64 {
	out := make([]float64, m*n)
	add := func(p, q rowstest.Buffer, inner int) {
		for i := range m {
			for j := range n {
				sum := 0.0
				for l := range inner {
					at := j*inner + l
					if s.Down {
						at = l*n + j
					}
					sum += p.At(i*inner+l) * q.At(at)
				}
				out[i*n+j] += sum
			}
		}
	}
	add(o.p, o.q, k)
	if second {
		add(o.p2, o.q2, s.Rank)
	}
	return out
}

// TestProducts compares products of every layout with float64: tiles that are whole and
// not, one row, more tiles than the GPU has multiprocessors, ranks of every kind, with
// and without the second product and what is in d.
func TestProducts(t *testing.T) {
	b := devicetest.OpenHopper(t)
	type size struct{ m, n, k int }
	sizes := []size{{1, 8, 8}, {37, 264, 72}, {128, 256, 64}, {256, 128, 200}, {300, 520, 136}, {3000, 1288, 24}}
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, down := range []bool{false, true} {
			for _, rank := range []int{0, 8, 16, 64, 80} {
				s := gemm.Spec{Type: kind, Down: down, Rank: rank}
				set := &device.Set{}
				p := gemm.New(set, s, b.GPU.Info.SMs)
				b.Load(set)
				for _, z := range sizes {
					o := draw(b, s, z.m, z.n, z.k)
					for _, second := range []bool{false, true} {
						if second && rank == 0 {
							continue
						}
						want := o.want(s, z.m, z.n, z.k, second)
						for _, add := range []bool{false, true} {
							name := fmt.Sprintf("%v, down %v, rank %d, %+v, second %v, add %v: ", kind, down, rank, z, second, add)
							try(b, p, o, z.m, z.n, z.k, rank, second, add, want, name)
						}
					}
				}
			}
		}
	}
}

func try(b *devicetest.Bench, p *gemm.Product, o operands, m, n, k, rank int, second, add bool, want []float64, name string) {
	b.Helper()
	with := gemm.Operands{Terms: []gemm.Term{{P: o.p.Pointer, Q: o.q.Pointer, K: k}}, Add: add}
	d := rowstest.Empty(b, o.d.Type, m*n)
	if add {
		d = rowstest.Random(b, o.d.Type, m*n, 5)
		want = slices.Clone(want)
		for i := range want {
			want[i] += d.At(i)
		}
	}
	if second {
		with.Small = o.small(rank)
	}
	with.D = d.Pointer
	p.Multiply(b.Queue, m, n, with)
	rowstest.Compare(b, name, d, want, 1e-4) // sums of up to 280 products of unit size
}

// TestSums compares sums of products with float64: each with an inner dimension of its
// own, the small one's rows apart, with and without it and what is in d.
func TestSums(t *testing.T) {
	const m, n, rank, stride = 300, 520, 24, 40
	b := devicetest.OpenHopper(t)
	for _, down := range []bool{false, true} {
		s := gemm.Spec{Type: device.BFloat16, Down: down, Rank: rank}
		set := &device.Set{}
		p := gemm.New(set, s, b.GPU.Info.SMs)
		b.Load(set)
		for _, inner := range [][]int{{72, 8}, {64, 136, 200}, {8, 64, 72, 24}} {
			for _, second := range []bool{false, true} {
				for _, add := range []bool{false, true} {
					want := make([]float64, m*n)
					with := gemm.Operands{Add: add}
					for i, k := range inner {
						o := draw(b, s, m, n, k)
						o.p = rowstest.Random(b, s.Type, m*k, uint64(10+i))
						for j, v := range o.want(s, m, n, k, false) {
							want[j] += v
						}
						with.Terms = append(with.Terms, gemm.Term{P: o.p.Pointer, Q: o.q.Pointer, K: k})
					}
					if second {
						wide, o := rowstest.Random(b, s.Type, m*stride, 20), draw(b, s, m, n, 8)
						const before = 8 // of a row's numbers
						for i := range m {
							copy(o.p2.Numbers[i*rank:][:rank], wide.Numbers[i*stride+before:])
						}
						for j, v := range o.want(s, m, n, 0, true) {
							want[j] += v
						}
						with.Small = gemm.Term{P: wide.Offset(before * s.Type.Size()), Q: o.q2.Pointer, K: rank, Stride: stride}
					}
					d := rowstest.Result(b, s.Type, m*n, add)
					if add {
						for j := range want {
							want[j] += d.At(j)
						}
					}
					with.D = d.Pointer
					p.Multiply(b.Queue, m, n, with)
					rowstest.Compare(b, fmt.Sprintf("down %v, inner dimensions %v, second %v, add %v: ", down, inner, second, add), d, want, 1e-4)
				}
			}
		}
	}
}

// TestScaled compares products whose columns are scaled with float64: tiles that are whole
// and not, more than the GPU has multiprocessors, with and without the second product and
// what is in d, which is not scaled.
func TestScaled(t *testing.T) {
	b := devicetest.OpenHopper(t)
	type size struct{ m, n, k int }
	for _, kind := range []device.Type{device.BFloat16, device.Float16} {
		for _, down := range []bool{false, true} {
			for _, rank := range []int{0, 16, 80} {
				s := gemm.Spec{Type: kind, Down: down, Rank: rank, Scaled: true}
				set := &device.Set{}
				p := gemm.New(set, s, b.GPU.Info.SMs)
				b.Load(set)
				for _, z := range []size{{1, 8, 8}, {37, 264, 72}, {256, 256, 200}, {300, 520, 136}, {3000, 1288, 24}} {
					o, factor := draw(b, s, z.m, z.n, z.k), rowstest.Random(b, device.Float32, z.n, 6)
					for _, second := range []bool{false, true} {
						if second && rank == 0 {
							continue
						}
						scaled := o.want(s, z.m, z.n, z.k, second)
						for i := range scaled {
							scaled[i] *= factor.At(i % z.n)
						}
						for _, add := range []bool{false, true} {
							with := gemm.Operands{Terms: []gemm.Term{{P: o.p.Pointer, Q: o.q.Pointer, K: z.k}}, Add: add, Factor: factor.Pointer}
							if second {
								with.Small = o.small(rank)
							}
							d, want := rowstest.Result(b, kind, z.m*z.n, add), slices.Clone(scaled)
							for i := range want {
								if add {
									want[i] += d.At(i)
								}
							}
							with.D = d.Pointer
							p.Multiply(b.Queue, z.m, z.n, with)
							rowstest.Compare(b, fmt.Sprintf("%v, down %v, rank %d, %+v, second %v, add %v: ", kind, down, rank, z, second, add), d, want, 5e-4)
						}
					}
				}
			}
		}
	}
}

// TestRepeats: a product that keeps the GPU busy gives the same bits each time.
func TestRepeats(t *testing.T) {
	const m, n, k = 4096, 2048, 1024
	b := devicetest.OpenHopper(t)
	s := gemm.Spec{Type: device.BFloat16, Rank: 16}
	set := &device.Set{}
	p := gemm.New(set, s, b.GPU.Info.SMs)
	b.Load(set)
	o := draw(b, s, m, n, k)
	with := gemm.Operands{Terms: []gemm.Term{{P: o.p.Pointer, Q: o.q.Pointer, K: k}}, Small: o.small(s.Rank), D: o.d.Pointer}
	var first []float32
	for range 5 {
		p.Multiply(b.Queue, m, n, with)
		got := b.Download(o.d.Pointer, s.Type, m*n)
		if first == nil {
			first = got
		}
		if !slices.Equal(first, got) {
			t.Fatal("two products of the same matrices differ")
		}
	}
}

// TestWins: large products are for this package, those that leave the GPU idle are not.
func TestWins(t *testing.T) {
	p := gemm.New(&device.Set{}, gemm.Spec{Type: device.BFloat16}, 132)
	for _, test := range []struct {
		m, n int
		want bool
	}{{8192, 4096, true}, {8192, 1024, true}, {2048, 128256, true}, {512, 4096, false}, {1, 128256, false}, {8192, 16, false}} {
		if got := p.Wins(test.m, test.n); got != test.want {
			t.Errorf("[%d %d]: %v", test.m, test.n, got)
		}
	}
}

// TestRuns: what there is a kernel for.
func TestRuns(t *testing.T) {
	s := gemm.Spec{Type: device.BFloat16, Rank: 16}
	odd, wide := s, s
	odd.Rank, wide.Type = 12, device.Float32
	for _, test := range []struct {
		arch string
		spec gemm.Spec
		n, k int
		want bool
	}{
		{"sm_90a", s, 4096, 4096, true}, {"sm_80", s, 4096, 4096, false}, {"", s, 4096, 4096, false},
		{"sm_90a", odd, 4096, 4096, false}, {"sm_90a", wide, 4096, 4096, false}, {"sm_90a", s, 4100, 4096, false}, {"sm_90a", s, 4096, 4100, false},
	} {
		if got := gemm.Runs(test.arch, test.spec, test.n, test.k); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// BenchmarkProducts times the products of Llama-3.1-8B and 3.2-1B on 8192 tokens, with an
// adapter of rank 16: forward, with columns scaled too, backward and backward added.
func BenchmarkProducts(b *testing.B) {
	const m = 8192
	bench := devicetest.OpenHopper(b)
	for _, size := range []struct{ n, k int }{{4096, 4096}, {1024, 4096}, {14336, 4096}, {4096, 14336}, {2048, 2048}, {8192, 2048}, {2048, 8192}} {
		for _, kind := range []struct{ down, scaled bool }{{}, {scaled: true}, {down: true}} {
			s := gemm.Spec{Type: device.BFloat16, Down: kind.down, Rank: 16, Scaled: kind.scaled}
			set := &device.Set{}
			p := gemm.New(set, s, bench.GPU.Info.SMs)
			bench.Load(set)
			o, factor := draw(bench, s, m, size.n, size.k), bench.Alloc(device.Float32, size.n)
			for _, add := range []bool{false, true} {
				if add && kind.scaled {
					continue
				}
				b.Run(fmt.Sprintf("%dx%d,down=%v,scaled=%v,add=%v", size.n, size.k, kind.down, kind.scaled, add), func(b *testing.B) {
					best := 0.0
					for b.Loop() {
						seconds := bench.Seconds(10, func() {
							p.Multiply(bench.Queue, m, size.n, gemm.Operands{
								Terms: []gemm.Term{{P: o.p.Pointer, Q: o.q.Pointer, K: size.k}}, Small: o.small(s.Rank), D: o.d.Pointer, Add: add, Factor: factor,
							})
						})
						best = max(best, 2*m*float64(size.n)*float64(size.k+s.Rank)/seconds/1e12)
					}
					b.ReportMetric(best, "TFLOP/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
