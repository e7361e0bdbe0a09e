package cublaslt

import (
	"unsafe"
)

// descriptors are a product as the library holds it: small blocks of host memory.
type descriptors struct {
	fn                        *functions
	desc, first, second, c, d uintptr
}

// newDescriptors builds them; those of a product that is not batched leave the batch
// out.
func (h *Handle) newDescriptors(p Product) (*descriptors, error) {
	ds := &descriptors{fn: &h.fn}
	b := &builder{fn: &h.fn, product: p}
	cm := p.columnMajor()
	b.check("cublasLtMatmulDescCreate", func() Status {
		return call(h.fn.descCreate, uintptr(unsafe.Pointer(&ds.desc)), compute32F, uintptr(Float32.number()))
	})
	b.desc(ds.desc, descTransA, cm.transposeFirst)
	b.desc(ds.desc, descTransB, cm.transposeSecond)
	if p.Bias {
		b.desc(ds.desc, descEpilogue, epilogueBias)
		// The library takes the bias' alignment from its address before there is one.
		ds.setBias(b, uint64(p.Alignment))
	}
	b.layout(&ds.first, cm.first)
	b.layout(&ds.second, cm.second)
	b.layout(&ds.d, cm.d)
	// C in D's place must have D's own layout.
	if cm.c == cm.d {
		ds.c = ds.d
	} else {
		b.layout(&ds.c, cm.c)
	}
	if b.err != nil {
		ds.destroy()
		return nil, b.err
	}
	return ds, nil
}

func (ds *descriptors) setBias(b *builder, bias uint64) {
	b.check("cublasLtMatmulDescSetAttribute", func() Status {
		return call(ds.fn.descSet, ds.desc, descBiasPointer, uintptr(unsafe.Pointer(&bias)), unsafe.Sizeof(bias))
	})
}

// destroy frees what was built, also of a build that failed.
func (ds *descriptors) destroy() {
	if ds.c == ds.d {
		ds.c = 0
	}
	for _, layout := range []*uintptr{&ds.first, &ds.second, &ds.c, &ds.d} {
		if *layout != 0 {
			_ = call(ds.fn.layoutDestroy, *layout)
			*layout = 0
		}
	}
	if ds.desc != 0 {
		_ = call(ds.fn.descDestroy, ds.desc)
		ds.desc = 0
	}
}

// A builder makes calls until one fails.
type builder struct {
	fn      *functions
	product Product
	err     error
}

func (b *builder) check(name string, f func() Status) {
	if b.err != nil {
		return
	}
	if status := f(); status != success {
		b.err = &Error{Call: name, Product: b.product.String(), Status: status}
	}
}

// desc sets an attribute of the operation.
func (b *builder) desc(desc uintptr, attribute uintptr, value int32) {
	b.check("cublasLtMatmulDescSetAttribute", func() Status {
		return call(b.fn.descSet, desc, attribute, uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value))
	})
}

// layout builds a matrix' layout.
func (b *builder) layout(out *uintptr, l layout) {
	b.check("cublasLtMatrixLayoutCreate", func() Status {
		return call(b.fn.layoutCreate, uintptr(unsafe.Pointer(out)), uintptr(l.dtype), uintptr(l.rows), uintptr(l.cols), uintptr(l.stride))
	})
	if l.batch < 2 {
		return
	}
	b.check("cublasLtMatrixLayoutSetAttribute", func() Status {
		return call(b.fn.layoutSet, *out, layoutBatch, uintptr(unsafe.Pointer(&l.batch)), unsafe.Sizeof(l.batch))
	})
	b.check("cublasLtMatrixLayoutSetAttribute", func() Status {
		return call(b.fn.layoutSet, *out, layoutBatchStride, uintptr(unsafe.Pointer(&l.batchStride)), unsafe.Sizeof(l.batchStride))
	})
}

// preference builds what the choice of algorithms is bound by.
func (b *builder) preference(p Product, workspaceBytes int64) (preference uintptr, destroy func()) {
	b.check("cublasLtMatmulPreferenceCreate", func() Status {
		return call(b.fn.preferenceCreate, uintptr(unsafe.Pointer(&preference)))
	})
	set := func(attribute uintptr, value unsafe.Pointer, size uintptr) {
		b.check("cublasLtMatmulPreferenceSetAttribute", func() Status {
			return call(b.fn.preferenceSet, preference, attribute, uintptr(value), size)
		})
	}
	workspace := uint64(workspaceBytes)
	set(preferenceWorkspace, unsafe.Pointer(&workspace), unsafe.Sizeof(workspace))
	reductions := uint32(reductionComputeType)
	set(preferenceReductions, unsafe.Pointer(&reductions), unsafe.Sizeof(reductions))
	alignment := uint32(p.Alignment)
	for i := range uintptr(4) {
		set(preferenceAlignmentA+i, unsafe.Pointer(&alignment), unsafe.Sizeof(alignment))
	}
	return preference, func() {
		if preference != 0 {
			_ = call(b.fn.preferenceDestroy, preference)
		}
	}
}
