package plugintest

import (
	"math"
	"reflect"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsOptimizerRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/optimizer", "the update is AdamW's, with decoupled weight decay and bias corrections", kernelsAdamW},
		{"kernels/clipping", "the gradient's norm is clipped where the settings say so", kernelsClipping},
		{"kernels/frozen-stays", "what is not trained does not change", kernelsFrozen},
		{"kernels/not-finite-leaves-parameters", "a step whose loss or gradient is not finite says so and changes nothing", kernelsNotFinite},
	}
}

// compareRun trains some steps and compares the losses and the parameters' change.
func (k *kernelsKit) compareRun(c *check, f *fixture, change func(*kernels.BindRequest)) {
	s, ref := k.open(c, f, change), k.reference(c, f, change)
	before := ref.readAll(kernels.TensorValue)
	all := steps(5)
	for _, st := range all {
		st.LearningRate = 0.02
	}
	got, want := s.run(all...), ref.run(all...)
	off, wanted := want, ref.change(before)
	natural := wanted
	if k.rounds() {
		rounded := k.rounded(c, f, change)
		off = rounded.run(all...)
		natural = rounded.change(before)
	}
	for i := range want {
		c.near(got[i].Loss, want[i].Loss, allow(k.close.loss*2, relative(off[i].Loss, want[i].Loss)), "the loss of step %d", i+1)
	}
	changed := s.change(before)
	for name, w := range wanted {
		limit := allow(k.close.update, distance(natural[name], w))
		if d := distance(changed[name], w); !(d <= limit) {
			c.fail("the change in five steps of %q is off by %.2g of its norm (at most %.1g)", name, d, limit)
		}
	}
}

// change is how far the parameters are from what they were before.
func (s *session) change(before map[string][]float32) map[string][]float32 {
	out := map[string][]float32{}
	for name, x := range s.readAll(kernels.TensorValue) {
		d := make([]float32, len(x))
		for i := range x {
			d[i] = x[i] - before[name][i]
		}
		out[name] = d
	}
	return out
}

func kernelsAdamW(c *check, k *kernelsKit) {
	k.compareRun(c, k.lora, nil)
	if slices.Contains(k.description.Adapters, "full") {
		k.compareRun(c, k.full, nil)
	}
}

func kernelsClipping(c *check, k *kernelsKit) {
	k.compareRun(c, k.lora, func(r *kernels.BindRequest) { r.Settings.Optimizer.MaxGradNorm = 0.05 })
}

func kernelsFrozen(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	s := k.open(c, k.lora, nil)
	batch := pack(newDocuments(9, 20)...)
	before, trained := s.score("", batch)[0], s.score(s.train, batch)[0]
	s.run(steps(3)...)
	if after := s.score("", batch)[0]; !slices.Equal(after, before) {
		c.fail("the model without its adapter is another after three steps")
	}
	if after := s.score(s.train, batch)[0]; slices.Equal(after, trained) {
		c.fail("the model with its adapter is the same after three steps")
	}
}

// kernelsNotFinite has a model in which one token's embedding is no number.
func kernelsNotFinite(c *check, k *kernelsKit) {
	f := *k.lora
	f.values = slices.Clone(f.values)
	table := slices.IndexFunc(f.graph.Params, func(p *graph.Param) bool { return p.Role == graph.RoleEmbed })
	f.values[table] = slices.Clone(f.values[table])
	for i := range hidden {
		f.values[table][(vocabulary-1)*hidden+i] = math.NaN()
	}
	c.must(f.write(k.dir), "writing weights")
	s := k.open(c, &f, nil)
	s.run(steps(1)[0])
	before := s.readAll(kernels.TensorValue)
	bad := newDocuments(5, 9, 6)
	bad[0].ids[4] = vocabulary - 1
	r := s.run(step(2, pack(bad...)))[0]
	if !r.NotFinite {
		c.fail("a step with a token whose embedding is no number has the loss %v and does not count as not finite", r.Loss)
	}
	if after := s.readAll(kernels.TensorValue); !reflect.DeepEqual(after, before) {
		c.fail("it changed a parameter")
	}
	good := s.run(step(3, pack(newDocuments(6, 9)...)))[0]
	if good.NotFinite || math.IsNaN(good.Loss) {
		c.fail("the next step, without that token, is not finite either: the loss is %v", good.Loss)
	}
	for name, values := range s.readAll(kernels.TensorValue) {
		if slices.ContainsFunc(values, func(v float32) bool { return v != v }) {
			c.fail("after the next step %q is no number", name)
		}
	}
}
