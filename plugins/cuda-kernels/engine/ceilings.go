package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/plugins/cuda-kernels/cublaslt"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/sdk/kernels"
)

// ceilings are what the GPU reaches at the Graph's own shapes.
type ceilings struct {
	products map[product]float64 // operations a second
	copies   float64             // bytes that are read or written in a second
}

// largest is the rate of the product with the most operations: the ceiling of what has
// no product of its own to be measured, attention and experts.
func (c *ceilings) largest() float64 {
	var most product
	rate := 0.0
	for p, r := range c.products {
		if f := p.flops(); f > most.flops() || f == most.flops() && r > rate {
			most, rate = p, r
		}
	}
	return rate
}

// seconds is the time of a task at the ceilings.
func (c *ceilings) seconds(t task) float64 {
	seconds := t.bytes / c.copies
	if t.flops == 0 {
		return seconds
	}
	rate, ok := c.products[t.product]
	if !ok {
		rate = c.largest()
	}
	return seconds + t.flops/rate
}

// metrics are the ceilings, and the time of the tasks at them by family of kernels, as
// a step reports them.
func (c *ceilings) metrics(tasks []task) map[string]float64 {
	out := map[string]float64{"ceiling/bytes": c.copies}
	for p, rate := range c.products {
		// The same shape may be there in two types: the slower is no ceiling.
		out["ceiling/flops/"+p.String()] = max(rate, out["ceiling/flops/"+p.String()])
	}
	for _, t := range tasks {
		out["ceiling/time/"+t.family] += c.seconds(t)
	}
	return out
}

// reportCeilings adds the ceilings to a step's result. They are measured when training
// first ends: the GPU is as warm then as it was during the steps, and no step waits.
// That leaves no activations and, where weights of linears are trained, no gradients
// behind.
func (e *Engine) reportCeilings(ctx context.Context, r *kernels.StepResult) error {
	if e.tally == nil {
		return nil
	}
	tasks, err := e.tasks(e.tally)
	if err != nil {
		return err
	}
	if e.ceilings == nil {
		if e.ceilings, err = e.measureCeilings(ctx, tasks); err != nil {
			return fmt.Errorf("measuring what the GPU reaches: %w", err)
		}
	}
	maps.Copy(r.Metrics, e.ceilings.metrics(tasks))
	return nil
}

// measureCeilings measures each product of the tasks, and copies.
func (e *Engine) measureCeilings(ctx context.Context, tasks []task) (*ceilings, error) {
	c := &ceilings{products: map[product]float64{}}
	m := &meter{e: e}
	err := e.do(func() error {
		e.q.At("what the GPU reaches")
		m.fill()
		return e.q.Wait()
	})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, done := c.products[t.product]; done || t.product == (product{}) {
			continue
		}
		if err := e.do(func() error {
			seconds, err := m.product(t.node, t.product)
			c.products[t.product] = t.product.flops() / seconds
			return err
		}); err != nil {
			return nil, err
		}
	}
	if err := e.do(func() (err error) {
		c.copies, err = m.copies()
		return err
	}); err != nil {
		return nil, err
	}
	return c, nil
}

// A way is one way to do a piece of work: it puts it on the queue.
type way func(q *device.Queue)

const (
	// trialSeconds is how long each way is tried, and lastingSeconds how long the best
	// is measured: over a burst clocks are higher than what lasts.
	trialSeconds   = 4e-3
	lastingSeconds = 0.1
	mostTimes      = 2000
)

// fastest is the seconds that the fastest of some ways takes once. timed gives those
// that so many times of a way take; the first time it is asked of a way warms it up.
func fastest(ways []way, timed func(w way, times int) (float64, error)) (float64, error) {
	var best way
	least := math.Inf(1)
	measure := func(w way, estimate, length float64) (float64, error) {
		times := int(min(mostTimes, max(1, math.Ceil(length/max(estimate, 1e-9)))))
		total, err := timed(w, times)
		return total / float64(times), err
	}
	for _, w := range ways {
		if _, err := timed(w, 1); err != nil {
			return 0, err
		}
		once, err := timed(w, 1)
		if err != nil {
			return 0, err
		}
		seconds, err := measure(w, once, trialSeconds)
		if err != nil {
			return 0, err
		}
		if seconds < least {
			best, least = w, seconds
		}
	}
	return measure(best, least, lastingSeconds)
}

// A meter measures on the engine's queue, in the memory that training has used. Its
// methods are called within do.
type meter struct {
	e            *Engine
	begun, ended *cuda.Event
}

// timed is the seconds that so many times of a way take, by the GPU's clock. More than
// one are recorded as a graph, so that the host's launches do not limit them; it runs
// once before, for the driver brings a graph to the GPU when it is first launched.
func (m *meter) timed(w way, times int) (seconds float64, err error) {
	q := m.e.q
	if times == 1 {
		return m.run(func() { w(q) })
	}
	graph := q.Capture(func() {
		for range times {
			w(q)
		}
	})
	if graph == nil {
		return 0, q.Err()
	}
	q.Replay(graph)
	seconds, err = m.run(func() { q.Replay(graph) })
	return seconds, errors.Join(err, graph.Close())
}

// run is the seconds of what work puts on the queue.
func (m *meter) run(work func()) (float64, error) {
	q := m.e.q
	m.begun = q.Record(m.begun)
	work()
	m.ended = q.Record(m.ended)
	if err := q.Wait(); err != nil {
		return 0, err
	}
	ms, err := m.ended.Since(m.begun)
	return float64(ms) / 1e3, err
}

