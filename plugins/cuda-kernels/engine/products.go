package engine

import (
	"cmp"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/cublaslt"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// An operand is a matrix in the GPU's memory, row-major.
type operand struct {
	at         device.Pointer
	t          device.Type
	rows, cols int
	stride     int  // numbers from row to row; 0: cols
	transposed bool // used as its transpose
}

// T is the operand's transpose.
func (o operand) T() operand {
	o.transposed = !o.transposed
	return o
}

func (o operand) matrix() cublaslt.Matrix {
	return cublaslt.Matrix{Type: blasTypes[o.t], Rows: o.rows, Cols: o.cols, Stride: o.rowsOf().Stride, Transposed: o.transposed}
}

// rowsOf is the matrix as it lies.
func (o operand) rowsOf() adapter.Matrix {
	return adapter.Matrix{At: o.at, Stride: cmp.Or(o.stride, o.cols)}
}

var blasTypes = [...]cublaslt.Type{
	device.Float32: cublaslt.Float32, device.BFloat16: cublaslt.BFloat16, device.Float16: cublaslt.Float16,
}

// products are the matrix products that were run so far: what cuBLASLt chose for
// each shape.
type products struct {
	handle    *cublaslt.Handle
	plans     map[cublaslt.Product]*cublaslt.Plan
	workspace span
}

// productBytes is the memory that cuBLASLt works in.
const productBytes = 32 << 20

// multiply is d = factor·a·b, added to d where accumulate. a and b have one type, d
// has theirs or is float32.
func (e *Engine) multiply(q *device.Queue, d, a, b operand, factor float32, accumulate bool) {
	key := cublaslt.Product{A: a.matrix(), B: b.matrix(), D: d.matrix()}
	plan := e.products.plans[key]
	if plan == nil {
		var err error
		if plan, err = e.products.handle.Plan(key, e.products.workspace.bytes); err != nil {
			q.Fail(fmt.Errorf("a matrix product: %w", err))
			return
		}
		e.products.plans[key] = plan
	}
	beta := float32(0)
	if accumulate {
		beta = 1
	}
	q.Run(func(stream uintptr) error {
		return plan.Run(stream, factor, uint64(a.at), uint64(b.at), beta, uint64(d.at), uint64(d.at), 0, uint64(e.at(e.products.workspace)))
	})
}
