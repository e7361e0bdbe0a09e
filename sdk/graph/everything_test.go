package graph_test

import (
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// everything is a Graph with every operation and every attribute, as no model is.
func everything(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("EverythingForCausalLM")
	b.MaxLength(2048)
	b.Note("rope", "default, theta 10000")
	b.Note("from", "a test")
	x := b.EmbedScaled("model.embed.weight", 32, 8, 2.5, graph.From(graph.FromTensor("model.embed.weight", "lm_head.weight")))
	b.Scope("model.layers.0")
	h := b.Norm(x, "norm", graph.NormSpec{Centre: true, Epsilon: 1e-5, Bias: true})
	q := b.Linear(h, "attn.q", 8, graph.RoleAttnQ, graph.WithBias(true),
		graph.WeightFrom(graph.FromTensor("fused").Slice(0, 0, 8, 1)), graph.BiasFrom(graph.FromTensor("fused.bias").Slice(0, 0, 8, 1)))
	kv := b.Linear(h, "attn.kv", 10, graph.RoleAttnQKV)
	parts := b.Split(kv, "attn.split", 2, 4, 1)
	q = b.Norm(q, "attn.q_norm", graph.NormSpec{Epsilon: 1e-6, Groups: 2, PlusOne: true})
	k := b.Norm(parts[0], "attn.k_norm", graph.NormSpec{Epsilon: 1e-6, Groups: 2, NoWeight: true})
	q = b.RoPE(q, "attn.q_rope", graph.RoPE{Heads: 2, Offset: 1, Interleaved: true, Freq: []float32{1}, Factor: 1.5})
	k = b.RoPE(k, "attn.k_rope", graph.RoPE{Heads: 2, Freq: []float32{1, 0.25}})
	y := b.Attention(q, k, parts[1], "attn", graph.AttentionSpec{
		Heads: 2, KVHeads: 2, Scale: 0.5, Window: 16, Chunk: 64, Cap: 30, Sinks: "attn.sinks",
	})
	y = b.Concat("attn.concat", 2, graph.Part(y), graph.Repeated(x))
	x = b.Add(x, b.Linear(y, "attn.o", 8, graph.RoleAttnO), "attn.residual")
	b.Scope("model.layers.1")
	x = b.Conv(x, "conv", 3, true)
	router := b.Linear(x, "router", 4, graph.RoleRouter, graph.Float32Out())
	indices, weights := b.Route(router, "route", graph.Route{
		Experts: 4, TopK: 2, Sigmoid: true, Bias: b.Param("route.bias", []int{4}, graph.RoleRouter),
		Groups: 2, Keep: 1, GroupTop: 2, Normalise: true, NormEpsilon: 1e-20, Factor: 2.5, Balance: 0.01,
	})
	up := b.Param("experts.up", []int{4, 6, 8}, graph.RoleExpertUp,
		graph.From(graph.StackSources(0, graph.FromTensor("e.0"), graph.FromTensor("e.1"), graph.FromTensor("e.2"), graph.FromTensor("e.3"))))
	down := b.Param("experts.down", []int{4, 8, 3}, graph.RoleExpertDown, graph.From(graph.FromTensor("down").Permute(0, 2, 1)))
	bias := b.Param("experts.bias", []int{4, 6}, graph.RoleExpertUp)
	e := b.ExpertLinear(x, indices, "experts.up", graph.ExpertLinear{Weight: up, Bias: bias, Experts: 4})
	halves := b.Split(e, "experts.split", 1, 3, 3)
	e = b.ExpertLinear(b.Gated(halves[0], halves[1], "silu", "experts.act"), indices, "experts.down",
		graph.ExpertLinear{Weight: down, Bias: graph.NoParam, Experts: 4})
	y = b.Combine(e, weights, "combine")
	scale := b.Param("scale", []int{8}, graph.RoleMapParam, graph.From(graph.FromTensor("scale").Plus(1).Else(graph.FromTensor("other").Reshape(8))))
	x = b.Map("mix", "x + w * y * log1p(pos)", graph.In("x", x), graph.In("y", y), graph.Par("w", scale))
	b.Scope("")
	b.Logits(b.SoftCap(b.Linear(b.RMSNorm(x, "norm", 1e-5), "lm_head", 32, graph.RoleHead), 15, "cap"))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	g, err = adapt.Apply(g, adapt.LoRA{
		Rank: 2, Alpha: 4, RSLoRA: true, Dropout: 0.05, LoRABias: true, Bias: adapt.BiasLoRAOnly, Targets: []string{"q", "attn.o"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// node is the node of that name.
func node(t testing.TB, g *graph.Graph, name string) *graph.Node {
	t.Helper()
	for _, n := range g.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %q", name)
	return nil
}

// op is the operation of the node of that name, which is a T.
func op[T graph.Op](t testing.TB, g *graph.Graph, name string) T {
	t.Helper()
	o, ok := node(t, g, name).Op.(T)
	if !ok {
		t.Fatalf("node %q is a %s", name, node(t, g, name).Op.Name())
	}
	return o
}

// param is the id of the parameter of that name.
func param(t testing.TB, g *graph.Graph, name string) graph.ParamID {
	t.Helper()
	for _, p := range g.Params {
		if p.Name == name {
			return p.ID
		}
	}
	t.Fatalf("no parameter %q", name)
	return graph.NoParam
}
