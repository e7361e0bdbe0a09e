package cublaslt

import (
	"encoding/hex"
	"fmt"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// An Algorithm is one of the library's ways to compute a product, as the library
// writes it: cublasLtMatmulAlgo_t. It is for one version of the library, one kind of
// GPU and one Product.
type Algorithm [64]byte

// MarshalText is the algorithm in hexadecimal digits, for a file.
func (a Algorithm) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Algorithm) UnmarshalText(text []byte) error {
	if len(text) != 2*len(a) {
		return fmt.Errorf("an algorithm of cuBLASLt: %d characters, not %d", len(text), 2*len(a))
	}
	if _, err := hex.Decode(a[:], text); err != nil {
		return fmt.Errorf("an algorithm of cuBLASLt: %w", err)
	}
	return nil
}

// A candidate is an algorithm and what it needs: cublasLtMatmulHeuristicResult_t.
type candidate struct {
	algorithm Algorithm
	workspace uint64 // bytes
	status    Status
	waves     float32
	_         [4]int32
}

var _ [96 - unsafe.Sizeof(candidate{})]struct{}
var _ [unsafe.Sizeof(candidate{}) - 96]struct{}

// A configuration is what an algorithm is made of, in the library's numbers.
type configuration struct {
	id, tile, split, reduction, stages, cluster int32
}

// reproducible reports whether the algorithm's sums are taken in an order that does
// not change.
func (c configuration) reproducible() bool {
	return c.reduction == reductionNone || c.reduction == reductionComputeType
}

// configuration reads an algorithm; what the library does not tell stays 0.
func (f *functions) configuration(a *Algorithm) configuration {
	c := new(configuration)
	var written uintptr
	read := func(attribute uintptr, to *int32, size uintptr) {
		_ = call(f.algorithmGet, uintptr(unsafe.Pointer(a)), attribute, uintptr(unsafe.Pointer(to)), size, uintptr(unsafe.Pointer(&written)))
	}
	read(algorithmID, &c.id, 4)
	read(algorithmTile, &c.tile, 4)
	read(algorithmSplit, &c.split, 4)
	read(algorithmReduction, &c.reduction, 4)
	read(algorithmStages, &c.stages, 4)
	read(algorithmCluster, &c.cluster, 2)
	return *c
}

// maxAlgorithms is how many algorithms a plan asks for.
const maxAlgorithms = 16

// candidates are the algorithms that can compute the product, best first.
func (h *Handle) candidates(ds *descriptors, p Product, workspaceBytes int64) ([]candidate, error) {
	b := &builder{fn: &h.fn, product: p}
	preference, destroy := b.preference(p, workspaceBytes)
	defer destroy()
	found := make([]candidate, maxAlgorithms)
	var count int32
	b.check("cublasLtMatmulAlgoGetHeuristic", func() Status {
		return call(h.fn.heuristic, h.handle, ds.desc, ds.first, ds.second, ds.c, ds.d, preference,
			maxAlgorithms, uintptr(unsafe.Pointer(&found[0])), uintptr(unsafe.Pointer(&count)))
	})
	if b.err != nil {
		return nil, b.err
	}
	var out []candidate
	for i := range min(max(0, int(count)), maxAlgorithms) {
		c := found[i]
		if c.status == success && c.workspace <= uint64(workspaceBytes) && h.fn.configuration(&c.algorithm).reproducible() {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Unsupported, "matrix product %s: cuBLASLt %s has no algorithm for it with %d bytes of workspace", p, h.version, workspaceBytes)
	}
	return out, nil
}

// verify is an algorithm that was chosen earlier, as a candidate.
func (h *Handle) verify(ds *descriptors, p Product, a Algorithm, workspaceBytes int64) (candidate, error) {
	c := &candidate{algorithm: a}
	b := &builder{fn: &h.fn, product: p}
	b.check("cublasLtMatmulAlgoCheck", func() Status {
		return call(h.fn.algorithmCheck, h.handle, ds.desc, ds.first, ds.second, ds.c, ds.d,
			uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(c)))
	})
	if b.err != nil {
		return candidate{}, b.err
	}
	c.algorithm = a // the check does not give it back
	if c.workspace > uint64(workspaceBytes) {
		return candidate{}, fault.New(fault.Unsupported, "matrix product %s: the algorithm needs %d bytes of workspace, there are %d", p, c.workspace, workspaceBytes)
	}
	if !h.fn.configuration(&a).reproducible() {
		return candidate{}, fault.New(fault.Unsupported, "matrix product %s: the algorithm does not give the same bits each time", p)
	}
	return *c, nil
}
