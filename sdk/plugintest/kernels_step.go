package plugintest

import (
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsStepRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/loss-is-a-sum", "a step's loss is the sum over its tokens by weight, and comes with the sum of the weights", kernelsLoss},
		{"kernels/gradients-match-interpreter", "the gradients are those of the mean loss, and GradNorm is their norm before clipping", kernelsGradients},
		{"kernels/ops-match-interpreter", "so they are on random graphs over the operations that it announces", kernelsOps},
		{"kernels/accumulation-exact", "how a step's documents are dealt out to micro-batches changes nothing but rounding", kernelsAccumulation},
		{"kernels/dropout-by-sample", "what is dropped goes by sample, position and step, not by where a document lies", kernelsDropout},
		{"kernels/objective-refused", "an objective that it does not announce is refused", kernelsObjective},
	}
}

func kernelsLoss(c *check, k *kernelsKit) {
	d := newDocuments(1, 9, 5, 12, 7)
	batches := []*graph.Batch{pack(d[0], d[1]), pack(d[2], d[3])}
	got, want := k.open(c, k.lora, nil).run(step(1, batches...))[0], k.reference(c, k.lora, nil).run(step(1, batches...))[0]
	if got.NotFinite || got.Skipped {
		c.fail("the step counts as not finite or skipped")
	}
	c.near(got.Weight, want.Weight, 1e-6, "the sum of the weights")
	c.near(got.Loss, want.Loss, k.close.loss, "the loss, a sum over tokens,")
	if got.Tokens != want.Tokens {
		c.fail("%d tokens, the step has %d", got.Tokens, want.Tokens)
	}
	if len(got.BatchLosses) != len(batches) {
		c.fail("%d micro-batches have %d losses", len(batches), len(got.BatchLosses))
	}
	for i := range batches {
		c.near(got.BatchLosses[i], want.BatchLosses[i], k.close.loss, "the loss of micro-batch %d", i)
	}
}

func kernelsGradients(c *check, k *kernelsKit) {
	for _, f := range []*fixture{k.lora, k.full} {
		if f == k.full && !slices.Contains(k.description.Adapters, "full") {
			continue
		}
		k.compareStep(c, f, func(r *kernels.BindRequest) { r.Settings.Optimizer.MaxGradNorm = 1e-3 }, steps(1)[0], "")
	}
}

// compareStep does one step and compares loss, norm and gradients.
func (k *kernelsKit) compareStep(c *check, f *fixture, change func(*kernels.BindRequest), one *kernels.Step, what string) {
	s, ref := k.open(c, f, change), k.reference(c, f, change)
	one, got := s.unskipped(one)
	want := ref.run(one)[0]
	gradients, wanted := s.readAll(kernels.TensorGradient), ref.readAll(kernels.TensorGradient)
	off, natural := want, wanted
	if k.rounds() {
		rounded := k.rounded(c, f, change)
		off = rounded.run(one)[0]
		natural = rounded.readAll(kernels.TensorGradient)
	}
	if want.NotFinite || want.GradNorm == 0 || off.NotFinite {
		return // nothing to compare with
	}
	c.near(got.Loss, want.Loss, allow(k.close.loss, relative(off.Loss, want.Loss)), "%sthe loss", what)
	c.auxNear(got, want, allow(k.close.loss, relative(off.Metrics[kernels.AuxLoss], want.Metrics[kernels.AuxLoss])), what)
	c.near(got.GradNorm, want.GradNorm, allow(k.close.gradient, apart(natural, wanted)/want.GradNorm),
		"%sthe norm of the gradient of the mean loss", what)
	// A gradient that is small beside the others has their rounding: one of which nothing
	// remains, such as that of a bias before a norm, is a sum of terms that are not small.
	floor := 3e-3 * want.GradNorm
	for name, w := range wanted {
		size := norm(differences(w, nil))
		limit := allow(k.close.gradient*max(size, floor), norm(differences(natural[name], w)))
		if d := norm(differences(gradients[name], w)); !(d <= limit) {
			c.fail("%sthe gradient of %q is off by %.2g, its norm is %.2g (at most %.2g)", what, name, d, size, limit)
		}
	}
}

