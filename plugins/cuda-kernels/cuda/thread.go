package cuda

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A Thread is a goroutine on a thread of the system of its own, on which a device's
// primary context is current. It is safe for concurrent use: what it is given to do
// it does one at a time.
type Thread struct {
	device Device
	work   chan *task
	stop   chan struct{}
	ended  chan struct{} // closed when the goroutine is gone
	once   sync.Once
	err    error // of closing; read after ended

	hangs sync.Once
	hung  chan struct{} // closed once a task took longer than anyone waits
	lost  error         // what is answered from then on; read after hung
}

// ErrHung is what is wrapped where a device does not end its work.
var ErrHung = errors.New("the GPU does not answer")

// Patience is how long work may take that nobody expects to take long: a kernel that never
// ends is the device's end too.
const Patience = 10 * time.Minute

// A task is one call of Do.
type task struct {
	f    func(*Context) error
	err  error
	done chan struct{}
}

// A ThreadOption is a choice at NewThread.
type ThreadOption func(*threadOptions)

type threadOptions struct {
	spin bool
}

// Spin lets a wait for the device keep a core busy instead of sleeping. It sees the
// end some microseconds earlier. All Threads of a device in one process wait as the
// newest does.
func Spin() ThreadOption { return func(o *threadOptions) { o.spin = true } }

// How the driver waits: CUctx_flags.
const (
	scheduleSpin     = 0x01
	scheduleBlocking = 0x04
)

// NewThread starts a Thread on a device. Its context is the device's primary one,
// which every Thread of this process on the device shares; it takes some hundred MiB.
func (d *Driver) NewThread(device Device, options ...ThreadOption) (*Thread, error) {
	var o threadOptions
	for _, option := range options {
		option(&o)
	}
	t := &Thread{device: device, work: make(chan *task), stop: make(chan struct{}), ended: make(chan struct{}), hung: make(chan struct{})}
	started := make(chan error)
	go t.loop(newContext(d, device, o), started)
	if err := <-started; err != nil {
		return nil, err
	}
	return t, nil
}

// Device is the device that the thread works on.
func (t *Thread) Device() Device { return t.device }

// Do runs f on the thread and returns its error. ctx ends the wait for earlier work;
// once f runs, Do waits for its end, for as long as [Patience]. f must not keep c, nor
// call Do of this Thread, which would wait for itself.
//
// A panic in f comes back as a [*PanicError]. After an error that is
// fault.DeviceLost, f does not run: Do answers that error. That f has not ended in time is
// such an error; f may then still run.
func (t *Thread) Do(ctx context.Context, f func(c *Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done, err := t.do(ctx.Done(), Patience, f)
	if !done {
		return ctx.Err()
	}
	return err
}

// DoAlways is Do for work that nothing calls off, and that may take so long.
func (t *Thread) DoAlways(patience time.Duration, f func(c *Context) error) error {
	_, err := t.do(nil, patience, f)
	return err
}

// do runs f; it reports false where stop was closed before.
func (t *Thread) do(stop <-chan struct{}, patience time.Duration, f func(c *Context) error) (done bool, err error) {
	work := &task{f: f, done: make(chan struct{})}
	select {
	case t.work <- work:
		return true, t.wait(work, patience)
	case <-t.hung:
		return true, t.lost
	case <-t.ended:
		return true, fault.New(fault.OutOfOrder, "the thread of %s is closed", t.device)
	case <-stop:
		return false, nil
	}
}

// wait waits for the end of a task, but not for ever.
func (t *Thread) wait(work *task, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-work.done:
		return work.err
	case <-timer.C:
		t.hangs.Do(func() {
			t.lost = fault.New(fault.DeviceLost, "%w: %s has not ended its work within %s", ErrHung, t.device, patience).
				WithHint("a kernel that never ends is a mistake of cuda-kernels: please report it, with what is said of the last launch when CUDA_LAUNCH_BLOCKING=1 is in the environment")
			close(t.hung)
		})
		return t.lost
	}
}

// Close waits for what runs, unless that hangs, and gives the context back. With a
// device's last Thread all that its context holds goes: memory, pinned memory, modules.
// Close may be called again, and answers the same.
func (t *Thread) Close() error {
	t.once.Do(func() { close(t.stop) })
	select {
	case <-t.ended:
		return t.err
	case <-t.hung: // nothing that is asked of it is sure to return
		return nil
	}
}

// loop is the goroutine.
func (t *Thread) loop(c *Context, started chan<- error) {
	runtime.LockOSThread()
	defer close(t.ended)
	err := c.enter()
	started <- err
	if err != nil {
		runtime.UnlockOSThread()
		return
	}
	defer func() { t.err = c.leave() }()
	for {
		select {
		case work := <-t.work:
			work.run(c)
		case <-t.stop:
			return
		}
	}
}

// run runs the task's function. It closes done even where the function ends the
// goroutine, as testing's FailNow does.
func (w *task) run(c *Context) {
	defer close(w.done)
	defer func() {
		if err := c.dropCapture(); w.err == nil {
			w.err = err
		}
	}()
	defer func() {
		if value := recover(); value != nil {
			w.err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	if c.isLost() {
		w.err = c.lost
		return
	}
	w.err = fault.New(fault.OutOfOrder, "the function ended the goroutine of %s", c.device)
	w.err = w.f(c)
}

// enter makes the device's primary context current on this thread.
func (c *Context) enter() error {
	flags := uintptr(scheduleBlocking)
	if c.spin {
		flags = scheduleSpin
	}
	device := uintptr(c.device.handle)
	if status := call(c.fn.primaryCtxSetFlags, device, flags); status != Success {
		return failed(status, "cuDevicePrimaryCtxSetFlags", "of %s", c.device)
	}
	if status := call(c.fn.primaryCtxRetain, uintptr(unsafe.Pointer(&c.out.handle)), device); status != Success {
		return failed(status, "cuDevicePrimaryCtxRetain", "of %s", c.device)
	}
	if status := call(c.fn.ctxSetCurrent, c.out.handle); status != Success {
		err := failed(status, "cuCtxSetCurrent", "of %s", c.device)
		// The first error tells more than one of giving back.
		_ = call(c.fn.primaryCtxRelease, device)
		return err
	}
	return nil
}

// leave gives the context back. A lost context is left as it is: nothing that is
// asked of it is sure to return.
func (c *Context) leave() error {
	for host := range c.hosts {
		host.bytes = nil
	}
	if c.isLost() {
		return nil
	}
	if status := call(c.fn.ctxSetCurrent, 0); status != Success {
		return failed(status, "cuCtxSetCurrent", "of none")
	}
	if status := call(c.fn.primaryCtxRelease, uintptr(c.device.handle)); status != Success {
		return failed(status, "cuDevicePrimaryCtxRelease", "of %s", c.device)
	}
	runtime.UnlockOSThread()
	return nil
}
