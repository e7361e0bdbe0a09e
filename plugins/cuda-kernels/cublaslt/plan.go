package cublaslt

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A Plan is a product that can be run, with the algorithms that compute it. It is for
// one goroutine at a time.
type Plan struct {
	handle         *Handle
	product        Product
	descriptors    *descriptors
	workspaceBytes int64
	candidates     []candidate
	chosen         candidate

	// What the library reads while it is called. A Plan is on the heap, where nothing
	// moves.
	alpha, beta float32
	bias        uint64
	matmulArgs  [16]uintptr
	biasArgs    [4]uintptr
}

// Plan prepares a product: it asks the library once for the algorithms that need no
// more than workspaceBytes of device memory, and chooses the first. The context must
// be current.
//
// The error is fault.BadInput for a product that is none, fault.Unsupported where the
// library has no algorithm for it.
func (h *Handle) Plan(p Product, workspaceBytes int64) (*Plan, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	if workspaceBytes < 0 {
		return nil, fault.New(fault.BadInput, "matrix product %s: %d bytes of workspace", p, workspaceBytes)
	}
	if h.handle == 0 {
		return nil, fault.New(fault.OutOfOrder, "matrix product %s: the handle is closed", p)
	}
	ds, err := h.newDescriptors(p)
	if err != nil {
		return nil, err
	}
	plan := &Plan{handle: h, product: p, descriptors: ds, workspaceBytes: workspaceBytes}
	if plan.candidates, err = h.candidates(ds, p, workspaceBytes); err != nil {
		ds.destroy()
		return nil, err
	}
	plan.chosen = plan.candidates[0]
	return plan, nil
}

// Close frees the plan's descriptors. A nil Plan may be closed.
func (p *Plan) Close() {
	if p != nil && p.descriptors != nil {
		p.descriptors.destroy()
		p.descriptors = nil
	}
}

// Product is what the plan computes, with its defaults filled in.
func (p *Plan) Product() Product { return p.product }

// Algorithms is how many algorithms can be chosen: 1 or more.
func (p *Plan) Algorithms() int { return len(p.candidates) }

// Choose takes algorithm i of those that the library named, 0 being the one that it
// holds to be the fastest.
func (p *Plan) Choose(i int) error {
	if i < 0 || i >= len(p.candidates) {
		return fault.New(fault.BadInput, "matrix product %s: algorithm %d of %d", p.product, i, len(p.candidates))
	}
	p.chosen = p.candidates[i]
	return nil
}

// Algorithm is the one that is chosen.
func (p *Plan) Algorithm() Algorithm { return p.chosen.algorithm }

// Use takes an algorithm that was chosen for an equal product earlier. Where the
// library or the GPU has changed since, the error is of the library, or
// fault.Unsupported, and the choice stays as it was.
func (p *Plan) Use(a Algorithm) error {
	c, err := p.handle.verify(p.descriptors, p.product, a, p.workspaceBytes)
	if err != nil {
		return err
	}
	p.chosen = c
	return nil
}

// WorkspaceBytes is what the chosen algorithm needs of device memory.
func (p *Plan) WorkspaceBytes() int64 { return int64(p.chosen.workspace) }

// String tells of the chosen algorithm in the library's numbers, for a log.
func (p *Plan) String() string {
	c := p.handle.fn.configuration(&p.chosen.algorithm)
	return fmt.Sprintf("%s: algorithm %d, tile %d, stages %d, cluster %d, split %d by scheme %d, %.2f waves, %d bytes of workspace",
		p.product, c.id, c.tile, c.stages, c.cluster, c.split, c.reduction, p.chosen.waves, p.chosen.workspace)
}

// Run puts D = alpha·A·B + beta·C + bias on a stream. The addresses are the device's.
// c is read where beta is not 0, and may be d if C lies as D does; bias is read where
// the product has one; workspace has WorkspaceBytes, and one product at a time may use
// it. What was put on the stream goes on after Run returns, and may fail later.
func (p *Plan) Run(stream uintptr, alpha float32, a, b uint64, beta float32, c, d uint64, bias, workspace uint64) error {
	if problem := p.addressProblem(a, b, beta, c, d, bias, workspace); problem != "" {
		return fault.New(fault.BadInput, "matrix product %s: %s", p.product, problem)
	}
	ds := p.descriptors
	cLayout := ds.c
	if beta == 0 { // D is not read, and stands in for C
		c, cLayout = d, ds.d
	}
	if p.product.Bias && bias != p.bias {
		if err := p.setBias(bias); err != nil {
			return err
		}
	}
	p.alpha, p.beta = alpha, beta
	p.matmulArgs = [16]uintptr{
		p.handle.handle, ds.desc, uintptr(unsafe.Pointer(&p.alpha)),
		uintptr(b), ds.first, uintptr(a), ds.second, uintptr(unsafe.Pointer(&p.beta)),
		uintptr(c), cLayout, uintptr(d), ds.d, uintptr(unsafe.Pointer(&p.chosen.algorithm)),
		uintptr(workspace), uintptr(p.chosen.workspace), stream,
	}
	status := invoke(p.handle.fn.matmulCall, p.matmulArgs[:])
	runtime.KeepAlive(p)
	if status != success {
		return &Error{Call: "cublasLtMatmul", Product: p.product.String(), Status: status}
	}
	return nil
}

func (p *Plan) setBias(bias uint64) error {
	p.bias = bias
	p.biasArgs = [4]uintptr{p.descriptors.desc, descBiasPointer, uintptr(unsafe.Pointer(&p.bias)), unsafe.Sizeof(p.bias)}
	status := invoke(p.handle.fn.descSet, p.biasArgs[:])
	runtime.KeepAlive(p)
	if status != success {
		p.bias = 0
		return &Error{Call: "cublasLtMatmulDescSetAttribute", Product: p.product.String(), Status: status}
	}
	return nil
}

// addressProblem is what is wrong with the addresses, or "": what the library would
// not see, or would fault on later.
func (p *Plan) addressProblem(a, b uint64, beta float32, c, d uint64, bias, workspace uint64) string {
	if p.descriptors == nil {
		return "the plan is closed"
	}
	mask := uint64(p.product.Alignment - 1)
	switch {
	case a == 0 || b == 0 || d == 0:
		return "A, B or D has no address"
	case beta != 0 && c == 0:
		return fmt.Sprintf("beta is %g and C has no address", beta)
	case beta != 0 && c == d && p.descriptors.c != p.descriptors.d:
		return "C lies where D does, in another layout"
	case p.product.Bias && bias == 0:
		return "the bias has no address"
	case p.chosen.workspace > 0 && workspace == 0:
		return fmt.Sprintf("there is no workspace, the algorithm needs %d bytes", p.chosen.workspace)
	case (a|b|d)&mask != 0 || beta != 0 && c&mask != 0 || p.product.Bias && bias&mask != 0:
		return fmt.Sprintf("an address is not a multiple of %d bytes: A %#x, B %#x, C %#x, D %#x, bias %#x", p.product.Alignment, a, b, c, d, bias)
	case workspace&(workspaceAlignment-1) != 0:
		return fmt.Sprintf("the workspace's address %#x is not a multiple of %d bytes", workspace, workspaceAlignment)
	}
	return ""
}

// workspaceAlignment is what the library asks of a workspace's address.
const workspaceAlignment = 16