// patternElements is the length of the random numbers that operands repeat.
const patternElements = 4 << 20

// fill puts random numbers into the memory that operands are taken from. Products of
// zeros, or of what lies there as it comes, take another power and so have other clocks
// than a step's.
func (m *meter) fill() {
	e := m.e
	r := rand.New(rand.NewPCG(1, 2))
	numbers := make([]float32, patternElements)
	for i := range numbers {
		numbers[i] = float32(r.NormFloat64())
	}
	pattern := make([]byte, patternElements*e.act.Size())
	e.act.Encode(pattern, numbers)
	for _, s := range append([]span{e.activations, e.scratchSpan}, e.head.values...) {
		at := e.at(s)
		done := min(s.bytes, int64(len(pattern)))
		if done == 0 {
			continue
		}
		e.q.Upload(at, pattern[:done])
		for done < s.bytes {
			n := min(done, s.bytes-done)
			e.q.Copy(at.Offset(done), at, n)
			done += n
		}
	}
}

// product is the seconds of a product of a node by the fastest of cuBLASLt's algorithms
// and the engine's own kernel.
func (m *meter) product(node int, p product) (float64, error) {
	e, n := m.e, linearOf(m.e.nodes[node])
	d, a, b, err := m.operands(node, n, p)
	if err != nil {
		return 0, err
	}
	plan, err := e.products.handle.Plan(cublaslt.Product{A: a.matrix(), B: b.matrix(), D: d.matrix()}, e.products.workspace.bytes)
	if err != nil {
		return 0, err
	}
	defer plan.Close()
	var ways []way
	for i := range plan.Algorithms() {
		ways = append(ways, func(q *device.Queue) {
			q.Run(func(stream uintptr) error {
				if err := plan.Choose(i); err != nil {
					return err
				}
				return plan.Run(stream, 1, uint64(a.at), uint64(b.at), 0, 0, uint64(d.at), 0, uint64(e.at(e.products.workspace)))
			})
		})
	}
	own := map[pass]*gemm.Product{passForward: n.forth, passBackward: n.back}[p.pass]
	if own != nil {
		ways = append(ways, func(q *device.Queue) {
			own.Multiply(q, d.rows, d.cols, gemm.Operands{Terms: []gemm.Term{{P: a.at, Q: b.at, K: a.cols}}, D: d.at})
		})
	}
	return fastest(ways, m.timed)
}

// operands are those of a product d = a·b: x and y, or their gradients, where
// activations lie in training, W where it is held, its gradient where that is summed.
func (m *meter) operands(node int, n *linearNode, p product) (d, a, b operand, err error) {
	e := m.e
	x := operand{at: e.at(e.activations), t: e.act, rows: p.rows, cols: p.in}
	y := operand{t: e.act, rows: p.rows, cols: p.out}
	if p.wide {
		y.t = device.Float32
	}
	sizeX, sizeY := int64(p.rows)*int64(p.in)*x.t.Size(), int64(p.rows)*int64(p.out)*y.t.Size()
	if e.inHead(node) {
		x.at, y.at = e.at(e.head.values[0]), e.at(e.head.values[1])
	} else {
		y.at = x.at.Offset(device.Align(sizeX))
		if take := need(sizeX, sizeY); take > e.activations.bytes {
			return d, a, b, fmt.Errorf("the product %s takes %d bytes of activations, there are %d: please report this", p, take, e.activations.bytes)
		}
	}
	w := operand{at: e.matrix(n.op.Weight), t: e.act, rows: p.out, cols: p.in}
	if n.widen != nil {
		w.at = e.workspace().next
	}
	switch p.pass {
	case passBackward:
		return x, y, w, nil
	case passWeight:
		e.stepped = false // the gradient is overwritten
		return n.gradientOperand(n.op.Weight), y.T(), x, nil
	}
	return y, x, w.T(), nil
}

const (
	// leastCopied is large beside a GPU's caches, mostCopied enough to measure.
	leastCopied = 128 << 20
	mostCopied  = 1 << 30
)

// copies is how many bytes a second are read and written when memory is copied within
// the GPU.
func (m *meter) copies() (rate float64, err error) {
	e := m.e
	at, bytes := e.at(e.activations), e.activations.bytes
	if bytes < 2*leastCopied {
		// A small model leaves room for it. Where there is none after all, what there is
		// of the arena has to do.
		if own, failed := e.gpu.Alloc(2 * leastCopied); failed == nil {
			at, bytes = own, 2*leastCopied
			defer func() { err = errors.Join(err, e.gpu.Free(own)) }()
		}
	}
	// What is read and what is written may meet in the same banks of memory, by how far
	// they lie apart; and the driver copies much at once by other means than little, which
	// are slower on some GPUs than a kernel: the same bytes are copied over several
	// distances, in both ways.
	n := min(bytes/2, mostCopied)
	length := alignDown(n - n/7)
	var ways []way
	for _, apart := range []int64{length, alignDown(n - n/16), alignDown(n)} {
		ways = append(ways, func(q *device.Queue) { q.Copy(at.Offset(apart), at, length) },
			func(q *device.Queue) { e.copier.Write(q, length/e.act.Size(), at.Offset(apart), at, 1) })
	}
	seconds, err := fastest(ways, m.timed)
	return 2 * float64(length) / seconds, err
}

// alignDown is the most bytes up to n that end where memory may begin.
func alignDown(n int64) int64 { return n / device.Alignment * device.Alignment }
