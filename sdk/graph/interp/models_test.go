package interp_test

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// The models of testdata/gen_torch.py as Graphs, every parameter trained.

const vocabulary = 11

var freq = []float32{1, 0.25}

func llama() (*graph.Graph, error) {
	return adaptedLlama(6, adapt.LoRA{Rank: 2, Alpha: 3, RSLoRA: true, LoRABias: true})
}

// doraLlama and pissaLlama are those of testdata/gen_peft.py.
func doraLlama() (*graph.Graph, error) {
	return adaptedLlama(8, adapt.LoRA{Rank: 2, Alpha: 3, RSLoRA: true, DoRA: true, Dropout: 0.4})
}

func pissaLlama() (*graph.Graph, error) {
	return adaptedLlama(8, adapt.LoRA{Rank: 2, Alpha: 3, RSLoRA: true, Init: adapt.InitPiSSA, Dropout: 0.4})
}

func adaptedLlama(hidden int, l adapt.LoRA) (*graph.Graph, error) {
	const heads, kv, width, inner = 4, 2, 4, 10
	b := graph.New("Llama")
	x := b.Embed("model.embed_tokens.weight", vocabulary, hidden)
	for i := range 2 {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", 1e-5)
		q := b.Linear(h, "self_attn.q_proj", heads*width, graph.RoleAttnQ, graph.WithBias(true))
		k := b.Linear(h, "self_attn.k_proj", kv*width, graph.RoleAttnK, graph.WithBias(true))
		v := b.Linear(h, "self_attn.v_proj", kv*width, graph.RoleAttnV, graph.WithBias(true))
		q = b.RoPE(q, "q", graph.RoPE{Heads: heads, Freq: freq})
		k = b.RoPE(k, "k", graph.RoPE{Heads: kv, Freq: freq})
		y := b.Attention(q, k, v, "self_attn", graph.AttentionSpec{Heads: heads, KVHeads: kv, Scale: 0.5})
		x = b.Add(x, b.Linear(y, "self_attn.o_proj", hidden, graph.RoleAttnO), "attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", 1e-5)
		gate := b.Linear(h, "mlp.gate_proj", inner, graph.RoleMLPGate)
		up := b.Linear(h, "mlp.up_proj", inner, graph.RoleMLPUp)
		y = b.Linear(b.Gated(gate, up, "silu", "mlp.act"), "mlp.down_proj", hidden, graph.RoleMLPDown)
		x = b.Add(x, y, "mlp.residual")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-5), "lm_head", vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		return nil, err
	}
	l.Targets = []string{"q_proj", "mlp.down"}
	return adapt.Apply(adapt.Full(g), l)
}

func gemma() (*graph.Graph, error) {
	const hidden, heads, kv, width, inner = 6, 2, 1, 4, 8
	b := graph.New("Gemma")
	norm := func(x graph.ValueID, name string, groups int) graph.ValueID {
		return b.Norm(x, name, graph.NormSpec{Epsilon: 1e-6, PlusOne: true, Groups: groups})
	}
	x := b.EmbedScaled("model.embed_tokens.weight", vocabulary, hidden, math.Sqrt(hidden))
	for i := range 2 {
		b.Scope("model.layers.%d", i)
		h := norm(x, "input_layernorm", 1)
		q := norm(b.Linear(h, "self_attn.q_proj", heads*width, graph.RoleAttnQ), "self_attn.q_norm", heads)
		k := norm(b.Linear(h, "self_attn.k_proj", kv*width, graph.RoleAttnK), "self_attn.k_norm", kv)
		v := b.Linear(h, "self_attn.v_proj", kv*width, graph.RoleAttnV)
		s := graph.AttentionSpec{Heads: heads, KVHeads: kv, Scale: 1 / math.Sqrt(24), Cap: 2}
		if i%2 == 0 {
			s.Window = 3
		}
		q = b.RoPE(q, "q", graph.RoPE{Heads: heads, Freq: freq})
		k = b.RoPE(k, "k", graph.RoPE{Heads: kv, Freq: freq})
		y := b.Linear(b.Attention(q, k, v, "self_attn", s), "self_attn.o_proj", hidden, graph.RoleAttnO)
		x = b.Add(x, norm(y, "post_attention_layernorm", 1), "attn.residual")
		h = norm(x, "pre_feedforward_layernorm", 1)
		gate := b.Linear(h, "mlp.gate_proj", inner, graph.RoleMLPGate)
		up := b.Linear(h, "mlp.up_proj", inner, graph.RoleMLPUp)
		y = b.Linear(b.Gated(gate, up, "gelu_tanh", "mlp.act"), "mlp.down_proj", hidden, graph.RoleMLPDown)
		x = b.Add(x, norm(y, "post_feedforward_layernorm", 1), "mlp.residual")
	}
	b.Scope("")
	table := b.Param("model.embed_tokens.weight", []int{vocabulary, hidden}, graph.RoleEmbed)
	head := b.Linear(norm(x, "model.norm", 1), "lm_head", vocabulary, graph.RoleHead, graph.Tied(table))
	b.Logits(b.SoftCap(head, 5, "cap"))
	return full(b)
}

