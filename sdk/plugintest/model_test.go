package plugintest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/plugintest/internal/sample"
)

func TestSampleModel(t *testing.T) {
	plugintest.Model(t, func() model.Model { return sample.Tiny{} }, plugintest.ModelOptions{})
	tied := []byte(`{"architectures": ["TinyForCausalLM"], "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1,
		"intermediate_size": 24, "num_attention_heads": 2, "rms_norm_eps": 1e-6, "tie_word_embeddings": true}`)
	plugintest.Model(t, func() model.Model { return sample.Tiny{} }, plugintest.ModelOptions{Configurations: [][]byte{tied}})
}

// A brokenModel is the sample with one thing wrong.
type brokenModel struct {
	sample.Tiny
	describe func(*model.Description)
	request  func(*model.BuildRequest)
	graph    func(*graph.Graph) *graph.Graph
	err      func(error) error
	from     func(*model.FromGGUFResponse)
	to       func(*model.ToGGUFResponse)
	fromErr  func(error) error
}

func (b *brokenModel) Describe(ctx context.Context) (*model.Description, error) {
	d, err := b.Tiny.Describe(ctx)
	if b.describe != nil {
		b.describe(d)
	}
	return d, err
}

func (b *brokenModel) Build(ctx context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	if b.request != nil {
		c := *req
		b.request(&c)
		req = &c
	}
	g, err := b.Tiny.Build(ctx, req)
	switch {
	case err != nil && b.err != nil:
		err = b.err(err)
	case err == nil && b.graph != nil:
		g = b.graph(g)
	}
	return g, err
}

func (b *brokenModel) FromGGUF(ctx context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	out, err := b.Tiny.FromGGUF(ctx, req)
	if err == nil && b.from != nil {
		b.from(out)
	}
	if err != nil && b.fromErr != nil {
		err = b.fromErr(err)
	}
	return out, err
}

func (b *brokenModel) ToGGUF(ctx context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	out, err := b.Tiny.ToGGUF(ctx, req)
	if err == nil && b.to != nil {
		b.to(out)
	}
	return out, err
}

// brokenModels are models that each break a rule, by the rule and what is wrong.
func brokenModels() []struct {
	id, what string
	m        *brokenModel
} {
	var builds atomic.Int64
	return []struct {
		id, what string
		m        *brokenModel
	}{
		{"model/describe", "an architecture twice", &brokenModel{describe: func(d *model.Description) {
			d.Architectures = append(d.Architectures, d.Architectures[0])
		}}},
		{"model/graph-valid", "another architecture's name", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			g.Architecture = "OtherForCausalLM"
			return g
		}}},
		{"model/graph-valid", "an input from nowhere", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			g.Nodes[3].Inputs[0] = 1000
			return g
		}}},
		{"model/graph-valid", "everything is trained", &brokenModel{graph: adapt.Full}},
		{"model/parameters-have-sources", "a module that PEFT does not know", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			g.Params[2].Module = "layer zero"
			return g
		}}},
		{"model/graph-runs", "a norm that divides by zero", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			for _, n := range g.Nodes {
				if a, ok := n.Op.(*graph.Attention); ok {
					a.Scale = 1e308
				}
			}
			return g
		}}},
		{"model/length-fixed", "deaf to the length", &brokenModel{request: func(r *model.BuildRequest) { r.MaxLength = 0 }}},
		{"model/untied", "deaf to the tie", &brokenModel{request: func(r *model.BuildRequest) { r.Untied = false }}},
		{"model/build-deterministic", "a note that counts", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			g.Notes["built"] = fmt.Sprint(builds.Add(1))
			return g
		}}},
		{"model/concurrent", "one at a time", &brokenModel{graph: func(g *graph.Graph) *graph.Graph {
			if builds.Add(1)%5 == 0 {
				g.Nodes[0].Name = "another"
			}
			return g
		}}},
		{"model/broken-configuration-refused", "a plain error", &brokenModel{err: func(error) error { return errors.New("no") }}},
		{"model/bad-value-named", "an error without the key", &brokenModel{err: func(error) error {
			return fault.New(fault.InvalidModel, "the configuration makes no sense")
		}}},
		{"model/unknown-activation-named", "another in its place", &brokenModel{request: func(r *model.BuildRequest) {
			r.Configuration = bytes.Replace(r.Configuration, []byte("no_such_activation"), []byte("silu"), 1)
		}}},
		{"model/gguf-round-trip", "a tensor is forgotten", &brokenModel{to: func(r *model.ToGGUFResponse) { r.Tensors = r.Tensors[1:] }}},
		{"model/gguf-round-trip", "rows are not put back", &brokenModel{from: func(r *model.FromGGUFResponse) {
			name := "model.layers.0.self_attn.q_proj.weight"
			r.Tensors[name] = graph.FromTensor("blk.0.attn_q.weight")
		}}},
		{"model/gguf-round-trip", "another epsilon", &brokenModel{to: func(r *model.ToGGUFResponse) {
			r.Metadata["tiny.attention.layer_norm_rms_epsilon"] = float32(0.1)
		}}},
		{"model/gguf-refuses-nonsense", "a plain error", &brokenModel{fromErr: func(error) error { return errors.New("no") }}},
	}
}

func TestBrokenModels(t *testing.T) {
	for _, tt := range brokenModels() {
		t.Run(tt.id+", "+tt.what, func(t *testing.T) {
			report := plugintest.CheckModel(t.Context(), plugintest.InProcess(func() model.Model { return tt.m }),
				plugintest.ModelOptions{Only: []string{tt.id}})
			mustRefuse(t, report, tt.id)
		})
	}
}

// TestModelWithoutConfiguration: where there is nothing to build, rules are skipped, not
// kept.
func TestModelWithoutConfiguration(t *testing.T) {
	m := &brokenModel{err: func(err error) error { return err }, request: func(r *model.BuildRequest) { r.Configuration = []byte("{") }}
	report := plugintest.CheckModel(t.Context(), plugintest.InProcess(func() model.Model { return m }), plugintest.ModelOptions{})
	skipped := 0
	for _, r := range report.Results {
		if r.Outcome == plugintest.Skipped {
			skipped++
		}
	}
	if skipped < 8 || len(report.Failures()) > 0 {
		t.Errorf("%d rules are skipped: %+v", skipped, report.Results)
	}
}
