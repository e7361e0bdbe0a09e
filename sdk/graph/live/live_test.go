package live_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/graph/live"
	"github.com/honeml/hone/sdk/graph/recompute"
)

func TestBuffers(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("embed.weight", 9, 4)                                // %0
	h := b.Linear(x, "up", 6, graph.RoleMLPUp)                        // %1
	y := b.Map("act", "silu(h)", graph.In("h", h))                    // %2
	z := b.Linear(y, "down", 4, graph.RoleMLPDown)                    // %3
	b.Logits(b.Linear(b.Add(x, z, "add"), "head", 9, graph.RoleHead)) // %4, %5
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 1, Alpha: 1, Targets: []string{"up", "down"}}); err != nil {
		t.Fatal(err)
	}
	s, err := diff.Differentiate(g, diff.Options{Adapter: adapt.DefaultName})
	if err != nil {
		t.Fatal(err)
	}
	// Steps: 0 embed, 1 up, 2 act, 3 down, 4 add, 5 head, 6 loss, then backward 7 head,
	// 8 add, 9 down, 10 act, 11 up.
	check(t, "the whole step", live.Buffers(s), []string{
		"%0 0-11", "%1 1-10", "%2 2-9", "%3 3-4", "%4 4-5", "%5 5-6",
		"d%5 6-7", "d%4 7-8", "d%3 8-9", "d%2 9-10", "d%1 10-11",
	})
	// Without act, which step 9 computes again, from up.
	p := recompute.Plan(s, func(v graph.ValueID) bool { return v != y })
	check(t, "with a value computed again", live.Buffers(p), []string{
		"%0 0-12", "%1 1-11", "%2 2-3", "%3 3-4", "%4 4-5", "%5 5-6",
		"d%5 6-7", "d%4 7-8", "d%3 8-10", "%2 9-10", "d%2 10-11", "d%1 11-12",
	})
	check(t, "the forward pass", live.Buffers(diff.ForwardOnly(g, diff.Options{})), []string{
		"%0 0-4", "%1 1-2", "%2 2-3", "%3 3-4", "%4 4-5", "%5 5-5",
	})
}

