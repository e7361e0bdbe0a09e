package cuda

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// captureThreadLocal is CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: during a capture this
// thread makes no call that would wait for the device; others may.
const captureThreadLocal = 1

// A recording is what a capture has seen of launches.
type recording struct {
	stream *Stream
	count  int
	names  []string // each once
}

func (r *recording) add(name string) {
	r.count++
	if !slices.Contains(r.names, name) {
		r.names = append(r.names, name)
	}
}

// shownNames is how many kernels' names stand for a graph.
const shownNames = 8

// String says in a message what a graph is.
func (r *recording) String() string {
	names := strings.Join(r.names[:min(len(r.names), shownNames)], ", ")
	if more := len(r.names) - shownNames; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("a graph of %d launches (%s)", r.count, names)
}

// A Graph is recorded work.
type Graph struct {
	c      *Context
	what   string
	handle uintptr
}

// BeginCapture records what is put on the stream from now on, and on streams that
// wait for an event of it, instead of running it. It ends with [Stream.EndCapture],
// on the same stream and within the same function of Thread.Do: what is still open
// then is dropped, and is an error. Meanwhile nothing may be allocated or waited for.
func (s *Stream) BeginCapture() error {
	c := s.c
	if c.record != nil {
		return fault.New(fault.OutOfOrder, "a capture began while another is open")
	}
	if status := c.call(c.fn.streamBeginCapture, s.handle, captureThreadLocal); status != Success {
		return c.fail(status, "cuStreamBeginCapture", "")
	}
	c.record = &recording{stream: s}
	return nil
}

// EndCapture ends the recording. Where it failed, what was recorded is gone, and the
// stream runs work again.
func (s *Stream) EndCapture() (*Graph, error) {
	c := s.c
	if c.record == nil || c.record.stream != s {
		return nil, fault.New(fault.OutOfOrder, "a capture ended on a stream where none began")
	}
	record := c.record
	c.record = nil
	c.out.handle = 0
	if status := c.call(c.fn.streamEndCapture, s.handle, uintptr(unsafe.Pointer(&c.out.handle))); status != Success {
		return nil, c.fail(status, "cuStreamEndCapture", "of %s", record)
	}
	return &Graph{c: c, what: record.String(), handle: c.out.handle}, nil
}

// Capture records what f puts on the stream. Where f fails, so does Capture, with the
// same error.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	if err := s.BeginCapture(); err != nil {
		return nil, err
	}
	failure := f()
	g, err := s.EndCapture()
	if failure == nil {
		return g, err
	}
	if err == nil {
		// The first error tells more.
		_ = g.Close()
	}
	return nil, failure
}

// dropCapture ends a capture that a function of Thread.Do left open.
func (c *Context) dropCapture() error {
	if c.record == nil {
		return nil
	}
	g, err := c.record.stream.EndCapture()
	if err != nil {
		return err
	}
	if err := g.Close(); err != nil {
		return err
	}
	return fault.New(fault.OutOfOrder, "the capture of %s was not ended", g.what)
}

// Close gives the graph back; what was made of it stays. A second call does nothing.
func (g *Graph) Close() error {
	handle := g.handle
	if handle == 0 {
		return nil
	}
	g.handle = 0
	if status := g.c.call(g.c.fn.graphDestroy, handle); status != Success {
		return g.c.fail(status, "cuGraphDestroy", "of %s", g.what)
	}
	return nil
}

// A GraphExec is a graph made ready to run.
type GraphExec struct {
	c      *Context
	what   string
	handle uintptr
}

// Instantiate makes the graph ready to run. The Graph can be closed afterwards.
func (g *Graph) Instantiate() (*GraphExec, error) {
	c := g.c
	if status := c.call(c.fn.graphInstantiate, uintptr(unsafe.Pointer(&c.out.handle)), g.handle, 0); status != Success {
		return nil, c.fail(status, "cuGraphInstantiateWithFlags", "of %s", g.what)
	}
	return &GraphExec{c: c, what: g.what, handle: c.out.handle}, nil
}

// Launch runs the graph on the stream. It runs not beside itself: a second launch
// waits for the first. It allocates nothing.
func (x *GraphExec) Launch(s *Stream) error {
	if status := x.c.call4(x.c.fn.graphLaunch, x.handle, s.handle, 0, 0); status != Success {
		return x.c.fail(status, "cuGraphLaunch", "of %s", x.what)
	}
	x.c.launched(x.what)
	return nil
}

// Upload brings the graph to the device, as the first Launch would.
func (x *GraphExec) Upload(s *Stream) error {
	if status := x.c.call(x.c.fn.graphUpload, x.handle, s.handle); status != Success {
		return x.c.fail(status, "cuGraphUpload", "of %s", x.what)
	}
	return nil
}

// Update gives the nodes the parameters of g, which has the same nodes in the same
// order. It reports false, and changes nothing, where g differs in more: then it must
// be instantiated.
func (x *GraphExec) Update(g *Graph) (bool, error) {
	c := x.c
	switch status := c.call4(c.fn.graphExecUpdate, x.handle, g.handle, uintptr(unsafe.Pointer(&c.out.update)), 0); status {
	case Success:
		x.what = g.what
		return true, nil
	case UpdateFailed:
		return false, nil
	default:
		return false, c.fail(status, "cuGraphExecUpdate", "of %s", x.what)
	}
}

// Close gives it back, once its launches have ended. A second call does nothing.
func (x *GraphExec) Close() error {
	handle := x.handle
	if handle == 0 {
		return nil
	}
	x.handle = 0
	if status := x.c.call(x.c.fn.graphExecDestroy, handle); status != Success {
		return x.c.fail(status, "cuGraphExecDestroy", "of %s", x.what)
	}
	return nil
}
