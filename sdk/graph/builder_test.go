package graph_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

// TestBuilderErrors: each mistake is found where it is made, and named.
func TestBuilderErrors(t *testing.T) {
	freq := []float32{1}
	up := graph.RoleMLPUp
	for _, test := range []struct {
		name  string
		build func(b *graph.Builder, x graph.ValueID)
		want  string
	}{
		{"a width of 0", func(b *graph.Builder, x graph.ValueID) { b.Linear(x, "up", 0, up) }, `parameter "layer.up.weight": its shape is [0 8]`},
		{"a negative width", func(b *graph.Builder, x graph.ValueID) { b.Linear(x, "up", -3, up) }, `its shape is [-3 8]`},
		{"a width beyond all", func(b *graph.Builder, x graph.ValueID) { b.Linear(x, "up", 1<<27, up) }, `output 0 would have 134217728 columns`},
		{"a role of capitals", func(b *graph.Builder, x graph.ValueID) { b.Linear(x, "up", 4, "MLP") }, `its role is "MLP"`},
		{"no name", func(b *graph.Builder, _ graph.ValueID) { b.Scope(""); b.Param("", []int{1}, up) }, `parameter "": it has no name`},
		{"a parameter with two shapes", func(b *graph.Builder, x graph.ValueID) { b.Linear(x, "up", 4, up); b.Linear(x, "up", 5, up) },
			`parameter "layer.up.weight": shape [5 8], declared before with [4 8]`},
		{"tied to another width", func(b *graph.Builder, x graph.ValueID) {
			b.Linear(x, "head", 7, graph.RoleHead, graph.Tied(b.Param("up.weight", []int{6, 8}, up)))
		}, `layer.head (linear): it is to give 7 columns, its weight "layer.up.weight" gives 6`},
		{"tied to another input", func(b *graph.Builder, x graph.ValueID) {
			b.Linear(x, "head", 6, graph.RoleHead, graph.Tied(b.Param("up.weight", []int{6, 9}, up)))
		}, `layer.head (linear): input has width 8, weight "layer.up.weight" takes 9`},
		{"tied to a vector", func(b *graph.Builder, x graph.ValueID) {
			b.Linear(x, "head", 6, graph.RoleHead, graph.Tied(b.Param("up.weight", []int{6}, up)))
		}, `weight "layer.up.weight" has shape [6], want 2 dimensions`},
		{"a source without names", func(b *graph.Builder, x graph.ValueID) {
			b.Linear(x, "up", 4, up, graph.WeightFrom(&graph.Source{Op: graph.SourceTensor}))
		}, "a tensor without a name"},
		{"no source", func(b *graph.Builder, _ graph.ValueID) { b.Param("p", []int{4}, up, graph.From(nil)) }, "needs either a source or an initialisation"},
		{"groups that do not divide", func(b *graph.Builder, x graph.ValueID) { b.Norm(x, "norm", graph.NormSpec{Epsilon: 1, Groups: 3}) },
			"layer.norm (norm): 3 groups of a width of 8"},
		{"an epsilon below 0", func(b *graph.Builder, x graph.ValueID) { b.RMSNorm(x, "norm", -1) }, "epsilon is -1"},
		{"an infinite scale", func(b *graph.Builder, _ graph.ValueID) { b.EmbedScaled("e", 4, 4, math.Inf(1)) }, "scale is +Inf"},
		{"heads that do not divide", func(b *graph.Builder, x graph.ValueID) { b.RoPE(x, "q", graph.RoPE{Heads: 3, Freq: freq}) }, "layer.q (rope): 3 heads of a width of 8"},
		{"no frequencies", func(b *graph.Builder, x graph.ValueID) { b.RoPE(x, "q", graph.RoPE{Heads: 2}) }, "rotates 0 columns from 0 of a head of 4"},
		{"too many frequencies", func(b *graph.Builder, x graph.ValueID) {
			b.RoPE(x, "q", graph.RoPE{Heads: 2, Offset: 1, Freq: []float32{1, 2}})
		}, "rotates 4 columns from 1 of a head of 4"},
		{"query heads not a multiple", func(b *graph.Builder, x graph.ValueID) {
			b.Attention(x, x, x, "attn", graph.AttentionSpec{Heads: 4, KVHeads: 8, Scale: 1})
		}, "layer.attn (attention): 4 heads of 2 and 1 columns over 8 key heads"},
		{"no heads", func(b *graph.Builder, x graph.ValueID) { b.Attention(x, x, x, "attn", graph.AttentionSpec{Scale: 1}) }, "0 heads of 0 and 0 columns"},
		{"keys of another width", func(b *graph.Builder, x graph.ValueID) {
			b.Attention(x, b.Linear(x, "k", 6, up), x, "attn", graph.AttentionSpec{Heads: 2, KVHeads: 2, Scale: 1})
		}, "keys have width 6, want 2 heads of 4"},
		{"values of a broken width", func(b *graph.Builder, x graph.ValueID) {
			b.Attention(x, x, b.Linear(x, "v", 7, up), "attn", graph.AttentionSpec{Heads: 2, KVHeads: 2, Scale: 1})
		}, "values have width 7, want 2 heads of 3"},
		{"a negative window", func(b *graph.Builder, x graph.ValueID) {
			b.Attention(x, x, x, "attn", graph.AttentionSpec{Heads: 2, KVHeads: 2, Window: -1})
		}, "window -1"},
		{"an unknown argument", func(b *graph.Builder, x graph.ValueID) { b.Map("m", "x * y", graph.In("x", x)) }, `layer.m (map): expression "x * y": at byte 5: "y" is no argument`},
		{"an unused argument", func(b *graph.Builder, x graph.ValueID) { b.Map("m", "x", graph.In("x", x), graph.In("y", x)) }, `argument "y" is not used`},
		{"a width that does not divide", func(b *graph.Builder, x graph.ValueID) {
			b.Map("m", "x + y", graph.In("x", x), graph.In("y", b.Linear(x, "y", 3, up)))
		}, `argument "y" has width 3, which does not divide 8`},
		{"a parameter of another width", func(b *graph.Builder, x graph.ValueID) {
			b.Map("m", "x + w", graph.In("x", x), graph.Par("w", b.Param("w", []int{4}, graph.RoleMapParam)))
		}, `argument "w", parameter "layer.w" has shape [4], want [8]`},
		{"a map of nothing", func(b *graph.Builder, _ graph.ValueID) { b.Map("m", "pos") }, "width 0"},
		{"an infinite factor", func(b *graph.Builder, x graph.ValueID) { b.Scale(x, math.Inf(1), "scale") }, `layer.scale (map): expression "x * +Inf"`},
		{"sizes that do not add up", func(b *graph.Builder, x graph.ValueID) { b.Split(x, "split", 2, 3, 2) }, "layer.split (split): 2 groups of [3 2] do not make a width of 8"},
		{"a part of nothing", func(b *graph.Builder, x graph.ValueID) { b.Split(x, "split", 1, 8, 0) }, "a part of size 0"},
		{"no parts to split", func(b *graph.Builder, x graph.ValueID) { b.Split(x, "split", 1) }, "parts of 0 columns in all"},
		{"no parts to join", func(b *graph.Builder, _ graph.ValueID) { b.Concat("concat", 1) }, "layer.concat (concat): 0 inputs"},
		{"a part that does not divide", func(b *graph.Builder, x graph.ValueID) { b.Concat("concat", 3, graph.Part(x)) }, "input 0 has width 8, want 6"},
		{"no groups", func(b *graph.Builder, x graph.ValueID) { b.Concat("concat", 0, graph.Part(x)) }, "0 groups"},
		{"a kernel of nothing", func(b *graph.Builder, x graph.ValueID) { b.Conv(x, "conv", 0, false) }, `its shape is [8 0]`},
		{"a kernel beyond all", func(b *graph.Builder, x graph.ValueID) { b.Conv(x, "conv", 65, false) }, "layer.conv (conv): a kernel of 65 taps"},
		{"more experts chosen than there are", func(b *graph.Builder, x graph.ValueID) {
			b.Route(x, "route", graph.Route{Experts: 8, TopK: 9, Bias: graph.NoParam, Groups: 1, Keep: 1, GroupTop: 1})
		}, "layer.route (route): top 9 of 8 experts"},
		{"no value", func(b *graph.Builder, _ graph.ValueID) { b.RMSNorm(99, "norm", 1) }, "input 99 is no value"},
		{"an error of the plugin's own", func(b *graph.Builder, _ graph.ValueID) { b.Fail(errors.New("kaputt")) }, "kaputt"},
		{"a name with no module", func(b *graph.Builder, x graph.ValueID) { b.Scope(""); b.Linear(x, "", 4, up) }, "has no module path"},
		{"a value as logits that is none", func(b *graph.Builder, _ graph.ValueID) { b.Logits(77) }, "it has no logits"},
		{"a parameter that nothing uses", func(b *graph.Builder, _ graph.ValueID) { b.Param("p", []int{4}, up) }, `no node uses parameter "layer.p"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := graph.New("Test")
			x := b.Embed("embed.weight", 16, 8)
			b.Logits(x)
			b.Scope("layer")
			test.build(b, x)
			// What follows a mistake is ignored, whatever it is.
			b.Scope("")
			b.Fail(errors.New("a later mistake"))
			b.Norm(b.Linear(x, "later", -7, "?"), "later", graph.NormSpec{Groups: 5})
			if test.want == "it has no logits" || strings.Contains(test.want, "no node uses") {
				return // found at the end; see below
			}
			if _, err := b.Graph(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
		t.Run(test.name+", at the end", func(t *testing.T) {
			b := graph.New("Test")
			x := b.Embed("embed.weight", 16, 8)
			b.Logits(x)
			b.Scope("layer")
			test.build(b, x)
			if _, err := b.Graph(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	b := graph.New("Test")
	b.Embed("embed.weight", 16, 8)
	if _, err := b.Graph(); err == nil || !strings.Contains(err.Error(), "Logits was not called") {
		t.Errorf("without logits: %v", err)
	}
}

// TestBuilderNames: scopes, node names that would stand twice, modules and tied
// parameters.
func TestBuilderNames(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("model.embed_tokens.weight", 16, 8)
	b.Scope("model.layers.%d", 3)
	y := b.Linear(x, "mlp.up_proj", 8, graph.RoleMLPUp, graph.WithBias(true))
	y = b.Linear(y, "mlp.up_proj", 8, graph.RoleMLPUp, graph.WithBias(true))
	b.Scope("")
	table := b.Param("model.embed_tokens.weight", []int{16, 8}, graph.RoleEmbed)
	b.Logits(b.Linear(y, "lm_head", 16, graph.RoleHead, graph.Tied(table)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	var nodes, params []string
	for _, n := range g.Nodes {
		nodes = append(nodes, n.Name)
	}
	for _, p := range g.Params {
		params = append(params, p.Name+" of "+p.Module)
	}
	if got, want := strings.Join(nodes, ", "), "model.embed_tokens, model.layers.3.mlp.up_proj, model.layers.3.mlp.up_proj#2, lm_head"; got != want {
		t.Errorf("nodes %s, want %s", got, want)
	}
	if got, want := strings.Join(params, ", "), "model.embed_tokens.weight of model.embed_tokens, "+
		"model.layers.3.mlp.up_proj.weight of model.layers.3.mlp.up_proj, model.layers.3.mlp.up_proj.bias of model.layers.3.mlp.up_proj"; got != want {
		t.Errorf("parameters %s, want %s", got, want)
	}
	if g.Vocabulary() != 16 || strings.Join(g.Ops(), " ") != "embed linear" || len(g.Linears()) != 3 || len(g.Trainable()) != 0 {
		t.Errorf("vocabulary %d, operations %v, linears %v", g.Vocabulary(), g.Ops(), g.Linears())
	}
}
