package optimizer

import (
	_ "embed"
	"math"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/kernels"
)

//go:embed optimizer.cu
var text string

// A Spec says what is optimised and how.
type Spec struct {
	kernels.Optimizer
	Elements int64       // of all trainable parameters
	Copy     device.Type // of the copy that the model is computed with; Float32: none
	Scaling  Scaling     // of the loss; the zero value: none
}

// Scaling says how the loss scale moves. See the package's comment.
type Scaling struct {
	Initial, Least, Most float32
	// Shortest and Longest bound the good steps after which the scale grows; it starts
	// with Interval.
	Interval, Shortest, Longest uint32
}

// Float16Scaling is for activations in float16. Gradients are sums over tokens, not
// means, so the scale is that of a single token's: with a weight of 1 the gradient of a
// logit is at most the scale, and Most keeps it below float16's largest number, 65504.
func Float16Scaling() Scaling {
	return Scaling{Initial: 1 << 8, Least: 1.0 / (1 << 14), Most: 1 << 15, Interval: 32, Shortest: 16, Longest: 2048}
}

// An Optimizer is the kernels of the step.
type Optimizer struct {
	spec Spec

	squareSum, decide, adamw, cast *device.Kernel
}

// New asks a set for what the optimizer needs.
func New(set *device.Set, spec Spec) *Optimizer {
	source := device.Source{Name: "optimizer.cu", Text: text, Defines: []string{"COPY=" + spec.Copy.C()}}
	o := &Optimizer{spec: spec}
	o.squareSum = set.Kernel(source, "square_sum")
	o.decide = set.Kernel(source, "decide")
	o.adamw = set.Kernel(source, "adamw")
	if spec.Copy != device.Float32 {
		o.cast = set.Kernel(source, "cast")
	}
	return o
}

// Start is the State before the first step.
func (o *Optimizer) Start() State {
	s := State{Scale: 1, Used: 1, Interval: 1}
	if o.scaled() {
		s.Scale, s.Used, s.Interval = o.spec.Scaling.Initial, o.spec.Scaling.Initial, o.spec.Scaling.Interval
	}
	return s
}

func (o *Optimizer) scaled() bool { return o.spec.Scaling.Most > 0 }

// Buffers are where the optimizer's numbers lie, each [Elements].
type Buffers struct {
	Parameters    device.Pointer // float32
	Gradients     device.Pointer // float32: of the sum over the step's tokens, times the loss scale
	First, Second device.Pointer // float32 moments
	Copy          device.Pointer // of Spec.Copy; 0 where that is Float32
	State         device.Pointer // StateBytes
	Workspace     device.Pointer // Workspace bytes
}

// Workspace is the bytes that a step takes for sums.
func (o *Optimizer) Workspace() int64 { return int64(o.blocks()) * 8 }

// blocks is how many blocks sum squares; it depends on Elements alone.
func (o *Optimizer) blocks() int { return int(min(1024, max(1, (o.spec.Elements+1023)/1024))) }

// each is a grid with a thread for every four elements.
func (o *Optimizer) each() device.Grid {
	return device.Grid{X: int((o.spec.Elements + 1023) / 1024), Threads: 256}
}

// Step decides and does an update.
//
// loss is where the sum of the step's losses stands, a float64, or 0; weight is the sum
// of the step's weights, which is not 0; rate is the learning rate. Where the loss or
// the gradient is not finite the parameters and moments stay as they are.
func (o *Optimizer) Step(q *device.Queue, b Buffers, loss device.Pointer, weight, rate float64) {
	s, n := o.spec, o.spec.Elements
	q.Launch(o.squareSum, device.Grid{X: o.blocks(), Threads: 256}, b.Gradients, b.Workspace, n)
	scaling := s.Scaling
	q.Launch(o.decide, device.Grid{X: 1, Threads: 256}, b.Workspace, int32(o.blocks()), b.State, loss,
		double(weight), double(rate), double(s.Beta1), double(s.Beta2), double(s.WeightDecay), double(s.MaxGradNorm),
		scaling.Least, scaling.Most, scaling.Shortest, scaling.Longest)
	q.Launch(o.adamw, o.each(), b.State, b.Parameters, b.Gradients, b.First, b.Second, b.Copy, n,
		float32(s.Beta1), float32(s.Beta2), float32(1-s.Beta1), float32(1-s.Beta2), float32(s.Epsilon))
}

// double is a kernel's argument of type double.
func double(v float64) uint64 { return math.Float64bits(v) }

// Cast writes the copy of the parameters, for after they were loaded.
func (o *Optimizer) Cast(q *device.Queue, b Buffers) {
	if o.cast != nil {
		q.Launch(o.cast, o.each(), b.Parameters, b.Copy, o.spec.Elements)
	}
}