func odd() (*graph.Graph, error) {
	const hidden = 12
	b := graph.New("Odd")
	x := b.Embed("embed.weight", vocabulary, hidden)
	x = b.Add(x, b.Conv(x, "conv", 3, true), "residual")
	h := b.Norm(x, "ln", graph.NormSpec{Centre: true, Epsilon: 1e-3, Groups: 3, PerColumn: true, Bias: true})
	h = b.Norm(h, "rms", graph.NormSpec{Epsilon: 1e-3, Groups: 3})
	fused := b.Linear(h, "qkv", 30, graph.RoleAttnQKV, graph.WithBias(true))
	parts := b.Split(fused, "split", 2, 8, 4, 3)
	q := b.RoPE(parts[0], "q", graph.RoPE{Heads: 4, Offset: 1, Interleaved: true, Freq: []float32{0.7}, Factor: 1.25})
	k := b.RoPE(parts[1], "k", graph.RoPE{Heads: 2, Freq: []float32{0.9, 0}})
	y := b.Attention(q, k, parts[2], "attn", graph.AttentionSpec{
		Heads: 4, KVHeads: 2, Scale: 0.6, Window: 2, Chunk: 3, Sinks: "sinks",
	})
	shared := b.Linear(h, "shared", 2, graph.RoleMLPUp)
	y = b.Concat("concat", 3, graph.Repeated(shared), graph.Part(y))
	token, group := b.Linear(h, "token", 1, graph.RoleMLPUp), b.Linear(h, "group", 3, graph.RoleMLPUp)
	column, single := b.Param("column", []int{18}, graph.RoleMapParam), b.Param("single", []int{1}, graph.RoleMapParam)
	y = b.Map("mix", "where(y > 0, y * sigmoid(token), expm1(y)) + group * column",
		graph.In("y", y), graph.In("token", token), graph.In("group", group), graph.Par("column", column))
	y = b.Map("position", "y + single * log1p(pos)", graph.In("y", y), graph.Par("single", single))
	b.Logits(b.Linear(y, "head", vocabulary, graph.RoleHead))
	return full(b)
}

