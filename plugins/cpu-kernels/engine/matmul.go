package engine

import "github.com/honeml/hone/plugins/cpu-kernels/gemm"

// instructionSet names the code that computes matrix products: another gives
// other bits.
func (e *Engine) instructionSet() string { return e.product.Level().String() }

// view is the matrix as the products see it.
func (m *matrix) view() gemm.Matrix {
	switch m.held {
	case heldFloat32:
		return gemm.Float32(m.f32, m.rows, m.cols, m.cols)
	case heldBFloat16:
		return gemm.BFloat16(m.u16, m.rows, m.cols, m.cols)
	}
	return gemm.Float16(m.u16, m.rows, m.cols, m.cols)
}

// block is the rows × cols matrix in the elements from at on.
func (m *matrix) block(at, rows, cols int) gemm.Matrix {
	part := matrix{rows: rows, cols: cols, held: m.held}
	if m.held == heldFloat32 {
		part.f32 = m.f32[at : at+rows*cols]
	} else {
		part.u16 = m.u16[at : at+rows*cols]
	}
	return part.view()
}

func floats(x []float32, rows, cols int) gemm.Matrix { return gemm.Float32(x, rows, cols, cols) }

// multiply is y = a·b, added to y where accumulate.
func (e *Engine) multiply(y, a, b gemm.Matrix, accumulate bool) {
	if accumulate {
		e.product.MultiplyAdd(y, a, b, 1)
	} else {
		e.product.Multiply(y, a, b, 1)
	}
}

// matmulTransposed is y = x·wᵀ, added to y where accumulate: x [n, w.cols],
// y [n, w.rows].
func (e *Engine) matmulTransposed(y, x []float32, w *matrix, n int, accumulate bool) {
	e.multiply(floats(y, n, w.rows), floats(x, n, w.cols), w.view().T(), accumulate)
}

// matmul is y = x·w, added to y where accumulate: x [n, w.rows], y [n, w.cols].
func (e *Engine) matmul(y, x []float32, w *matrix, n int, accumulate bool) {
	e.multiply(floats(y, n, w.cols), floats(x, n, w.rows), w.view(), accumulate)
}

// matmulGradient adds dyᵀ·x to dw: dy [n, out], x [n, in], dw [out, in].
func (e *Engine) matmulGradient(dw, dy, x []float32, n, out, in int) {
	e.multiply(floats(dw, out, in), floats(dy, n, out).T(), floats(x, n, in), true)
}
