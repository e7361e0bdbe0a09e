package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guarded is memory whose end is the end of a page, with one behind it that may not be
// touched: a kernel that reads or writes one element too many is a segmentation fault.
func guarded[T any](t *testing.T, n int) []T {
	var v T
	size := n * int(unsafe.Sizeof(v))
	page := unix.Getpagesize()
	whole := (size + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, whole+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mprotect(memory[whole:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[whole-size])), n)
}

// TestNothingBeyondIsTouched multiplies matrices that end where their memory does.
func TestNothingBeyondIsTouched(t *testing.T) {
	levels(t, 2, func(t *testing.T, m *Multiplier) {
		mem := memory{
			rand.New(rand.NewPCG(7, 7)),
			func(n int) []float32 { return guarded[float32](t, n) },
			func(n int) []uint16 { return guarded[uint16](t, n) },
		}
		for n, shape := range shapes {
			for way := range 4 {
				kind := kinds[(n+way)%3]
				t.Run(fmt.Sprint(shape, way, kind), func(t *testing.T) {
					a := mem.matrix(shape[0], shape[2], 0, way&1 != 0, "float32")
					b := mem.matrix(shape[2], shape[1], 0, way&2 != 0, kind)
					check(t, m, mem, a, b, 1, true)
				})
			}
		}
	})
}
