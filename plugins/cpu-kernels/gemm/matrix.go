package gemm

import "fmt"

// A Matrix is a view of a matrix in memory, row-major, perhaps transposed. Copying
// the view does not copy the matrix.
type Matrix struct {
	rows, cols int // as stored
	stride     int // elements from one stored row to the next
	transposed bool
	held       held
	float32s   []float32
	halves     []uint16
	source     Source
}

// held is what a matrix's elements are.
type held uint8

const (
	heldFloat32 held = iota
	heldBFloat16
	heldFloat16
	heldSource
)

// A Source is a stored matrix of a type that this package does not know. Its
// methods are called from several goroutines at a time.
type Source interface {
	// Widen writes the rows from row on, and of each cols columns from col on, as
	// float32: the first to dst[:cols], the next to dst[stride:stride+cols] and so
	// on. col is a multiple of Granule, and so is cols unless the columns end there.
	Widen(dst []float32, stride, row, rows, col, cols int)
}

// Granule is what a [Source]'s columns are read in: quantised blocks of up to so
// many elements are never cut.
const Granule = 256

// Float32 is the rows × cols matrix in data, with stride elements from one row to
// the next. Like the other constructors it panics where data is too short.
func Float32(data []float32, rows, cols, stride int) Matrix {
	checkLayout(len(data), rows, cols, stride)
	return Matrix{rows: rows, cols: cols, stride: stride, held: heldFloat32, float32s: data}
}

// BFloat16 is a matrix of bfloat16 values: the upper halves of float32.
func BFloat16(data []uint16, rows, cols, stride int) Matrix {
	checkLayout(len(data), rows, cols, stride)
	return Matrix{rows: rows, cols: cols, stride: stride, held: heldBFloat16, halves: data}
}

// Float16 is a matrix of IEEE half-precision values.
func Float16(data []uint16, rows, cols, stride int) Matrix {
	checkLayout(len(data), rows, cols, stride)
	return Matrix{rows: rows, cols: cols, stride: stride, held: heldFloat16, halves: data}
}

// From is a matrix that s widens.
func From(s Source, rows, cols int) Matrix {
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("gemm: a matrix of %d x %d", rows, cols))
	}
	return Matrix{rows: rows, cols: cols, stride: cols, held: heldSource, source: s}
}

func checkLayout(n, rows, cols, stride int) {
	if rows < 0 || cols < 0 || stride < cols {
		panic(fmt.Sprintf("gemm: a matrix of %d x %d with rows %d apart", rows, cols, stride))
	}
	if rows > 0 && cols > 0 && (n-cols < 0 || (n-cols)/max(stride, 1) < rows-1) {
		panic(fmt.Sprintf("gemm: a matrix of %d x %d with rows %d apart does not fit %d elements", rows, cols, stride, n))
	}
}

// T is the transpose of m: another view of the same memory.
func (m Matrix) T() Matrix {
	m.transposed = !m.transposed
	return m
}

// Shape is the number of rows and columns.
func (m Matrix) Shape() (rows, cols int) {
	if m.transposed {
		return m.cols, m.rows
	}
	return m.rows, m.cols
}
