package cuda

import (
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A Pointer is an address in a device's memory. Zero is no memory.
type Pointer uint64

// Alloc allocates device memory, aligned to 256 bytes at least. What it holds is
// arbitrary. The error is fault.OutOfMemory where there is not that much; it says how
// much there is.
func (c *Context) Alloc(bytes int64) (Pointer, error) {
	if bytes <= 0 {
		return 0, fault.New(fault.BadInput, "allocating %d bytes on %s: no memory has that size", bytes, c.device)
	}
	status := c.call(c.fn.memAlloc, uintptr(unsafe.Pointer(&c.out.size)), uintptr(bytes))
	if status == Success {
		return Pointer(c.out.size), nil
	}
	if status == OutOfMemory {
		if free, total, err := c.MemInfo(); err == nil {
			return 0, c.fail(status, "cuMemAlloc", "of %d bytes on %s, where %d of %d bytes are free", bytes, c.device, free, total)
		}
	}
	return 0, c.fail(status, "cuMemAlloc", "of %d bytes on %s", bytes, c.device)
}

// Free frees what Alloc gave, once what uses it has ended: it waits for the device.
// Of zero it does nothing.
func (c *Context) Free(p Pointer) error {
	if p == 0 {
		return nil
	}
	if status := c.call(c.fn.memFree, uintptr(p)); status != Success {
		return c.fail(status, "cuMemFree", "of address %#x", uint64(p))
	}
	return nil
}

// HostMemory is memory of the host that stays where it is (pinned): the device copies
// from and to it by itself, while the host goes on.
type HostMemory struct {
	c       *Context
	address uintptr
	bytes   []byte
}

// portable is CU_MEMHOSTALLOC_PORTABLE: pinned for every context of the process.
const portable = 1

// AllocHost allocates pinned memory, outside Go's heap. What it holds is arbitrary.
// The error is fault.OutOfMemory where the host has not that much.
func (c *Context) AllocHost(bytes int64) (*HostMemory, error) {
	if bytes <= 0 {
		return nil, fault.New(fault.BadInput, "allocating %d bytes of pinned memory: no memory has that size", bytes)
	}
	status := c.call(c.fn.memHostAlloc, uintptr(unsafe.Pointer(&c.out.handle)), uintptr(bytes), portable)
	if status != Success {
		return nil, c.fail(status, "cuMemHostAlloc", "of %d bytes", bytes)
	}
	// The address is C's, not of an object that Go might move.
	start := *(**byte)(unsafe.Pointer(&c.out.handle))
	h := &HostMemory{c: c, address: c.out.handle, bytes: unsafe.Slice(start, bytes)}
	c.hosts[h] = true
	return h, nil
}

// Bytes is the memory; nil after Free and after Thread.Close, when what Bytes gave
// before must not be touched either.
func (h *HostMemory) Bytes() []byte { return h.bytes }

// Free frees the memory, once what copies from or to it has ended. A second call does
// nothing.
func (h *HostMemory) Free() error {
	if h.bytes == nil {
		return nil
	}
	h.bytes = nil
	delete(h.c.hosts, h)
	if status := h.c.call(h.c.fn.memFreeHost, h.address); status != Success {
		return h.c.fail(status, "cuMemFreeHost", "")
	}
	return nil
}

// pinned reports whether b lies in memory of AllocHost.
func (c *Context) pinned(b []byte) bool {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	for h := range c.hosts {
		if start >= h.address && start+uintptr(len(b)) <= h.address+uintptr(len(h.bytes)) {
			return true
		}
	}
	return false
}