func mixture() (*graph.Graph, error) {
	const hidden, inner, experts = 6, 5, 4
	b := graph.New("Mixture")
	x := b.Embed("embed.weight", vocabulary, hidden)
	plain := graph.Route{Experts: experts, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1}
	mixtral, gptOSS, llama4 := plain, plain, plain
	mixtral.TopK, mixtral.Normalise = 2, true
	gptOSS.TopK, gptOSS.After = 3, true
	llama4.TopK, llama4.After, llama4.Sigmoid = 1, true, true
	deepseek := graph.Route{
		Experts: experts, TopK: 2, Sigmoid: true, Groups: 2, Keep: 1, GroupTop: 2,
		Normalise: true, NormEpsilon: 1e-3, Factor: 2.5,
	}
	for i, r := range []graph.Route{mixtral, deepseek, gptOSS, llama4} {
		b.Scope("layers.%d", i)
		if i == 1 {
			r.Bias = b.Param("correction", []int{experts}, graph.RoleRouter)
		}
		indices, weights := b.Route(b.Linear(x, "router", experts, graph.RoleRouter, graph.Float32Out()), "route", r)
		stack := func(name string, out, in int) graph.ExpertLinear {
			o := graph.ExpertLinear{
				Weight: b.Param("experts."+name, []int{experts, out, in}, graph.RoleExpertUp), Bias: graph.NoParam, Experts: experts,
			}
			if i == 2 {
				o.Bias = b.Param("experts."+name+"_bias", []int{experts, out}, graph.RoleExpertUp)
			}
			return o
		}
		up, down := stack("gate_up_proj", 2*inner, hidden), stack("down_proj", hidden, inner)
		if i == 3 {
			h := b.Split(b.WeighedExpertLinear(x, indices, weights, "experts.gate_up_proj", up), "split", 1, inner, inner)
			y := b.ExpertLinear(b.Gated(h[0], h[1], "silu", "act"), indices, "experts.down_proj", down)
			x = b.Add(x, b.CombinePlain(y, "combine"), "residual")
			continue
		}
		h := b.ExpertLinear(x, indices, "experts.gate_up_proj", up)
		var y graph.ValueID
		if i == 2 { // gate and up alternate
			parts := b.Split(h, "split", inner, 1, 1)
			const gate = "min(gate, 0.3)"
			y = b.Map("act", "(max(min(up, 0.2), -0.2) + 1) * "+gate+" * sigmoid(1.702 * "+gate+")", graph.In("gate", parts[0]), graph.In("up", parts[1]))
		} else {
			parts := b.Split(h, "split", 1, inner, inner)
			y = b.Gated(parts[0], parts[1], "silu", "act")
		}
		y = b.ExpertLinear(y, indices, "experts.down_proj", down)
		x = b.Add(x, b.Combine(y, weights, "combine"), "residual")
	}
	b.Scope("")
	b.Logits(b.Linear(x, "head", vocabulary, graph.RoleHead))
	return full(b)
}

// mixtral is the model of testdata/gen_experts.py: an adapter on its experts and
// queries, its routers trained.
func mixtral() (*graph.Graph, error) {
	const hidden, heads, width, inner, experts = 6, 2, 4, 5, 4
	b := graph.New("Mixtral")
	x := b.Embed("model.embed_tokens.weight", vocabulary, hidden)
	for i := range 2 {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", 1e-5)
		q := b.RoPE(b.Linear(h, "self_attn.q_proj", heads*width, graph.RoleAttnQ), "q", graph.RoPE{Heads: heads, Freq: freq})
		k := b.RoPE(b.Linear(h, "self_attn.k_proj", width, graph.RoleAttnK), "k", graph.RoPE{Heads: 1, Freq: freq})
		v := b.Linear(h, "self_attn.v_proj", width, graph.RoleAttnV)
		y := b.Attention(q, k, v, "self_attn", graph.AttentionSpec{Heads: heads, KVHeads: 1, Scale: 0.5})
		x = b.Add(x, b.Linear(y, "self_attn.o_proj", hidden, graph.RoleAttnO), "attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", 1e-5)
		indices, weights := b.Route(b.Linear(h, "mlp.gate", experts, graph.RoleRouter, graph.Float32Out()), "mlp.route", graph.Route{
			Experts: experts, TopK: 2, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1, Normalise: true, Factor: 1,
		})
		stack := func(name string, out, in int, role graph.Role) graph.ExpertLinear {
			return graph.ExpertLinear{Weight: b.Param(name, []int{experts, out, in}, role), Bias: graph.NoParam, Experts: experts}
		}
		const up, down = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"
		parts := b.Split(b.ExpertLinear(h, indices, up, stack(up, 2*inner, hidden, graph.RoleExpertUp)), "mlp.split", 1, inner, inner)
		y = b.ExpertLinear(b.Gated(parts[0], parts[1], "silu", "mlp.act"), indices, down, stack(down, hidden, inner, graph.RoleExpertDown))
		x = b.Add(x, b.Combine(y, weights, "mlp.combine"), "mlp.residual")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-5), "lm_head", vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		return nil, err
	}
	g, err = adapt.Apply(g, adapt.LoRA{Rank: 2, Alpha: 3, Targets: []string{"q_proj", "expert.*"}})
	if err != nil {
		return nil, err
	}
	for _, p := range g.Params {
		p.Trainable = p.Trainable || p.Role == graph.RoleRouter
	}
	return g, nil
}

func full(b *graph.Builder) (*graph.Graph, error) {
	g, err := b.Graph()
	if err != nil {
		return nil, fmt.Errorf("a model of the tests: %w", err)
	}
	return adapt.Full(g), nil
}
