package cuda

import (
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A TensorMap is CUtensorMap: what the tensor memory accelerator (TMA) of a GPU since
// compute capability 9.0 copies tiles by. A kernel takes it as a parameter, const
// __grid_constant__ and aligned to 64 bytes: [Stream.LaunchParameters].
type TensorMap [128]byte

// A TensorType is what a tensor's numbers are: CUtensorMapDataType. It matters to what
// is added to a tensor; copies ask for its size alone.
type TensorType uint32

// The types.
const (
	TensorBytes    TensorType = 0 // whatever has one byte
	TensorInt32    TensorType = 3
	TensorFloat16  TensorType = 6
	TensorFloat32  TensorType = 7
	TensorBFloat16 TensorType = 9
)

// A Swizzle is how a tile's rows of so many bytes lie in shared memory: chunks of 16
// bytes change places from row to row, so that a column of them has no bank conflicts.
type Swizzle uint32

// The swizzles: CUtensorMapSwizzle.
const (
	SwizzleNone Swizzle = iota
	Swizzle32
	Swizzle64
	Swizzle128
)

// MaxTensorRank is how many dimensions a tensor can have.
const MaxTensorRank = 5

// A Tensor is memory of the device as TMA sees it. Dimensions begin with the innermost,
// whose numbers follow each other; those that are 0 are none. What a tile has outside of
// them is read as 0 and not written.
type Tensor struct {
	Type    TensorType
	Address Pointer                  // a multiple of 16
	Dims    [MaxTensorRank]int64     // numbers
	Strides [MaxTensorRank - 1]int64 // bytes from one to the next in Dims[1:], multiples of 16
	Box     [MaxTensorRank]int       // the tile: up to 256 in each dimension, and a swizzle's bytes in the first
	Swizzle Swizzle
}

// CU_TENSOR_MAP_L2_PROMOTION_L2_128B: L2 fetches whole lines.
const promoteLines = 2

// tensorMapAlign is how the driver wants a map aligned.
const tensorMapAlign = 64

// encoding is what the driver reads and writes as it encodes a map.
type encoding struct {
	dims    [MaxTensorRank]uint64
	strides [MaxTensorRank - 1]uint64
	box     [MaxTensorRank]uint32
	each    [MaxTensorRank]uint32
	out     [len(TensorMap{}) + tensorMapAlign]byte
}

// TensorMap encodes how TMA sees a tensor. It asks nothing of the device, takes less
// than a microsecond, and allocates nothing.
func (c *Context) TensorMap(t *Tensor) (TensorMap, error) {
	e := &c.encoding
	rank := 0
	for rank < MaxTensorRank && t.Dims[rank] > 0 {
		e.dims[rank], e.box[rank], e.each[rank] = uint64(t.Dims[rank]), uint32(t.Box[rank]), 1
		if rank > 0 {
			e.strides[rank-1] = uint64(t.Strides[rank-1])
		}
		rank++
	}
	if rank == 0 {
		return TensorMap{}, fault.New(fault.BadInput, "a tensor map of a tensor without numbers: %+v", *t)
	}
	at := -uintptr(unsafe.Pointer(&e.out)) % tensorMapAlign
	c.passed = [len(c.passed)]uintptr{
		uintptr(unsafe.Pointer(&e.out[at])), uintptr(t.Type), uintptr(rank), uintptr(t.Address),
		uintptr(unsafe.Pointer(&e.dims)), uintptr(unsafe.Pointer(&e.strides)), uintptr(unsafe.Pointer(&e.box)), uintptr(unsafe.Pointer(&e.each)),
		0, uintptr(t.Swizzle), promoteLines, 0,
	}
	if status := c.call(c.fn.tensorMapEncode, c.passed[:]...); status != Success {
		return TensorMap{}, c.fail(status, "cuTensorMapEncodeTiled", "of %+v", *t)
	}
	return TensorMap(e.out[at:][:len(TensorMap{})]), nil
}
