package cublaslt

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// A Type is the type of a matrix' elements.
type Type uint8

// The types, by their names in sdk/graph.
const (
	Float32 Type = iota
	BFloat16
	Float16
)

// String is the type's short name: "bf16".
func (t Type) String() string {
	switch t {
	case Float32:
		return "f32"
	case BFloat16:
		return "bf16"
	case Float16:
		return "f16"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Bytes is the size of an element, or 0 for no type.
func (t Type) Bytes() int {
	switch t {
	case Float32:
		return 4
	case BFloat16, Float16:
		return 2
	}
	return 0
}

// number is the type as cudaDataType_t.
func (t Type) number() uint32 {
	switch t {
	case BFloat16:
		return 14
	case Float16:
		return 2
	}
	return 0
}

// A Matrix is rows of elements in device memory: element [i, j] lies i·Stride + j
// elements behind the address.
type Matrix struct {
	Type       Type
	Rows, Cols int // as they lie in memory
	// Stride is elements from row to row; Cols or more.
	Stride int
	// Transposed: the product takes the matrix' transpose, [Cols, Rows].
	Transposed bool
	// BatchStride is elements from the matrix of one product of a batch to the next's;
	// 0 for one that all share, which D cannot be.
	BatchStride int
}

// Dense is a matrix [rows, cols] whose rows follow each other without a gap.
func Dense(t Type, rows, cols int) Matrix {
	return Matrix{Type: t, Rows: rows, Cols: cols, Stride: cols}
}

// T is the matrix, used as its transpose.
func (m Matrix) T() Matrix {
	m.Transposed = !m.Transposed
	return m
}

// shape is the shape that the product sees.
func (m Matrix) shape() (rows, cols int) {
	if m.Transposed {
		return m.Cols, m.Rows
	}
	return m.Rows, m.Cols
}

// String is type and shape: "bf16 [4096 14336]ᵀ stride 14400".
func (m Matrix) String() string {
	text := fmt.Sprintf("%s [%d %d]", m.Type, m.Rows, m.Cols)
	if m.Transposed {
		text += "ᵀ"
	}
	if m.Stride != m.Cols {
		text += fmt.Sprintf(" stride %d", m.Stride)
	}
	return text
}

// DefaultAlignment is what every address is a multiple of, in bytes, unless a Product
// says otherwise: what the fastest algorithms need.
const DefaultAlignment = 16

// A Product is D = alpha·A·B + beta·C + bias: D [M, N], A [M, K], B [K, N], as they
// are used. alpha, beta and the addresses come with [Plan.Run].
//
// A and B have one type. D has it too, or is Float32.
type Product struct {
	A, B, D Matrix
	// C is added to the product, times beta: [M, N] of D's type. The zero Matrix is
	// one that lies as D does, and may be D itself.
	C Matrix
	// Batch is how many products are computed, 0 for one.
	Batch int
	// Bias: a vector [N] of D's type is added to each row of D, the same in a batch.
	Bias bool
	// Alignment is what all addresses, and the starts of all products of a batch, are
	// multiples of in bytes: a power of two. 0 is DefaultAlignment.
	Alignment int
}

// String names the types and shapes: "bf16 [8 16] = bf16 [8 32] · bf16 [16 32]ᵀ + bias".
func (p Product) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s = %s · %s", p.D, p.A, p.B)
	if p.C != (Matrix{}) && p.C != p.D {
		fmt.Fprintf(&b, " + %s", p.C)
	}
	if p.Bias {
		b.WriteString(" + bias")
	}
	if p.Batch > 1 {
		fmt.Fprintf(&b, ", %d times", p.Batch)
	}
	return b.String()
}

// A Size is the three dimensions of a product.
type Size struct{ M, N, K int }

// Size is the product's size, of each of a batch.
func (p Product) Size() Size {
	m, k := p.A.shape()
	_, n := p.B.shape()
	return Size{M: m, N: n, K: k}
}

// FLOPs are the floating-point operations of the product, all of a batch.
func (p Product) FLOPs() float64 {
	s := p.Size()
	return 2 * float64(s.M) * float64(s.N) * float64(s.K) * float64(max(1, p.Batch))
}

// complete is the product with its defaults filled in, or a fault.BadInput.
func (p Product) complete() (Product, error) {
	if p.Batch == 0 {
		p.Batch = 1
	}
	if p.Alignment == 0 {
		p.Alignment = DefaultAlignment
	}
	if p.C == (Matrix{}) {
		p.C = p.D
	}
	if problem := p.problem(); problem != "" {
		return p, fault.New(fault.BadInput, "matrix product %s: %s", p, problem)
	}
	return p, nil
}

// maxDimension is what cuBLASLt takes of rows, columns and a batch.
const maxDimension = 1<<31 - 1

// problem is what is wrong with a completed product, or "".
func (p Product) problem() string {
	named := []struct {
		name string
		m    Matrix
	}{{"A", p.A}, {"B", p.B}, {"C", p.C}, {"D", p.D}}
	for _, e := range named {
		if problem := e.m.problem(p.Batch); problem != "" {
			return e.name + problem
		}
	}
	if p.Batch < 1 || p.Batch > maxDimension {
		return fmt.Sprintf("a batch of %d", p.Batch)
	}
	if p.Alignment < p.A.Type.Bytes() || p.Alignment < p.D.Type.Bytes() || p.Alignment&(p.Alignment-1) != 0 || p.Alignment > 256 {
		return fmt.Sprintf("an alignment of %d bytes is none", p.Alignment)
	}
	if p.A.Type != p.B.Type || p.D.Type != p.A.Type && p.D.Type != Float32 || p.C.Type != p.D.Type {
		return fmt.Sprintf("the types %s · %s → %s, with C %s, do not go together", p.A.Type, p.B.Type, p.D.Type, p.C.Type)
	}
	if p.D.Transposed || p.C.Transposed {
		return "C and D cannot be transposed"
	}
	if p.D.BatchStride == 0 && p.Batch > 1 {
		return "D has no batch stride: the products would overwrite each other"
	}
	return p.shapeProblem()
}

func (p Product) shapeProblem() string {
	s := p.Size()
	if rows, _ := p.B.shape(); rows != s.K {
		return fmt.Sprintf("A has an inner dimension of %d, B one of %d", s.K, rows)
	}
	if p.D.Rows != s.M || p.D.Cols != s.N {
		return fmt.Sprintf("the product has the shape [%d %d], D has [%d %d]", s.M, s.N, p.D.Rows, p.D.Cols)
	}
	if p.C.Rows != s.M || p.C.Cols != s.N {
		return fmt.Sprintf("the product has the shape [%d %d], C has [%d %d]", s.M, s.N, p.C.Rows, p.C.Cols)
	}
	return ""
}

func (m Matrix) problem(batch int) string {
	switch {
	case m.Type.Bytes() == 0:
		return fmt.Sprintf(" has the type %d, which is none", uint8(m.Type))
	case m.Rows < 1 || m.Cols < 1 || m.Rows > maxDimension || m.Cols > maxDimension:
		return fmt.Sprintf(" has the shape [%d %d]", m.Rows, m.Cols)
	case m.Stride < m.Cols || m.Stride > maxDimension:
		return fmt.Sprintf(" has rows of %d elements, %d apart", m.Cols, m.Stride)
	case m.BatchStride < 0 || m.BatchStride != 0 && batch < 2:
		return fmt.Sprintf(" has a batch stride of %d in a batch of %d", m.BatchStride, batch)
	}
	return ""
}

// A columnMajor is a product in cuBLASLt's terms. A row-major matrix is its transpose
// in column-major order, so that Dᵀ = Bᵀ·Aᵀ is computed: first is B, second is A, as
// they lie, and each is transposed where the row-major product has it transposed.
type columnMajor struct {
	first, second, c, d layout
	transposeFirst      int32 // cublasOperation_t: 0 no, 1 yes
	transposeSecond     int32
}

// A layout is what cublasLtMatrixLayout holds.
type layout struct {
	dtype       uint32
	rows, cols  uint64
	stride      int64 // leading dimension
	batch       int32
	batchStride int64
}

func (p Product) columnMajor() columnMajor {
	return columnMajor{
		first: p.B.layout(p.Batch), second: p.A.layout(p.Batch), c: p.C.layout(p.Batch), d: p.D.layout(p.Batch),
		transposeFirst: operation(p.B.Transposed), transposeSecond: operation(p.A.Transposed),
	}
}

func (m Matrix) layout(batch int) layout {
	return layout{
		dtype: m.Type.number(), rows: uint64(m.Cols), cols: uint64(m.Rows), stride: int64(m.Stride),
		batch: int32(batch), batchStride: int64(m.BatchStride),
	}
}

func operation(transposed bool) int32 {
	if transposed {
		return 1
	}
	return 0
}
