package cublaslt

import (
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// A fake is cuBLASLt without a GPU, as C functions made of Go ones: what is passed to
// it goes through the same calls. It reads descriptors as the library does, and
// computes column-major products in "device" memory that is a map.
type fake struct {
	t       testing.TB
	symbols map[string]uintptr

	number  uintptr // of its version
	fails   map[string]Status
	objects map[uintptr]*object
	memory  map[uint64][]byte
	next    uint64
	closed  bool

	// offered are the algorithms that the heuristic names; the reduction scheme is in
	// the second word of each.
	offered []candidate
	matmuls []matmul
}

// An object is a descriptor: what was set on it, by attribute.
type object struct {
	kind       string
	attributes map[uintptr][]byte
	created    [4]uint64
}

// A matmul is what cublasLtMatmul was given besides matrices.
type matmul struct {
	algorithm         Algorithm
	workspace, stream uintptr
	bytes             uintptr
}

const fakeHandle = 0x1000

func newFake(t testing.TB) *fake {
	f := &fake{
		t: t, number: 130400, fails: map[string]Status{}, objects: map[uintptr]*object{}, memory: map[uint64][]byte{}, next: 0x7f0000000000,
		offered: []candidate{
			{algorithm: fakeAlgorithm(1, 0), waves: 0.5},
			{algorithm: fakeAlgorithm(2, 1), workspace: 16},
			{algorithm: fakeAlgorithm(3, reductionComputeType), workspace: 4096},
			{algorithm: fakeAlgorithm(4, 0), status: NotSupported},
			{algorithm: fakeAlgorithm(5, 0), workspace: 1 << 40},
		},
	}
	f.symbols = map[string]uintptr{
		"cublasLtGetVersion":                   purego.NewCallback(func() uintptr { return f.number }),
		"cublasLtCreate":                       purego.NewCallback(f.create),
		"cublasLtDestroy":                      purego.NewCallback(func(uintptr) uintptr { f.closed = true; return 0 }),
		"cublasLtMatmulDescCreate":             purego.NewCallback(f.descCreate),
		"cublasLtMatmulDescSetAttribute":       purego.NewCallback(f.setter("cublasLtMatmulDescSetAttribute", "desc")),
		"cublasLtMatmulDescDestroy":            purego.NewCallback(f.destroyer("desc")),
		"cublasLtMatrixLayoutCreate":           purego.NewCallback(f.layoutCreate),
		"cublasLtMatrixLayoutSetAttribute":     purego.NewCallback(f.setter("cublasLtMatrixLayoutSetAttribute", "layout")),
		"cublasLtMatrixLayoutDestroy":          purego.NewCallback(f.destroyer("layout")),
		"cublasLtMatmulPreferenceCreate":       purego.NewCallback(f.preferenceCreate),
		"cublasLtMatmulPreferenceSetAttribute": purego.NewCallback(f.setter("cublasLtMatmulPreferenceSetAttribute", "preference")),
		"cublasLtMatmulPreferenceDestroy":      purego.NewCallback(f.destroyer("preference")),
		"cublasLtMatmulAlgoGetHeuristic":       purego.NewCallback(f.heuristic),
		"cublasLtMatmulAlgoCheck":              purego.NewCallback(f.check),
		"cublasLtMatmulAlgoConfigGetAttribute": purego.NewCallback(f.configuration),
		"cublasLtMatmul":                       purego.NewCallback(f.matmul),
	}
	return f
}

// fakeAlgorithm is an algorithm with this number and reduction scheme.
func fakeAlgorithm(id byte, reduction int32) (a Algorithm) {
	a[0] = id
	binary.LittleEndian.PutUint32(a[4:], uint32(reduction))
	return a
}

// Symbol is the address of a function that the fake has.
func (f *fake) Symbol(name string) (uintptr, error) {
	if address, ok := f.symbols[name]; ok {
		return address, nil
	}
	return 0, errors.New("no such function")
}

func (f *fake) answer(call string) uintptr { return uintptr(f.fails[call]) }

func (f *fake) create(out *uintptr) uintptr {
	*out = fakeHandle
	return f.answer("cublasLtCreate")
}

// put makes an object; addresses of objects are none of host memory.
func (f *fake) put(out *uintptr, o *object) {
	id := uintptr(0x2000 + 16*len(f.objects))
	for f.objects[id] != nil {
		id += 16
	}
	f.objects[id], o.attributes = o, map[uintptr][]byte{}
	*out = id
}

func (f *fake) descCreate(out *uintptr, compute, scale int32) uintptr {
	f.put(out, &object{kind: "desc", created: [4]uint64{uint64(compute), uint64(scale)}})
	return f.answer("cublasLtMatmulDescCreate")
}

func (f *fake) layoutCreate(out *uintptr, dtype int32, rows, cols uint64, stride int64) uintptr {
	f.put(out, &object{kind: "layout", created: [4]uint64{uint64(dtype), rows, cols, uint64(stride)}})
	return f.answer("cublasLtMatrixLayoutCreate")
}

func (f *fake) preferenceCreate(out *uintptr) uintptr {
	f.put(out, &object{kind: "preference"})
	return f.answer("cublasLtMatmulPreferenceCreate")
}

func (f *fake) object(id uintptr, kind string) *object {
	o := f.objects[id]
	if o == nil || o.kind != kind {
		f.t.Errorf("%#x is no %s", id, kind)
		return &object{attributes: map[uintptr][]byte{}}
	}
	return o
}

// attributeBytes are the sizes in cublasLt.h.
var attributeBytes = map[string]map[uintptr]uintptr{
	"desc":       {descTransA: 4, descTransB: 4, descEpilogue: 4, descBiasPointer: 8},
	"layout":     {layoutBatch: 4, layoutBatchStride: 8},
	"preference": {preferenceWorkspace: 8, preferenceReductions: 4, 5: 4, 6: 4, 7: 4, 8: 4},
}

func (f *fake) setter(call, kind string) func(id, attribute uintptr, value *byte, size uintptr) uintptr {
	return func(id, attribute uintptr, value *byte, size uintptr) uintptr {
		if want, ok := attributeBytes[kind][attribute]; !ok || want != size {
			return uintptr(InvalidValue)
		}
		f.object(id, kind).attributes[attribute] = append([]byte(nil), unsafe.Slice(value, size)...)
		return f.answer(call)
	}
}

func (f *fake) destroyer(kind string) func(id uintptr) uintptr {
	return func(id uintptr) uintptr {
		f.object(id, kind)
		delete(f.objects, id)
		return 0
	}
}

func (o *object) int(attribute uintptr, otherwise int64) int64 {
	switch b := o.attributes[attribute]; len(b) {
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case 8:
		return int64(binary.LittleEndian.Uint64(b))
	}
	return otherwise
}

func (f *fake) heuristic(handle, desc, first, second, c, d, preference uintptr, requested int32, results *candidate, count *int32) uintptr {
	f.object(desc, "desc")
	for _, id := range []uintptr{first, second, c, d} {
		f.object(id, "layout")
	}
	if handle != fakeHandle || requested != maxAlgorithms || f.object(preference, "preference").int(preferenceReductions, 7) != reductionComputeType {
		return uintptr(InvalidValue)
	}
	*count = int32(copy(unsafe.Slice(results, requested), f.offered))
	return f.answer("cublasLtMatmulAlgoGetHeuristic")
}

func (f *fake) check(_, _, _, _, _, _ uintptr, a *Algorithm, out *candidate) uintptr {
	for _, c := range f.offered {
		if c.algorithm == *a {
			*out = candidate{workspace: c.workspace}
			return uintptr(c.status)
		}
	}
	return uintptr(InvalidValue)
}

func (f *fake) configuration(a *Algorithm, attribute uintptr, out *int32, size uintptr, _ *uintptr) uintptr {
	switch {
	case attribute == algorithmID && size == 4:
		*out = int32(a[0])
	case attribute == algorithmReduction && size == 4:
		*out = int32(binary.LittleEndian.Uint32(a[4:]))
	}
	return 0
}

// at is memory from an address on.
func (f *fake) at(address uint64) []byte {
	for base, data := range f.memory {
		if address >= base && address < base+uint64(len(data)) {
			return data[address-base:]
		}
	}
	f.t.Errorf("%#x is no device memory", address)
	return nil
}

// A columns is a column-major matrix in memory, as a layout describes it.
type columns struct {
	data       []byte
	values     []float64
	t          Type
	rows, cols int
	stride     int
	transposed bool
}

func (f *fake) columns(address uint64, id uintptr, batch int, transposed bool) columns {
	o := f.object(id, "layout")
	t := map[uint64]Type{0: Float32, 14: BFloat16, 2: Float16}[o.created[0]]
	m := columns{
		data: f.at(address + uint64(batch)*uint64(o.int(layoutBatchStride, 0))*uint64(t.Bytes())), t: t,
		rows: int(o.created[1]), cols: int(o.created[2]), stride: int(o.created[3]), transposed: transposed,
	}
	m.values = decodeAll(t, m.data[:((m.cols-1)*m.stride+m.rows)*t.Bytes()])
	return m
}

func (m columns) shape() (rows, cols int) {
	if m.transposed {
		return m.cols, m.rows
	}
	return m.rows, m.cols
}

func (m columns) index(i, j int) int {
	if m.transposed {
		i, j = j, i
	}
	return i + j*m.stride
}

func (m columns) get(i, j int) float64 { return m.values[m.index(i, j)] }

func (f *fake) matmul(handle, desc uintptr, alpha *float32, a uint64, la uintptr, b uint64, lb uintptr, beta *float32,
	c uint64, lc uintptr, d uint64, ld uintptr, algorithm *Algorithm, workspace, bytes, stream uintptr,
) uintptr {
	o := f.object(desc, "desc")
	if handle != fakeHandle || o.created != [4]uint64{compute32F, 0} || c == d && lc != ld {
		return uintptr(InvalidValue)
	}
	f.matmuls = append(f.matmuls, matmul{algorithm: *algorithm, workspace: workspace, bytes: bytes, stream: stream})
	for i := range int(f.object(ld, "layout").int(layoutBatch, 1)) {
		first := f.columns(a, la, i, o.int(descTransA, 0) == 1)
		second := f.columns(b, lb, i, o.int(descTransB, 0) == 1)
		into := f.columns(d, ld, i, false)
		m, k := first.shape()
		k2, n := second.shape()
		if k != k2 || into.rows != m || into.cols != n {
			return uintptr(InvalidValue)
		}
		var bias []byte
		if o.int(descEpilogue, 1) == epilogueBias {
			bias = f.at(uint64(o.int(descBiasPointer, 0)))
		}
		var added columns
		if *beta != 0 {
			added = f.columns(c, lc, i, false)
		}
		for col := range n {
			for row := range m {
				sum := 0.0
				for x := range k {
					sum += first.get(row, x) * second.get(x, col)
				}
				sum *= float64(*alpha)
				if *beta != 0 {
					sum += float64(*beta) * added.get(row, col)
				}
				if bias != nil {
					sum += decode(into.t, bias[row*into.t.Bytes():])
				}
				encode(into.t, into.data[into.index(row, col)*into.t.Bytes():], sum)
			}
		}
	}
	return f.answer("cublasLtMatmul")
}

// upload is a fake's device memory; addresses of allocations are multiples of 256.
func (f *fake) upload(_ testing.TB, data []byte) uint64 {
	address := f.next
	f.next += (uint64(len(data)) + 511) &^ 255
	f.memory[address] = append([]byte(nil), data...)
	return address
}

func (f *fake) download(_ testing.TB, address uint64, n int) []byte {
	return append([]byte(nil), f.at(address)[:n]...)
}

func (f *fake) stream() uintptr { return 0x77 }

func (f *fake) do(g func() error) error { return g() }

var _ device = (*fake)(nil)
