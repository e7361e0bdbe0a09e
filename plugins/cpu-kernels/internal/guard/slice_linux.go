package guard

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func slice[T float32 | uint16](t testing.TB, n int) []T {
	t.Helper()
	if n == 0 {
		return nil
	}
	var v T
	size, page := n*int(unsafe.Sizeof(v)), unix.Getpagesize()
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
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[whole-size])), n)
}
