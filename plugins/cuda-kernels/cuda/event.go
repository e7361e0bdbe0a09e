package cuda

import (
	"unsafe"
)

// An Event is a point in a stream's work that others can wait for, or take the time
// of.
type Event struct {
	c      *Context
	handle uintptr
}

// How events are made: CUevent_flags.
const (
	eventBlocking = 1
	eventUntimed  = 2
)

// NewEvent makes an event; with timing, [Event.Since] can be asked of it, and it
// costs a little more.
func (c *Context) NewEvent(timing bool) (*Event, error) {
	flags := uintptr(eventBlocking)
	if c.spin {
		flags = 0
	}
	if !timing {
		flags |= eventUntimed
	}
	if status := c.call(c.fn.eventCreate, uintptr(unsafe.Pointer(&c.out.handle)), flags); status != Success {
		return nil, c.fail(status, "cuEventCreate", "")
	}
	return &Event{c: c, handle: c.out.handle}, nil
}

// Synchronize waits until the event has happened, as it was recorded last. It sleeps
// while it waits, unless the Thread was made with [Spin].
func (e *Event) Synchronize() error {
	if status := e.c.call4(e.c.fn.eventSynchronize, e.handle, 0, 0, 0); status != Success {
		return e.c.fail(status, "cuEventSynchronize", "")
	}
	return nil
}

// Done reports whether the event has happened. It does not wait.
func (e *Event) Done() (bool, error) {
	switch status := e.c.call4(e.c.fn.eventQuery, e.handle, 0, 0, 0); status {
	case Success:
		return true, nil
	case NotReady:
		return false, nil
	default:
		return false, e.c.fail(status, "cuEventQuery", "")
	}
}

// Since is the time from start to e, to about half a microsecond. Both have timing
// and have happened.
func (e *Event) Since(start *Event) (milliseconds float32, err error) {
	c := e.c
	status := c.call4(c.fn.eventElapsedTime, uintptr(unsafe.Pointer(&c.out.milliseconds)), start.handle, e.handle, 0)
	if status != Success {
		return 0, c.fail(status, "cuEventElapsedTime", "")
	}
	return c.out.milliseconds, nil
}

// Close gives the event back. A second call does nothing.
func (e *Event) Close() error {
	handle := e.handle
	if handle == 0 {
		return nil
	}
	e.handle = 0
	if status := e.c.call(e.c.fn.eventDestroy, handle); status != Success {
		return e.c.fail(status, "cuEventDestroy", "")
	}
	return nil
}
