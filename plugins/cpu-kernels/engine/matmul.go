package engine

import "math"

// instructionSet names the code that computes matrix products: another gives
// other bits.
func instructionSet() string { return "generic" }

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

// matmulTransposed is y = x·wᵀ, added to y where accumulate: x [n, w.cols],
// y [n, w.rows].
func (e *Engine) matmulTransposed(y, x []float32, w *matrix, n int, accumulate bool) {
	f := w.floats()
	e.pool.Run(n, func(t int) {
		for o := range w.rows {
			v := dot(x[t*w.cols:(t+1)*w.cols], f[o*w.cols:(o+1)*w.cols])
			if accumulate {
				v += y[t*w.rows+o]
			}
			y[t*w.rows+o] = v
		}
	})
}

// matmul is y = x·w, added to y where accumulate: x [n, w.rows], y [n, w.cols].
func (e *Engine) matmul(y, x []float32, w *matrix, n int, accumulate bool) {
	f := w.floats()
	e.pool.Run(n, func(t int) {
		row := y[t*w.cols : (t+1)*w.cols]
		if !accumulate {
			clear(row)
		}
		for o := range w.rows {
			addTo(row, f[o*w.cols:(o+1)*w.cols], x[t*w.rows+o])
		}
	})
}

// matmulGradient adds dyᵀ·x to dw: dy [n, out], x [n, in], dw [out, in].
func (e *Engine) matmulGradient(dw, dy, x []float32, n, out, in int) {
	e.pool.Run(out, func(o int) {
		for t := range n {
			addTo(dw[o*in:(o+1)*in], x[t*in:(t+1)*in], dy[t*out+o])
		}
	})
}
