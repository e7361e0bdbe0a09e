package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// shape is a Llama's.
type shape struct{ layers, hidden, heads, kv, width, inner, vocabulary int }

var llama8B = shape{32, 4096, 32, 8, 128, 14336, 128256}

// llama is a model of a shape with adapters of rank 16 on all linears of its layers.
func llama(t testing.TB, s shape) *graph.Graph {
	t.Helper()
	return llamaWith(t, s, adapt.LoRA{Rank: 16, Alpha: 32, Targets: []string{"auto"}})
}

// llamaWith is one with other adapters.
func llamaWith(t testing.TB, s shape, l adapt.LoRA) *graph.Graph {
	t.Helper()
	b := graph.New("LlamaForCausalLM")
	x := b.Embed("model.embed_tokens.weight", s.vocabulary, s.hidden)
	freq := make([]float32, s.width/2)
	for i := range s.layers {
		at := func(name string) string { return fmt.Sprintf("model.layers.%d.%s", i, name) }
		norm := graph.NormSpec{Epsilon: 1e-5}
		h := b.Norm(x, at("input_layernorm"), norm)
		q := b.RoPE(b.Linear(h, at("self_attn.q_proj"), s.heads*s.width, graph.RoleAttnQ), at("q_rope"), graph.RoPE{Heads: s.heads, Freq: freq, Factor: 1})
		k := b.RoPE(b.Linear(h, at("self_attn.k_proj"), s.kv*s.width, graph.RoleAttnK), at("k_rope"), graph.RoPE{Heads: s.kv, Freq: freq, Factor: 1})
		v := b.Linear(h, at("self_attn.v_proj"), s.kv*s.width, graph.RoleAttnV)
		a := b.Attention(q, k, v, at("attention"), graph.AttentionSpec{Heads: s.heads, KVHeads: s.kv, Scale: 0.1})
		x = b.Add(x, b.Linear(a, at("self_attn.o_proj"), s.hidden, graph.RoleAttnO), at("add1"))
		h = b.Norm(x, at("post_attention_layernorm"), norm)
		gate, up := b.Linear(h, at("mlp.gate_proj"), s.inner, graph.RoleMLPGate), b.Linear(h, at("mlp.up_proj"), s.inner, graph.RoleMLPUp)
		y := b.Map(at("mlp.act"), "silu(g) * u", graph.In("g", gate), graph.In("u", up))
		x = b.Add(x, b.Linear(y, at("mlp.down_proj"), s.hidden, graph.RoleMLPDown), at("add2"))
	}
	x = b.Norm(x, "model.norm", graph.NormSpec{Epsilon: 1e-5})
	b.Logits(b.Linear(x, "lm_head", s.vocabulary, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	g, err = adapt.Apply(g, l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func planOf(t testing.TB, g *graph.Graph, o Options) (*Engine, error) {
	t.Helper()
	return Bind(&kernels.BindRequest{
		Graph:    g,
		Settings: kernels.Settings{Adapter: adapt.DefaultName, Precision: "bf16", MaxLength: 2048, TokensPerStep: 8192},
		Phases:   kernels.Phases{Train: true, Score: true},
	}, o)
}

// TestMemoryLimits: each limit is kept, at a price that grows as limits shrink.
func TestMemoryLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("plans of a large model")
	}
	g := llama(t, llama8B)
	slowest := 0.0
	for _, gib := range []float64{72, 40, 30, 24, 17.7} {
		for _, offload := range []bool{false, true} {
			begun := time.Now()
			e, err := planOf(t, g, Options{Recompute: RecomputeAuto, Offload: offload, ContextBytes: 500 << 20, MemoryBytes: int64(gib * (1 << 30))})
			if err != nil {
				t.Errorf("%v GiB, offload %v: %v", gib, offload, err)
				continue
			}
			p, err := e.Plan(nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.1f GiB, offload %v, in %v: %.2f GiB, %.2f on the host, %d tokens at a time, %.0f tok/s", gib, offload, time.Since(begun).Round(time.Millisecond),
				float64(p.TotalBytes())/(1<<30), float64(e.hostBytes())/(1<<30), p.MicroBatchTokens, 1/e.layout.seconds)
			for _, c := range p.Choices {
				t.Logf("    %s, %s: %.2f GiB, %.3f s", c.What, c.Why, float64(c.Bytes)/(1<<30), c.Seconds)
			}
			if p.TotalBytes() > int64(gib*(1<<30)) {
				t.Errorf("the plan takes %s", bytesText(p.TotalBytes()))
			}
			if !offload {
				if e.layout.seconds < 0.999*slowest {
					t.Errorf("%v GiB are faster than more memory: %g s a token, %g", gib, e.layout.seconds, slowest)
				}
				slowest = e.layout.seconds
			}
		}
	}
}

// TestProductChoices: a plan says which linears run on kernels of hone's own.
func TestProductChoices(t *testing.T) {
	for name, test := range map[string]struct {
		g    *graph.Graph
		o    Options
		want string
	}{
		"no GPU was asked": {llama(t, shape{1, 512, 4, 2, 128, 1024, 512}), Options{}, ""},
		"Hopper":           {llama(t, shape{2, 4096, 32, 8, 128, 4096, 32000}), Options{Arch: device.HopperArch, Processors: 132}, "15 linears are one product each with their adapters (the GPU is of sm_90a)"},
		"too small":        {llama(t, shape{1, 512, 4, 2, 128, 1024, 512}), Options{Arch: device.HopperArch, Processors: 132, MicroBatch: 2048}, "products by cuBLASLt (there is too little to do for each multiprocessor)"},
		"another GPU":      {llama(t, shape{1, 512, 4, 2, 128, 1024, 512}), Options{Arch: "sm_80", Processors: 108}, ""},
		"an odd width":     {llama(t, shape{1, 516, 4, 2, 128, 1024, 512}), Options{Arch: device.HopperArch, Processors: 132}, "products by cuBLASLt (a width is no multiple of 8)"},
	} {
		e, err := planOf(t, test.g, test.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range e.productChoices() {
			got = append(got, c.What+" ("+c.Why+")")
		}
		if text := strings.Join(got, "; "); test.want == "" && text != "" || !strings.Contains(text, test.want) {
			t.Errorf("%s: %q, want %q", name, text, test.want)
		}
	}
}

// TestAttentionChoices: a plan says which attentions run on slower kernels.
func TestAttentionChoices(t *testing.T) {
	for name, test := range map[string]struct {
		width int
		arch  string
		want  string
	}{
		"heads of 128, Hopper": {128, device.HopperArch, ""}, "heads of 128": {128, "sm_80", ""}, "heads of 96": {96, "sm_80", ""},
		"heads of 96, Hopper": {96, device.HopperArch, "attention (1) on slower kernels (the fastest are for heads of 64, 128 or 256 columns)"},
		"heads of 20":         {20, "sm_80", "attention (1) on slower kernels (there are no tensor cores for heads of 20 and 20 columns)"},
	} {
		e, err := planOf(t, llama(t, shape{1, 512, 4, 2, test.width, 1024, 512}), Options{Arch: test.arch, Processors: 132, SharedBytes: 227 << 10})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range e.attentionChoices() {
			got += c.What + " (" + c.Why + ")"
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestLimitThatCannotBeMet names the least that can.
func TestLimitThatCannotBeMet(t *testing.T) {
	g := llama(t, shape{2, 64, 4, 2, 16, 128, 1000})
	_, err := planOf(t, g, Options{Recompute: RecomputeAuto, Offload: true, MemoryBytes: 1 << 20})
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.LimitTooSmall || f.NeedBytes <= 1<<20 || !strings.Contains(f.Hint, "memory_limit") {
		t.Fatalf("%v", err)
	}
	if _, err := planOf(t, g, Options{Recompute: RecomputeAuto, Offload: true, MemoryBytes: f.NeedBytes}); err != nil {
		t.Errorf("the limit that is named cannot be met: %v", err)
	}
}

func TestPreviousTokens(t *testing.T) {
	g := llama(t, shape{2, 64, 4, 2, 16, 128, 1000})
	e, err := planOf(t, g, Options{MicroBatch: 4096})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := PreviousTokens(p.Bound); n != 4096 {
		t.Errorf("%d tokens", n)
	}
	if again, err := e.Plan(p.Bound); err != nil || !again.SameAsPrevious {
		t.Errorf("the same plan counts as another: %v", err)
	}
	if other, err := e.Plan([]byte(`{"format":1,"tokens":512}`)); err != nil || other.SameAsPrevious {
		t.Errorf("another plan counts as the same: %v", err)
	}
	if n := PreviousTokens([]byte("x")); n != 0 {
		t.Errorf("%d tokens of no plan", n)
	}
}

// TestMostDoRARank: an adapter with magnitudes and a larger rank than there are kernels for
// is refused before anything is laid out, in words.
func TestMostDoRARank(t *testing.T) {
	b := graph.New("Small")
	b.Logits(b.Linear(b.Embed("embed.weight", 16, 8), "head", 16, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 2000, Alpha: 4, DoRA: true, Targets: []string{"head"}}); err != nil {
		t.Fatal(err)
	}
	_, err = planOf(t, g, Options{})
	var f *fault.Error
	const want = `node "head": cuda-kernels runs adapters with DoRA up to a rank of 1280, this one has 2000`
	if !errors.As(err, &f) || f.Code != fault.Unsupported || f.Error() != want || !strings.Contains(f.Hint, "dora") {
		t.Errorf("%v, want %s", err, want)
	}
}
