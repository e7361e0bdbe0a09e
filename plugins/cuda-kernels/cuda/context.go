package cuda

import (
	"fmt"
	"unsafe"
)

// A Context is a device's primary context, current on the thread that a function
// given to [Thread.Do] runs on. It, and all that it makes, is for that thread alone.
type Context struct {
	fn     *functions
	device Device
	spin   bool

	lost   *Error // the error after which the context answers nothing else
	recent launches
	record *recording           // what a capture has seen, or nil
	hosts  map[*HostMemory]bool // those that live

	// What the driver writes and reads lies here, on the heap, so that what repeats
	// allocates nothing.
	out      results
	args     arguments
	encoding encoding
	passed   [12]uintptr // to a function
}

// results are where the driver puts answers.
type results struct {
	handle       uintptr
	size, total  uint64
	number       int32
	milliseconds float32
	update       [3]uint64 // CUgraphExecUpdateResultInfo
}

func newContext(d *Driver, device Device, o threadOptions) *Context {
	return &Context{fn: &d.fn, device: device, spin: o.spin, hosts: map[*HostMemory]bool{}}
}

// call is [call], but asks nothing of a lost context.
//
//go:uintptrescapes
func (c *Context) call(fn uintptr, args ...uintptr) Status {
	if c.isLost() {
		return c.lost.Status
	}
	return call(fn, args...)
}

// call4 is call of a function with at most four arguments; 0 stands for those that it
// lacks. It allocates nothing, as call does for its list, so it is for what repeats.
//
//go:uintptrescapes
func (c *Context) call4(fn, a0, a1, a2, a3 uintptr) Status {
	if c.isLost() {
		return c.lost.Status
	}
	c.passed[0], c.passed[1], c.passed[2], c.passed[3] = a0, a1, a2, a3
	return call(fn, c.passed[:4]...)
}

// fail is the error of a call. The object is a format.
func (c *Context) fail(status Status, call, object string, args ...any) error {
	if c.isLost() {
		return c.lost
	}
	err := &Error{Call: call, Object: fmt.Sprintf(object, args...), Status: status}
	if status.Sticky() {
		err.Recent = c.recent.names()
		c.lost = err
	}
	return err
}

// isLost reports whether the context answers nothing any more.
func (c *Context) isLost() bool { return c.lost != nil }

// Device is the context's device.
func (c *Context) Device() Device { return c.device }

// Synchronize waits until all that was launched in the context has ended, on every
// stream. It sleeps while it waits, unless the Thread was made with [Spin].
func (c *Context) Synchronize() error {
	if status := c.call(c.fn.ctxSynchronize); status != Success {
		return c.fail(status, "cuCtxSynchronize", "")
	}
	return nil
}

// MemInfo is how many bytes of the device's memory are free, and how many there are.
// Other processes and what the driver keeps count as not free.
func (c *Context) MemInfo() (free, total int64, err error) {
	status := c.call4(c.fn.memGetInfo, uintptr(unsafe.Pointer(&c.out.size)), uintptr(unsafe.Pointer(&c.out.total)), 0, 0)
	if status != Success {
		return 0, 0, c.fail(status, "cuMemGetInfo", "")
	}
	return int64(c.out.size), int64(c.out.total), nil
}

// launches are the names of the last things that were launched.
type launches struct {
	ring  [8]string
	count int
}

func (l *launches) add(name string) {
	l.ring[l.count%len(l.ring)] = name
	l.count++
}

// names are the names, the latest last; what repeats is counted.
func (l *launches) names() []string {
	var out []string
	repeated := 1
	for i := max(0, l.count-len(l.ring)); i < l.count; i++ {
		name := l.ring[i%len(l.ring)]
		if i+1 < l.count && l.ring[(i+1)%len(l.ring)] == name {
			repeated++
			continue
		}
		if repeated > 1 {
			name = fmt.Sprintf("%s (%d times)", name, repeated)
		}
		out, repeated = append(out, name), 1
	}
	return out
}

// launched notes a launch, for the message of an error that shows later.
func (c *Context) launched(name string) {
	if c.record != nil {
		c.record.add(name)
		return
	}
	c.recent.add(name)
}