func check(t *testing.T, what string, buffers []live.Buffer, want []string) {
	t.Helper()
	var got []string
	for _, b := range buffers {
		d := ""
		if b.Gradient {
			d = "d"
		}
		got = append(got, fmt.Sprintf("%s%%%d %d-%d", d, b.Value, b.From, b.To))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestAccumulated: a gradient lives from its first contribution to the step of the
// node that made the value.
func TestAccumulated(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("embed.weight", 9, 4)
	y := b.Linear(x, "a", 4, graph.RoleMLPUp)
	z := b.Linear(x, "b", 4, graph.RoleMLPUp)
	b.Logits(b.Linear(b.Add(b.Add(y, z, "add"), x, "add"), "head", 9, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s, err := diff.Differentiate(adapt.Full(g), diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Forward 0-5, loss 6, backward: 7 head, 8 add, 9 add, 10 b, 11 a, 12 embed.
	for _, buf := range live.Buffers(s) {
		if buf.Gradient && buf.Value == x && (buf.From != 8 || buf.To != 12) {
			t.Errorf("the embeddings' gradient lives from %d to %d", buf.From, buf.To)
		}
	}
}

// schedules draws schedules, some with values computed again.
func schedules(t *testing.T, rng *rand.Rand) *diff.Schedule {
	t.Helper()
	c := graphtest.Random(rng, graphtest.Options{})
	s, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(4) {
	case 0:
		return recompute.Plan(s, recompute.Layers(c.Graph))
	case 1:
		return recompute.Plan(s, func(graph.ValueID) bool { return rng.IntN(2) == 0 })
	case 2:
		return diff.ForwardOnly(c.Graph, diff.Options{Adapter: c.Adapter})
	}
	return s
}

// TestCovered: each step finds a buffer, and one alone, for all that it touches, the
// one that was last written, and no buffer lives longer than something touches it.
func TestCovered(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	for range 200 {
		s := schedules(t, rng)
		buffers := live.Buffers(s)
		first, last := make([]bool, len(buffers)), make([]bool, len(buffers))
		touch := func(v graph.ValueID, gradient bool, step int) {
			found := 0
			for i, b := range buffers {
				if b.Value == v && b.Gradient == gradient && b.From <= step && step <= b.To {
					found++
					first[i] = first[i] || b.From == step
					last[i] = last[i] || b.To == step
				}
			}
			if found != 1 {
				t.Fatalf("step %d: %d buffers for value %d, gradient %v\n%s", step, found, v, gradient, s.Text())
			}
		}
		for i, step := range s.Steps {
			if step.Kind == diff.Loss {
				touch(s.Graph.Logits, false, i)
				touch(s.Graph.Logits, true, i)
				continue
			}
			n := s.Graph.Nodes[step.Node]
			if step.Kind == diff.Forward {
				for _, v := range slices.Concat(n.Inputs, n.Outputs) {
					touch(v, false, i)
				}
				continue
			}
			for _, v := range step.Reads {
				touch(v, false, i)
			}
			for k, v := range n.Outputs {
				if step.OutputGradients[k] {
					touch(v, true, i)
				}
			}
			for _, in := range step.Inputs {
				touch(in.Value, true, i)
			}
		}
		if slices.Contains(first, false) || slices.Contains(last, false) {
			t.Fatalf("a buffer begins before or ends after it is touched\n%s", s.Text())
		}
	}
}

// TestLayout: buffers that live at the same time do not overlap, offsets are
// aligned, and the piece is not much larger than what is needed at one time.
func TestLayout(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	worst, sum := 0.0, 0.0
	const cases = 300
	for i := range cases {
		var buffers []live.Buffer
		align := []int64{1, 64, 256}[rng.IntN(3)]
		if i%2 == 0 {
			buffers = live.Buffers(schedules(t, rng))
		} else {
			for range rng.IntN(120) {
				from := rng.IntN(100)
				buffers = append(buffers, live.Buffer{From: from, To: from + rng.IntN(30)})
			}
		}
		sizes := make([]int64, len(buffers))
		for k := range sizes {
			// As those of a model: a few sizes, multiples of the alignment, and
			// some odd ones, and nothing.
			sizes[k] = align * []int64{0, 1, 16, 16, 16, 48, 64, 64 + rng.Int64N(100)}[rng.IntN(8)]
			if rng.IntN(8) == 0 {
				sizes[k] = rng.Int64N(2000)
			}
		}
		offsets, total := live.Layout(buffers, sizes, align)
		disjoint(t, buffers, sizes, offsets, total, align)
		again, _ := live.Layout(buffers, sizes, align)
		if !slices.Equal(offsets, again) {
			t.Error("two calls give two layouts")
		}
		peak := live.Peak(buffers, sizes)
		if want := peakByHand(buffers, sizes); peak != want {
			t.Errorf("peak %d, want %d", peak, want)
		}
		if peak > total {
			t.Errorf("a piece of %d bytes for a peak of %d", total, peak)
		}
		// No layout does with less than the peak of the sizes as they are aligned.
		for k, size := range sizes {
			sizes[k] = (size + align - 1) / align * align
		}
		if peak := live.Peak(buffers, sizes); peak > 0 {
			sum += float64(total) / float64(peak) / cases
			worst = max(worst, float64(total)/float64(peak))
		}
	}
	t.Logf("layouts take %.3f of the peak on average, %.3f at worst", sum, worst)
	if sum > 1.03 || worst > 1.4 {
		t.Errorf("layouts take %.3f of the peak on average, %.3f at worst", sum, worst)
	}
}

func disjoint(t *testing.T, buffers []live.Buffer, sizes, offsets []int64, total, align int64) {
	t.Helper()
	for i := range buffers {
		if offsets[i] < 0 || offsets[i]%align != 0 || offsets[i]+sizes[i] > total {
			t.Errorf("buffer %d at %d, %d bytes, in %d, alignment %d", i, offsets[i], sizes[i], total, align)
		}
		for j := range i {
			together := buffers[i].From <= buffers[j].To && buffers[j].From <= buffers[i].To
			apart := offsets[i]+sizes[i] <= offsets[j] || offsets[j]+sizes[j] <= offsets[i]
			if together && !apart && sizes[i] > 0 && sizes[j] > 0 {
				t.Errorf("buffers %+v at %d, %d bytes, and %+v at %d, %d bytes, overlap", buffers[i], offsets[i], sizes[i], buffers[j], offsets[j], sizes[j])
			}
		}
	}
}

func peakByHand(buffers []live.Buffer, sizes []int64) (peak int64) {
	for step := range 1000 {
		now := int64(0)
		for i, b := range buffers {
			if b.From <= step && step <= b.To {
				now += sizes[i]
			}
		}
		peak = max(peak, now)
	}
	return peak
}

// TestLayoutOfModel: for a model of many equal layers the layout is nearly as small
// as can be, with everything kept and with layers computed again.
func TestLayoutOfModel(t *testing.T) {
	s := llama(t, 16)
	for name, keep := range map[string]recompute.Keep{"everything": recompute.Everything, "layers": recompute.Layers(s.Graph)} {
		p := recompute.Plan(s, keep)
		buffers := live.Buffers(p)
		sizes := make([]int64, len(buffers))
		for i, b := range buffers {
			sizes[i] = 1024 * 4 * int64(s.Graph.Values[b.Value].Width)
		}
		offsets, total := live.Layout(buffers, sizes, 256)
		disjoint(t, buffers, sizes, offsets, total, 256)
		peak := live.Peak(buffers, sizes)
		t.Logf("%s kept: %d buffers, %d bytes, peak %d", name, len(buffers), total, peak)
		if float64(total) > 1.05*float64(peak) {
			t.Errorf("%s kept: %d bytes for a peak of %d", name, total, peak)
		}
	}
}

// llama is a model with the widths of SmolLM2-135M, adapters on all linears.
func llama(t testing.TB, layers int) *diff.Schedule {
	t.Helper()
	const hidden, heads, kv, width, inner = 576, 9, 3, 64, 1536
	b := graph.New("Llama")
	x := b.Embed("model.embed_tokens.weight", 2048, hidden)
	for i := range layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", 1e-5)
		q, k := b.Linear(h, "q_proj", heads*width, graph.RoleAttnQ), b.Linear(h, "k_proj", kv*width, graph.RoleAttnK)
		v := b.Linear(h, "v_proj", kv*width, graph.RoleAttnV)
		q = b.RoPE(q, "q", graph.RoPE{Heads: heads, Freq: make([]float32, width/2)})
		k = b.RoPE(k, "k", graph.RoPE{Heads: kv, Freq: make([]float32, width/2)})
		y := b.Attention(q, k, v, "attn", graph.AttentionSpec{Heads: heads, KVHeads: kv, Scale: 0.125})
		x = b.Add(x, b.Linear(y, "o_proj", hidden, graph.RoleAttnO), "attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", 1e-5)
		gate, up := b.Linear(h, "gate_proj", inner, graph.RoleMLPGate), b.Linear(h, "up_proj", inner, graph.RoleMLPUp)
		y = b.Linear(b.Gated(gate, up, "silu", "act"), "down_proj", hidden, graph.RoleMLPDown)
		x = b.Add(x, y, "mlp.residual")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-5), "lm_head", 2048, graph.RoleHead))
	g, err := b.Graph()
	if err == nil {
		g, err = adapt.Apply(g, adapt.LoRA{Rank: 16, Alpha: 16, Targets: []string{adapt.Auto}})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := diff.Differentiate(g, diff.Options{Adapter: adapt.DefaultName})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkLayout(b *testing.B) {
	s := llama(b, 80)
	buffers := live.Buffers(s)
	sizes := make([]int64, len(buffers))
	for i, buf := range buffers {
		sizes[i] = 4096 * 2 * int64(s.Graph.Values[buf.Value].Width)
	}
	for b.Loop() {
		live.Layout(buffers, sizes, 256)
	}
}
