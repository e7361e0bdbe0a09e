package principal

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Dense is a matrix of numbers in memory, row after row. Its products are those of a
// backend that has no faster ones.
func Dense(values []float32, rows, columns int) Matrix { return dense{values, rows, columns} }

type dense struct {
	values        []float32
	rows, columns int
}

func (d dense) Shape() (rows, columns int) { return d.rows, d.columns }

// block is how many rows of a matrix stay in the cache while all vectors pass.
const block = 16

// Multiply goes through the matrix once, a few rows at a time.
func (d dense) Multiply(y, x []float32, n int) {
	parallel((d.rows+block-1)/block, func(b int) {
		for v := range n {
			vector := x[v*d.columns : (v+1)*d.columns]
			for i := b * block; i < min(d.rows, (b+1)*block); i++ {
				y[v*d.rows+i] = float32(dot(d.values[i*d.columns:(i+1)*d.columns], vector))
			}
		}
	})
}

// MultiplyTransposed goes through a few columns of the matrix at a time.
func (d dense) MultiplyTransposed(y, x []float32, n int) {
	const wide = 256
	parallel((d.columns+wide-1)/wide, func(b int) {
		from, to := b*wide, min(d.columns, (b+1)*wide)
		sums := make([]float64, n*(to-from))
		for i := range d.rows {
			row := d.values[i*d.columns+from : i*d.columns+to]
			for v := range n {
				c := float64(x[v*d.rows+i])
				for j, w := range row {
					sums[v*(to-from)+j] += c * float64(w)
				}
			}
		}
		for v := range n {
			for j := from; j < to; j++ {
				y[v*d.columns+j] = float32(sums[v*(to-from)+j-from])
			}
		}
	})
}

// parallel calls do for each i below n, on all cores. Each call writes what no other
// does, so the result is the same on any number of them.
func parallel(n int, do func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}
