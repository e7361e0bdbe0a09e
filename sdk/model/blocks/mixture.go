package blocks

import (
	"cmp"
	"fmt"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model/ggufmap"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// A Mixture is a layer of experts, gated MLPs of which a few serve each token
// (Shazeer et al., 2017).
type Mixture struct {
	Experts int // how many there are
	TopK    int // how many serve a token
	Width   int // columns between an expert's linears
}

// mostExperts bounds the Graph: a checkpoint has tensors for each expert of each
// layer. Real models have up to some 25,000 experts in all.
const mostExperts = 1 << 16

// ReadMixture reads how many experts there are, from the first of keys that is there,
// and how many serve a token. absent holds what counts where they are not. What is
// wrong is kept in c.
func (d Decoder) ReadMixture(c *hfconfig.Config, absent Mixture, keys ...string) Mixture {
	const perToken = "num_experts_per_tok"
	key := keys[0]
	for _, other := range keys[1:] {
		if !c.Has(key) {
			key = other
		}
	}
	m := Mixture{Experts: c.Int(key, absent.Experts), TopK: c.Int(perToken, absent.TopK), Width: absent.Width}
	if m.TopK > m.Experts {
		c.Failf(perToken, "%d of %d experts", m.TopK, m.Experts)
	}
	if m.Experts > mostExperts/min(d.Layers, mostExperts) {
		c.Failf(key, "%d experts in each of %d layers, at most %d in all are allowed", m.Experts, d.Layers, mostExperts)
		m.Experts = m.TopK
	}
	return m
}

// ExpertNames are what a checkpoint calls the linears of an expert, relative to the
// layer and without ".weight", with %d for the expert's number.
type ExpertNames struct{ Gate, Up, Down string }

// A RouteSpec says how [Mixture.Choose] makes weights of logits, in the terms of
// [graph.Route]; the zero value is a softmax over all experts.
type RouteSpec struct {
	Sigmoid     bool
	After       bool
	Bias        string // the parameter's name; "": none
	Groups      int    // 0: 1; so are Keep and GroupTop
	Keep        int
	GroupTop    int
	Normalise   bool
	NormEpsilon float64
	Factor      float64 // 0: 1
}

// Choose routes tokens by their logits.
func (m Mixture) Choose(b *graph.Builder, logits graph.ValueID, s RouteSpec) (indices, weights graph.ValueID) {
	op := graph.Route{
		Experts: m.Experts, TopK: m.TopK, Sigmoid: s.Sigmoid, After: s.After, Bias: graph.NoParam,
		Groups: cmp.Or(s.Groups, 1), Keep: cmp.Or(s.Keep, 1), GroupTop: cmp.Or(s.GroupTop, 1),
		Normalise: s.Normalise, NormEpsilon: s.NormEpsilon, Factor: cmp.Or(s.Factor, 1),
	}
	if s.Bias != "" {
		op.Bias = b.Param(s.Bias, []int{m.Experts}, graph.RoleRouter)
	}
	return b.Route(logits, "mlp.route", op)
}

// Mixed is the sum, by weights, of what the chosen experts make of x. Their gates and
// first linears are one parameter, mlp.experts.gate_up_proj, and their last ones
// another, mlp.experts.down_proj, as transformers holds them.
func (d Decoder) Mixed(b *graph.Builder, x, indices, weights graph.ValueID, m Mixture, n ExpertNames) graph.ValueID {
	gateUp := graph.ConcatSources(1, m.stack(b, n.Gate), m.stack(b, n.Up))
	up := b.ExpertLinear(x, indices, ExpertsGateUp, graph.ExpertLinear{
		Experts: m.Experts, Bias: graph.NoParam,
		Weight: b.Param(ExpertsGateUp, []int{m.Experts, 2 * m.Width, d.Hidden}, graph.RoleExpertUp, graph.From(gateUp)),
	})
	parts := b.Split(up, "mlp.experts.split", 1, m.Width, m.Width)
	y := b.ExpertLinear(b.Gated(parts[0], parts[1], d.Activation, "mlp.experts.act"), indices, ExpertsDown, graph.ExpertLinear{
		Experts: m.Experts, Bias: graph.NoParam,
		Weight: b.Param(ExpertsDown, []int{m.Experts, d.Hidden, m.Width}, graph.RoleExpertDown, graph.From(m.stack(b, n.Down))),
	})
	return b.Combine(y, weights, "mlp.combine")
}

// The parameters of all experts of a layer, as transformers and PEFT call them.
const (
	ExpertsGateUp = "mlp.experts.gate_up_proj"
	ExpertsDown   = "mlp.experts.down_proj"
)

// stack is the weights of one linear of all experts.
func (m Mixture) stack(b *graph.Builder, name string) *graph.Source {
	all := make([]*graph.Source, m.Experts)
	for e := range all {
		all[e] = graph.FromTensor(b.Path(fmt.Sprintf(name, e)) + ".weight")
	}
	return graph.StackSources(0, all...)
}

// Pairs are the names in GGUF files of a layer's mixture: of its router and of its
// experts' linears.
func (m Mixture) Pairs(router string, n ExpertNames) []ggufmap.Pair {
	return []ggufmap.Pair{
		{Checkpoint: router, GGUF: "ffn_gate_inp"},
		{Checkpoint: n.Gate, GGUF: "ffn_gate_exps", Experts: m.Experts},
		{Checkpoint: n.Up, GGUF: "ffn_up_exps", Experts: m.Experts},
		{Checkpoint: n.Down, GGUF: "ffn_down_exps", Experts: m.Experts},
	}
}

// GGUFKeys adds the key-values of the mixture to keys, below the architecture's name.
func (m Mixture) GGUFKeys(keys map[string]any) {
	keys["expert_count"], keys["expert_used_count"] = uint32(m.Experts), uint32(m.TopK)
}