// mostSkipped is how often a loss scale is halved until it fits any gradient.
const mostSkipped = 40

// unskipped runs a step, and again as the ones after it while its gradient overflows the
// loss scale: a step that is skipped changes nothing but the scale.
func (s *session) unskipped(one *kernels.Step) (*kernels.Step, *kernels.StepResult) {
	for skipped := 0; ; skipped++ {
		r := s.run(one)[0]
		if !r.Skipped {
			return one, r
		}
		if skipped == mostSkipped {
			s.c.fail("step %d, the last of %d with one batch, is skipped as all of them are", one.Number, mostSkipped+1)
		}
		next := *one
		next.Number++
		one = &next
	}
}

// differences are a − b, or a where there is no b.
func differences(a, b []float32) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = float64(a[i])
		if b != nil {
			out[i] -= float64(b[i])
		}
	}
	return out
}

// apart is the length of the difference of all vectors together.
func apart(a, b map[string][]float32) float64 {
	var lengths []float64
	for name := range b {
		lengths = append(lengths, norm(differences(a[name], b[name])))
	}
	return norm(lengths)
}

func kernelsOps(c *check, k *kernelsKit) {
	fixtures := k.randomFixtures(c)
	if len(fixtures) == 0 {
		c.skip("no random graph is within what it announces")
	}
	for i, f := range fixtures {
		one := step(int64(f.drawn.Step), f.drawn.Batch)
		k.compareStep(c, &f.fixture, f.change, one, fmt.Sprintf("random graph %d (%v): ", i, f.graph.Ops()))
	}
}

func kernelsAccumulation(c *check, k *kernelsKit) {
	d := newDocuments(1, 9, 5, 12, 7)
	ways := []*kernels.Step{
		step(1, pack(d...)),
		step(1, split(d...)...),
		step(1, pack(d[3], d[0]), pack(d[2], d[1])),
	}
	whole := k.open(c, k.lora, nil)
	want := whole.run(ways[0])[0]
	gradients, values := whole.readAll(kernels.TensorGradient), whole.readAll(kernels.TensorValue)
	for i, way := range ways[1:] {
		s := k.open(c, k.lora, nil)
		got := s.run(way)[0]
		c.near(got.Loss, want.Loss, k.close.order, "dealt out in way %d, the loss", i+2)
		c.near(got.Weight, want.Weight, 1e-6, "dealt out in way %d, the weight", i+2)
		c.vectorsNear(s.readAll(kernels.TensorGradient), gradients, 3*k.close.order, "the gradient")
		c.vectorsNear(s.readAll(kernels.TensorValue), values, k.close.order, "the value after the step")
	}
}

func kernelsDropout(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	d := newDocuments(1, 9, 5, 12, 7)
	loss := func(number int64, batches ...*graph.Batch) float64 {
		return k.open(c, k.dropout, nil).run(step(number, batches...))[0].Loss
	}
	ref := k.reference(c, k.dropout, nil).run(step(3, pack(d...)))[0].Loss
	c.near(loss(3, pack(d...)), ref, k.close.loss, "the loss under dropout by the counters that sdk/graph/dropout defines")
	c.near(loss(3, pack(d[2], d[0]), pack(d[3], d[1])), ref, k.close.loss, "the loss, the documents dealt out another way,")
	other := slices.Clone(d)
	other[0].sample += 1000
	different := k.close.loss * 3
	for what, l := range map[string]float64{"another sample": loss(3, pack(other...)), "another step": loss(4, pack(d...))} {
		if relative(l, ref) < different/10 {
			c.fail("%s drops the same: the losses are %.8g and %.8g", what, l, ref)
		}
	}
}

func kernelsObjective(c *check, k *kernelsKit) {
	one := steps(1)[0]
	one.Objective = "no_such_objective"
	_, err := k.open(c, k.lora, nil).try(one)
	c.mustFault(err, "a step with an objective that there is not", fault.Unsupported, fault.BadInput)
}
