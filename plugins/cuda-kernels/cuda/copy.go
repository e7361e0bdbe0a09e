package cuda

import (
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// CopyToDevice copies src to the device.
//
// From pinned memory ([Context.AllocHost]) it returns at once: src must stay as it is
// until the stream has done the copy. From any other memory src may be reused after
// the call, which can wait for the stream and is slower by half or more.
func (s *Stream) CopyToDevice(dst Pointer, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	if err := s.capturable(src); err != nil {
		return err
	}
	status := s.c.call4(s.c.fn.copyToDevice, uintptr(dst), uintptr(unsafe.Pointer(unsafe.SliceData(src))), uintptr(len(src)), s.handle)
	if status != Success {
		return s.c.fail(status, "cuMemcpyHtoDAsync", "of %d bytes to address %#x", len(src), uint64(dst))
	}
	return nil
}

// CopyToHost copies from the device to dst.
//
// To pinned memory ([Context.AllocHost]) it returns at once: dst is there when the
// stream has done the copy. To any other memory it returns when dst is there.
func (s *Stream) CopyToHost(dst []byte, src Pointer) error {
	if len(dst) == 0 {
		return nil
	}
	if err := s.capturable(dst); err != nil {
		return err
	}
	status := s.c.call4(s.c.fn.copyToHost, uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(src), uintptr(len(dst)), s.handle)
	if status != Success {
		return s.c.fail(status, "cuMemcpyDtoHAsync", "of %d bytes from address %#x", len(dst), uint64(src))
	}
	return nil
}

// capturable refuses a copy of memory that Go may take back while a graph still has
// its address.
func (s *Stream) capturable(b []byte) error {
	if s.c.record == nil || s.c.pinned(b) {
		return nil
	}
	return fault.New(fault.OutOfOrder, "a graph can copy pinned memory alone, not these %d bytes", len(b))
}

// Copy copies bytes on the device, which must not overlap.
func (s *Stream) Copy(dst, src Pointer, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	if status := s.c.call4(s.c.fn.copyOnDevice, uintptr(dst), uintptr(src), uintptr(bytes), s.handle); status != Success {
		return s.c.fail(status, "cuMemcpyDtoDAsync", "of %d bytes from address %#x to %#x", bytes, uint64(src), uint64(dst))
	}
	return nil
}

// Fill8 sets n bytes on the device.
func (s *Stream) Fill8(dst Pointer, value byte, n int64) error {
	if n == 0 {
		return nil
	}
	if status := s.c.call4(s.c.fn.fill8, uintptr(dst), uintptr(value), uintptr(n), s.handle); status != Success {
		return s.c.fail(status, "cuMemsetD8Async", "of %d bytes at address %#x", n, uint64(dst))
	}
	return nil
}

// Fill32 sets n words of four bytes on the device; dst is aligned to four.
func (s *Stream) Fill32(dst Pointer, value uint32, n int64) error {
	if n == 0 {
		return nil
	}
	if status := s.c.call4(s.c.fn.fill32, uintptr(dst), uintptr(value), uintptr(n), s.handle); status != Success {
		return s.c.fail(status, "cuMemsetD32Async", "of %d words at address %#x", n, uint64(dst))
	}
	return nil
}
