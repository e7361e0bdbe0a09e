package cuda

import (
	"unsafe"
)

// A Stream is a queue of work: what is put on it runs in order, beside what other
// streams run.
type Stream struct {
	c      *Context
	handle uintptr
}

// nonBlocking is CU_STREAM_NON_BLOCKING: no order with the default stream.
const nonBlocking = 1

// NewStream makes a stream. It has no order with CUDA's default stream.
func (c *Context) NewStream() (*Stream, error) {
	if status := c.call(c.fn.streamCreate, uintptr(unsafe.Pointer(&c.out.handle)), nonBlocking); status != Success {
		return nil, c.fail(status, "cuStreamCreate", "")
	}
	return &Stream{c: c, handle: c.out.handle}, nil
}

// Handle is the CUstream, for other libraries.
func (s *Stream) Handle() uintptr { return s.handle }

// Close gives the stream back; what is on it still runs. A second call does nothing.
func (s *Stream) Close() error {
	handle := s.handle
	if handle == 0 {
		return nil
	}
	s.handle = 0
	if status := s.c.call(s.c.fn.streamDestroy, handle); status != Success {
		return s.c.fail(status, "cuStreamDestroy", "")
	}
	return nil
}

// Synchronize waits until all that was put on the stream has ended. It sleeps while
// it waits, unless the Thread was made with [Spin].
func (s *Stream) Synchronize() error {
	if status := s.c.call4(s.c.fn.streamSynchronize, s.handle, 0, 0, 0); status != Success {
		return s.c.fail(status, "cuStreamSynchronize", "")
	}
	return nil
}

// Done reports whether all that was put on the stream has ended. It does not wait.
func (s *Stream) Done() (bool, error) {
	switch status := s.c.call4(s.c.fn.streamQuery, s.handle, 0, 0, 0); status {
	case Success:
		return true, nil
	case NotReady:
		return false, nil
	default:
		return false, s.c.fail(status, "cuStreamQuery", "")
	}
}

// Note says that another library has launched something on the stream, for the
// message of an error that shows later.
func (s *Stream) Note(name string) { s.c.launched(name) }

// Record puts the event on the stream: it happens when all before it has ended.
func (s *Stream) Record(e *Event) error {
	if status := s.c.call4(s.c.fn.eventRecord, e.handle, s.handle, 0, 0); status != Success {
		return s.c.fail(status, "cuEventRecord", "")
	}
	return nil
}

// Wait lets what is put on the stream from now on wait for the event, as it was
// recorded last. The host goes on.
func (s *Stream) Wait(e *Event) error {
	if status := s.c.call4(s.c.fn.streamWaitEvent, s.handle, e.handle, 0, 0); status != Success {
		return s.c.fail(status, "cuStreamWaitEvent", "")
	}
	return nil
}
