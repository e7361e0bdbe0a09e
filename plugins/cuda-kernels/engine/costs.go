package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

// Rates are what a GPU does in a second, for estimates of time: as kernels reach them,
// not as its maker states them.
type Rates struct {
	FLOPs float64 // of matrix products in 16 bits
	Bytes float64 // of its memory
	Link  float64 // bytes between it and the host, each way
}

// usualRates are those of an H100, where no GPU was asked.
var usualRates = Rates{FLOPs: 620e12, Bytes: 2.6e12, Link: 45e9}

// launchSeconds is the least that a kernel takes, its launch included.
const launchSeconds = 4e-6

// costs estimates the time of steps on so many rows.
type costs struct {
	e    *Engine
	rows int
}

func (k costs) bytes(v graph.ValueID) float64 { return float64(k.e.valueBytes(v, k.rows)) }

// step is the seconds of a step of the trunk's schedule.
func (k costs) step(s diff.Step) float64 {
	switch s.Kind {
	case diff.Forward:
		return k.forward(k.e.head.TrunkNodes[s.Node])
	case diff.Backward:
		return k.backward(k.e.head.TrunkNodes[s.Node])
	case diff.Loss:
		return k.loss()
	}
	return 0
}

// forward is the seconds of a node of the Graph.
func (k costs) forward(node int) float64 {
	n := k.e.g.Nodes[node]
	switch o := n.Op.(type) {
	case *graph.Linear:
		seconds := k.product(o.Weight)
		if o.Adapter != nil {
			l := linearOf(k.e.nodes[node])
			if l.readsInput() {
				seconds += k.product(o.Adapter.A)
			}
			if !l.forth.Wins(k.rows, l.out) {
				seconds += k.product(o.Adapter.B)
			}
			seconds += k.dora(l, n, false)
		}
		return seconds
	case *graph.Attention:
		forward, _ := k.attention(node, o)
		return forward
	case *graph.ExpertLinear:
		return k.experts(n, o, 1, 1)
	}
	return k.traffic(n)
}

// backward is the seconds of a node's backward step. A frozen linear has one product
// less than a trained one.
func (k costs) backward(node int) float64 {
	n := k.e.g.Nodes[node]
	switch o := n.Op.(type) {
	case *graph.Linear:
		seconds := k.product(o.Weight)
		if k.e.g.Params[o.Weight].Trainable {
			seconds *= 2
		}
		if o.Adapter != nil {
			l := linearOf(k.e.nodes[node])
			seconds += k.adapterBack(l, o.Adapter) + k.dora(l, n, true)
		}
		return seconds
	case *graph.Attention:
		_, backward := k.attention(node, o)
		return backward
	case *graph.ExpertLinear:
		if k.e.g.Params[o.Weight].Trainable {
			return k.experts(n, o, 2, 3)
		}
		return k.experts(n, o, 1, 3)
	}
	return 2 * k.traffic(n)
}

// adapterBack is the seconds of an adapter's backward pass: x is read for the gradient of
// A, dy for that of B and for what goes on to A, and dx is written for the latter.
func (k costs) adapterBack(l *linearNode, a *graph.Adapter) float64 {
	ofX, ofY := 0.0, 2.0
	if l.readsInput() {
		ofX++
	}
	if !l.back.Wins(k.rows, l.in) || l.drop != nil {
		ofX += 2 // dx is written, and read to be added to
	}
	if l.thin.Wins(k.rows) || l.group != nil && l.group.thin.Wins(k.rows) {
		ofY = 1
	}
	return ofX*k.product(a.A) + ofY*k.product(a.B)
}

// dora is the seconds that magnitudes take beside that.
func (k costs) dora(l *linearNode, n *graph.Node, backward bool) float64 {
	if l.dora == nil {
		return 0
	}
	passes, products := l.dora.work(k.rows, backward)
	return passes*k.bytes(n.Outputs[0])/k.e.options.Rates.Bytes + products*k.product(l.op.Weight)
}

// product is the seconds of x·Wᵀ.
func (k costs) product(weight graph.ParamID) float64 {
	shape := k.e.g.Params[weight].Shape
	return k.matrices(1, float64(k.rows), float64(shape[1]), float64(shape[0]))
}

// experts is the seconds of so many products of slots with the matrices of their
// experts, and with those of their adapters.
func (k costs) experts(n *graph.Node, o *graph.ExpertLinear, products, ofAdapter float64) float64 {
	shape, slots := k.e.g.Params[o.Weight].Shape, float64(k.rows*k.e.g.Values[n.Outputs[0]].Slots)
	in, out, count := float64(shape[2]), float64(shape[1]), float64(shape[0])
	seconds := products * k.matrices(min(count, slots), slots, in, out)
	if a := o.Adapter; a != nil {
		rank := float64(a.Rank)
		seconds += ofAdapter * (k.matrices(count, slots, in, rank) + k.matrices(count, slots, rank, out))
	}
	return seconds
}

// matrices is the seconds of products of rows, spread over count matrices.
func (k costs) matrices(count, rows, in, out float64) float64 {
	size, rate := float64(k.e.act.Size()), k.e.options.Rates.FLOPs
	if k.e.act == device.Float32 {
		rate /= 14 // without tensor cores
	}
	return max(2*rows*in*out/rate, size*(count*in*out+rows*(in+out))/k.e.options.Rates.Bytes) + launchSeconds
}

// attention is the seconds of the kernels on documents of the longest length. They reach
// less than products do: on an H100 309 TFLOP/s forward and 221 backward, where scores
// are computed twice more; those for Hopper 541 and 415, and of heads of 256 columns, on an
// H200, 439 and 247.
func (k costs) attention(node int, o *graph.Attention) (forward, backward float64) {
	seen := float64(k.e.settings.MaxLength) / 2
	if o.Window > 0 {
		seen = min(seen, float64(o.Window))
	}
	flops := 2 * float64(k.rows) * seen * float64(o.Heads*(o.KeyWidth+o.ValueWidth))
	seconds := flops / k.e.options.Rates.FLOPs
	if a := attentionOf(k.e.nodes[node]); a.kernel.OnHopper() {
		if o.KeyWidth == 256 {
			return 1.5*seconds + launchSeconds, 6.7*seconds + launchSeconds
		}
		return 1.3*seconds + launchSeconds, 4.2*seconds + launchSeconds
	}
	return 2.25*seconds + launchSeconds, 7.9*seconds + launchSeconds
}

// traffic is the seconds of a node that reads its inputs and writes its outputs.
func (k costs) traffic(n *graph.Node) float64 {
	total := 0.0
	for _, v := range n.Inputs {
		total += k.bytes(v)
	}
	for _, v := range n.Outputs {
		total += k.bytes(v)
	}
	return total/k.e.options.Rates.Bytes + launchSeconds
}

// loss is the seconds of the head, forward and backward.
func (k costs) loss() float64 {
	total := 0.0
	for _, i := range k.e.head.Nodes {
		total += k.forward(i) + k.backward(i)
	}
	return total
}

// link is the seconds that a value's way to the host takes.
func (k costs) link(v graph.ValueID) float64 {
	return (k.bytes(v) + float64(k.e.auxOf(v, k.rows))) / k.e.options.Rates.Link
}

// schedule is the seconds of all steps of the trunk's schedule, without its loss.
func (k costs) schedule(s *diff.Schedule) float64 {
	total := 0.0
	for _, step := range s.Steps {
		if step.Kind != diff.Loss {
			total += k.step(step)
		}
	}
	return total
}
