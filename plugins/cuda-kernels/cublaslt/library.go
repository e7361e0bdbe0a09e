package cublaslt

import (
	"github.com/ebitengine/purego"
)

// functions are the addresses of the library's functions.
type functions struct {
	version, create, destroy                            uintptr
	descCreate, descSet, descDestroy                    uintptr
	layoutCreate, layoutSet, layoutDestroy              uintptr
	preferenceCreate, preferenceSet, preferenceDestroy  uintptr
	heuristic, algorithmCheck, algorithmGet, matmulCall uintptr
}

func (f *functions) all() map[string]*uintptr {
	return map[string]*uintptr{
		"cublasLtGetVersion":                   &f.version,
		"cublasLtCreate":                       &f.create,
		"cublasLtDestroy":                      &f.destroy,
		"cublasLtMatmulDescCreate":             &f.descCreate,
		"cublasLtMatmulDescSetAttribute":       &f.descSet,
		"cublasLtMatmulDescDestroy":            &f.descDestroy,
		"cublasLtMatrixLayoutCreate":           &f.layoutCreate,
		"cublasLtMatrixLayoutSetAttribute":     &f.layoutSet,
		"cublasLtMatrixLayoutDestroy":          &f.layoutDestroy,
		"cublasLtMatmulPreferenceCreate":       &f.preferenceCreate,
		"cublasLtMatmulPreferenceSetAttribute": &f.preferenceSet,
		"cublasLtMatmulPreferenceDestroy":      &f.preferenceDestroy,
		"cublasLtMatmulAlgoGetHeuristic":       &f.heuristic,
		"cublasLtMatmulAlgoCheck":              &f.algorithmCheck,
		"cublasLtMatmulAlgoConfigGetAttribute": &f.algorithmGet,
		"cublasLtMatmul":                       &f.matmulCall,
	}
}

// Numbers of cublasLt.h and library_types.h.
const (
	compute32F = 68

	descTransA      = 3
	descTransB      = 4
	descEpilogue    = 7
	descBiasPointer = 8

	epilogueBias = 4

	layoutBatch       = 5
	layoutBatchStride = 6

	preferenceWorkspace  = 1
	preferenceReductions = 3
	preferenceAlignmentA = 5 // and B, C, D after it

	algorithmID        = 0
	algorithmTile      = 1
	algorithmSplit     = 2
	algorithmReduction = 3
	algorithmStages    = 6
	algorithmCluster   = 8

	// reductionComputeType: the parts of a split inner dimension are kept in float32
	// and added up in a step of its own, in the order of the parts.
	reductionNone        = 0
	reductionComputeType = 2
)

// call calls a function of the library. A pointer among args must be converted by
// uintptr(unsafe.Pointer(p)) in the call itself, not in a function of its own: then
// the compiler puts what it points to on the heap and keeps it until the call is over.
//
//go:uintptrescapes
func call(fn uintptr, args ...uintptr) Status {
	result, _, _ := purego.SyscallN(fn, args...)
	return Status(int32(result))
}

// invoke is call for arguments that lie in an array that is used again and again: it
// allocates nothing. What they point to is the caller's to keep.
func invoke(fn uintptr, args []uintptr) Status {
	result, _, _ := purego.SyscallN(fn, args...)
	return Status(int32(result))
}
