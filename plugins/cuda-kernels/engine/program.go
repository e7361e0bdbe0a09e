package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/place"
)

// nowhere is the offset of what a step has no use for.
const nowhere = int64(-1)

// A boundStep is a step of a schedule with the places of all that it touches:
// offsets into the activations.
type boundStep struct {
	kind       diff.Kind
	node       node
	in, out    []int64
	dOut, dIn  []int64
	accumulate []bool
	led        []int64
	aux, kept  int64
	inAux      []int64
	value      graph.ValueID // that is moved
}

// A program is a schedule laid out in the arena. If it is of the trunk, the head
// runs at its loss.
type program struct {
	steps           []boundStep
	logits, dLogits int64 // of the trunk's last value, where there is a head
	size            int64
	moved           []graph.ValueID // to the host and back
}

// typeOf is the type of a value's elements. Indices are int32, which are as long as
// float32.
func (e *Engine) typeOf(v graph.ValueID) device.Type {
	if e.g.Values[v].Type == graph.Activation {
		return e.act
	}
	return device.Float32
}

// valueBytes is the memory of a value on rows rows.
func (e *Engine) valueBytes(v graph.ValueID, rows int) int64 {
	value := e.g.Values[v]
	return int64(rows) * int64(value.Width*value.Slots) * e.typeOf(v).Size()
}

// auxOf is the memory of the auxiliary results that stand behind a value: those of the
// node whose first output it is.
func (e *Engine) auxOf(v graph.ValueID, rows int) int64 {
	node := e.g.Values[v].Node
	if e.g.Nodes[node].Outputs[0] != v {
		return 0
	}
	return e.nodes[node].auxBytes(rows)
}

// bufferSizes is the memory of a trunk schedule's buffers on rows rows. Auxiliary
// results stand behind their value, aligned.
func (e *Engine) bufferSizes(buffers []live.Buffer, rows int) []int64 {
	sizes := make([]int64, len(buffers))
	for i, b := range buffers {
		if b.Value == graph.NoValue {
			sizes[i] = device.Align(e.nodes[e.head.TrunkNodes[b.Node]].keptBytes(rows))
			continue
		}
		sizes[i] = device.Align(e.valueBytes(b.Value, rows))
		if !b.Gradient {
			sizes[i] += device.Align(e.auxOf(b.Value, rows))
		}
	}
	return sizes
}

// bind lays out a schedule of the trunk for micro-batches of up to rows rows.
func (e *Engine) bind(s *diff.Schedule, rows int) *program {
	placed := place.Place(s)
	sizes := e.bufferSizes(placed.Buffers, rows)
	aux := func(buffer int) int64 { return device.Align(e.valueBytes(placed.Buffers[buffer].Value, rows)) }
	offsets, size := live.Layout(placed.Buffers, sizes, device.Alignment)
	offset := func(buffer int) int64 {
		if buffer < 0 {
			return nowhere
		}
		return offsets[buffer]
	}
	places := func(buffers []int) []int64 {
		out := make([]int64, len(buffers))
		for i, b := range buffers {
			out[i] = offset(b)
		}
		return out
	}
	p := &program{size: size, logits: offset(placed.Logits), dLogits: offset(placed.DLogits)}
	for i, step := range placed.Steps {
		b := boundStep{kind: step.Kind, accumulate: step.Accumulate, aux: nowhere, kept: offset(step.Kept)}
		switch step.Kind {
		case diff.Loss:
		case diff.Store, diff.Stored, diff.Fetch, diff.Fetched:
			b.value, b.in = s.Steps[i].Value, places(step.In)
			b.aux = b.in[0] + aux(step.In[0])
			if step.Kind == diff.Store {
				p.moved = append(p.moved, b.value)
			}
		default:
			b.node = e.nodes[e.head.TrunkNodes[step.Node]]
			b.in, b.out, b.dIn, b.dOut = places(step.In), places(step.Out), places(step.DIn), places(step.DOut)
			b.led = places(step.Led)
			if first := step.Out[0]; first >= 0 {
				b.aux = offsets[first] + aux(first)
			}
			for _, in := range step.In {
				at := nowhere
				if in >= 0 {
					at = offsets[in] + aux(in)
				}
				b.inAux = append(b.inAux, at)
			}
		}
		p.steps = append(p.steps, b)
	}
	return p
}

// activation is an address in the activations; 0 for nowhere.
func (e *Engine) activation(offset int64) device.Pointer {
	if offset < 0 {
		return 0
	}
	return e.at(e.activations).Offset(offset)
}

// call fills in what a node needs for a step.
func (e *Engine) call(s *boundStep, c call) *call {
	addresses := func(places []int64) []device.Pointer {
		out := make([]device.Pointer, len(places))
		for i, at := range places {
			out[i] = e.activation(at)
		}
		return out
	}
	c.in, c.out, c.dIn, c.dOut = addresses(s.in), addresses(s.out), addresses(s.dIn), addresses(s.dOut)
	c.led = addresses(s.led)
	c.accumulate, c.aux, c.inAux, c.kept = s.accumulate, e.activation(s.aux), addresses(s.inAux), e.activation(s.kept)
	c.scratch = e.workspace()
	return &c
}

// workspace is the scratch memory that each node begins with.
func (e *Engine) workspace() scratch {
	at := e.at(e.scratchSpan)
	return scratch{next: at, end: at.Offset(e.scratchSpan.bytes)}
}

// run does a program's steps on a batch. loss is what runs at the loss.
func (e *Engine) run(p *program, c call, loss func()) {
	begun := false
	for i := range p.steps {
		s := &p.steps[i]
		switch s.kind {
		case diff.Forward:
			c.q.At(s.node.name())
			c.again = begun
			ready := e.call(s, c)
			s.node.forward(ready)
			e.clock.lap(s.node.family())
			if e.watch != nil {
				e.watch(s.node, ready)
			}
		case diff.Backward:
			c.q.At(s.node.name() + ", backward")
			s.node.backward(e.call(s, c))
			e.clock.lap(s.node.family() + familyBackward)
		case diff.Loss:
			begun = true
			c.q.At("the loss")
			loss()
			e.clock.lap(familyHead)
		default:
			e.move(s, c.rows)
			e.clock.lap("waiting for the host")
		}
	}
	if !begun && loss != nil { // nothing below the head is trained
		c.q.At("the loss")
		loss()
	}
}
