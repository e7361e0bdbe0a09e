package plugintest

import (
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsBalanceRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/balance-matches-interpreter", "balancing losses of routes are in the gradients and in a metric of their own, not in the loss", kernelsBalance},
		{"kernels/balance-by-document", "they are those of documents, however these are dealt out to micro-batches", kernelsBalanceByDocument},
		{"kernels/balance-refused", "a graph with a balancing loss is refused by a plugin that does not announce them", kernelsBalanceRefused},
	}
}

// balances reports whether the plugin announces that it trains balancing losses.
func (k *kernelsKit) balances() bool {
	return slices.Contains(k.description.Capabilities, kernels.ExpertBalance)
}

// balancedFixtures are random graphs with balancing losses, and micro-batches of several
// documents that have a weight.
func (k *kernelsKit) balancedFixtures(c *check) []*randomFixture {
	if !k.balances() {
		c.skip("the plugin does not announce %q", kernels.ExpertBalance)
	}
	fixtures := k.drawFixtures(c, 4, func(int) graphtest.Options {
		return graphtest.Options{Balance: true}
	}, func(g *graphtest.Case) bool {
		weighty := 0
		for _, b := range documentsOf(g.Batch) {
			if b.TotalWeight() > 0 {
				weighty++
			}
		}
		return weighty > 1 && balanceCounts(g.Graph)
	})
	if len(fixtures) == 0 {
		c.skip("no random graph with a balancing loss is within what it announces")
	}
	return fixtures
}

// balanceCounts reports whether g has a balancing loss that the logits depend on.
func balanceCounts(g *graph.Graph) bool {
	return slices.ContainsFunc(diff.ForwardOnly(g, diff.Options{}).Steps, func(s diff.Step) bool {
		return graph.Balances(g.Nodes[s.Node].Op)
	})
}

// documentsOf puts each document of a micro-batch into one of its own.
func documentsOf(b *graph.Batch) []*graph.Batch {
	var out []*graph.Batch
	for start := 0; start < b.Tokens(); {
		end := int(b.DocEnd[start])
		alone := &graph.Batch{}
		alone.Append(b.Sample[start], b.ID[start:end], b.Weight[start:end])
		out, start = append(out, alone), end
	}
	return out
}

// auxNear fails the rule unless a step reports balancing losses as the reference does.
func (c *check) auxNear(got, want *kernels.StepResult, limit float64, what string) {
	w, balanced := want.Metrics[kernels.AuxLoss]
	g, reported := got.Metrics[kernels.AuxLoss]
	if balanced != reported {
		c.fail("%sthe graph has balancing losses: %v; the metric %q is reported: %v", what, balanced, kernels.AuxLoss, reported)
	}
	c.near(g, w, limit, "%sthe metric %q", what, kernels.AuxLoss)
}

func kernelsBalance(c *check, k *kernelsKit) {
	for i, f := range k.balancedFixtures(c) {
		one := step(int64(f.drawn.Step), f.drawn.Batch)
		k.compareStep(c, &f.fixture, f.change, one, fmt.Sprintf("random graph %d with balancing losses: ", i))
	}
}

func kernelsBalanceByDocument(c *check, k *kernelsKit) {
	for i, f := range k.balancedFixtures(c) {
		whole, apart := k.open(c, &f.fixture, f.change), k.open(c, &f.fixture, f.change)
		want, got := alike(int64(f.drawn.Step), whole, apart, f.drawn.Batch)
		if want.NotFinite || got.NotFinite || want.GradNorm == 0 {
			continue // nothing to compare with
		}
		what := fmt.Sprintf("random graph %d, each document in a micro-batch of its own: ", i)
		c.auxNear(got, want, k.close.order, what)
		gradients, wanted := apart.readAll(kernels.TensorGradient), whole.readAll(kernels.TensorGradient)
		for name, w := range wanted {
			limit := 3 * k.close.order * max(norm(differences(w, nil)), 0.1*want.GradNorm)
			if d := norm(differences(gradients[name], w)); !(d <= limit) {
				c.fail("%sthe gradient of %q is off by %.2g (at most %.2g)", what, name, d, limit)
			}
		}
	}
}

// alike runs a step of a micro-batch with one session, and of its documents each by itself
// with the other: the first step that neither skips. Nothing is learned meanwhile.
func alike(number int64, whole, apart *session, b *graph.Batch) (of, ofEach *kernels.StepResult) {
	for range mostSkipped {
		one, each := step(number, b), step(number, documentsOf(b)...)
		one.LearningRate, each.LearningRate = 0, 0
		of, ofEach = whole.run(one)[0], apart.run(each)[0]
		if !of.Skipped && !ofEach.Skipped {
			break
		}
		number++
	}
	return of, ofEach
}

func kernelsBalanceRefused(c *check, k *kernelsKit) {
	if k.balances() {
		c.skip("the plugin announces %q", kernels.ExpertBalance)
	}
	g, err := lackingGraph("route")
	c.must(err, "making a graph with route")
	for _, op := range g.Ops() {
		if !slices.Contains(k.description.Ops, op) {
			c.skip("the plugin lacks %s", op)
		}
	}
	if !slices.Contains(k.description.Adapters, "full") {
		c.skip("the plugin does not train full")
	}
	g, err = adapt.Balance(adapt.Full(g), 0.01)
	c.must(err, "giving it a balancing loss")
	req := k.request(k.lora)
	req.Graph, req.Settings.Adapter, req.Phases = g, "", kernels.Phases{Train: true}
	_, err = start(c, k.start).Service.Bind(c, req)
	c.mustBe(err, fault.Unsupported, "Bind of a graph with a balancing loss")
}
