package gemm

import (
	"fmt"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cpu-kernels/isa"
	"github.com/honeml/hone/plugins/cpu-kernels/workers"
)

// products are those of a small and of a large transformer: linears forward and
// backward, the two thin ones of an adapter and their gradients, and generation.
var products = []struct {
	name         string
	m, n, k      int
	transA       bool
	transB       bool
	kind         string
	isGeneration bool
}{
	{name: "linear", m: 512, n: 1536, k: 576, transB: true, kind: "float32"},
	{name: "linear", m: 512, n: 1536, k: 576, transB: true, kind: "bfloat16"},
	{name: "linear", m: 512, n: 1536, k: 576, transB: true, kind: "source"},
	{name: "linear-back", m: 512, n: 576, k: 1536, kind: "bfloat16"},
	{name: "linear-gradient", m: 1536, n: 576, k: 512, transA: true, kind: "float32"},
	{name: "square", m: 1024, n: 1024, k: 1024, transB: true, kind: "float32"},
	{name: "large", m: 1024, n: 4096, k: 4096, transB: true, kind: "bfloat16"},
	{name: "adapter-down", m: 512, n: 16, k: 576, transB: true, kind: "float32"},
	{name: "adapter-down", m: 2048, n: 16, k: 4096, transB: true, kind: "float32"},
	{name: "adapter-up", m: 512, n: 1536, k: 16, transB: true, kind: "float32"},
	{name: "adapter-gradient", m: 16, n: 576, k: 512, transA: true, kind: "float32"},
	{name: "adapter-gradient", m: 16, n: 4096, k: 2048, transA: true, kind: "float32"},
	{name: "head-score", m: 64, n: 512, k: 64, transB: true, kind: "float32"},
	{name: "generation", m: 1, n: 14336, k: 4096, transB: true, kind: "float32", isGeneration: true},
	{name: "generation", m: 1, n: 14336, k: 4096, transB: true, kind: "bfloat16", isGeneration: true},
	{name: "generation", m: 1, n: 14336, k: 4096, transB: true, kind: "float16", isGeneration: true},
	{name: "generation", m: 8, n: 14336, k: 4096, transB: true, kind: "bfloat16", isGeneration: true},
	{name: "generation", m: 1, n: 1536, k: 576, transB: true, kind: "bfloat16", isGeneration: true},
}

// BenchmarkProduct reports, beside the mean time, the rate of the fastest product: on
// a machine that others use too, it is the one to compare.
func BenchmarkProduct(b *testing.B) {
	level, err := isa.Detect()
	if err != nil {
		b.Fatal(err)
	}
	for _, threads := range []int{1, 2} {
		pool := workers.New(threads)
		m, err := New(pool, level)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range products {
			b.Run(fmt.Sprintf("%s/%dx%dx%d/%s/threads=%d", p.name, p.m, p.n, p.k, p.kind, threads), func(b *testing.B) {
				mem := ordinary(1)
				x := mem.matrix(p.m, p.k, 0, p.transA, "float32")
				w := mem.matrix(p.k, p.n, 0, p.transB, p.kind)
				c := Float32(make([]float32, p.m*p.n), p.m, p.n, p.n)
				best := time.Hour
				for b.Loop() {
					start := time.Now()
					m.Multiply(c, x.Matrix, w.Matrix, 1)
					best = min(best, time.Since(start))
				}
				if p.isGeneration {
					size := map[string]int{"float32": 4, "bfloat16": 2, "float16": 2}[p.kind]
					b.ReportMetric(float64(p.n*p.k*size)/float64(best.Nanoseconds()), "GB/s")
				}
				b.ReportMetric(2*float64(p.m*p.n*p.k)/float64(best.Nanoseconds()), "GFLOP/s")
			})
		}
		pool.Close()
	}
}
