package multimodal_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/model/hfconfig"
	"github.com/honeml/hone/sdk/model/multimodal"
)

// text is a language model without layers. It keeps what it was asked.
type text struct {
	model.Model
	configuration *map[string]any
	tensors       *[]string
}

func (m text) Describe(context.Context) (*model.Description, error) {
	return &model.Description{Name: "text", Version: "1.0.0", Architectures: []string{"TextForCausalLM"}}, nil
}

func (m text) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	if err := json.Unmarshal(req.Configuration, m.configuration); err != nil {
		return nil, err
	}
	c, err := hfconfig.Parse(req.Configuration)
	if err != nil {
		return nil, err
	}
	d := blocks.Decoder{Vocabulary: c.Int("vocab_size", 7), Hidden: 4, Tied: c.Bool("tie_word_embeddings", true)}
	if err := c.Err(); err != nil {
		return nil, err
	}
	b := graph.New(c.Architecture("TextForCausalLM"))
	x := d.Embed(b, req.Untied)
	d.Head(b, b.Linear(x, "model.mix", 4, graph.RoleAttnO), req.Untied)
	return blocks.Finish(b)
}

func (m text) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	*m.tensors = req.Tensors
	out := &model.ToGGUFResponse{Architecture: "text"}
	for _, name := range req.Tensors {
		out.Tensors = append(out.Tensors, model.GGUFTensor{Name: "gguf." + name, Source: graph.FromTensor(name).Plus(1)})
	}
	return out, nil
}

func wrap() (m model.Model, configuration *map[string]any, tensors *[]string) {
	inner := text{configuration: &map[string]any{}, tensors: &[]string{}}
	return multimodal.Wrap(inner, multimodal.Wrapper{
		Architecture: "WholeForConditionalGeneration", Texts: []multimodal.Text{{Type: "text", Architecture: "TextForCausalLM"}},
	}), inner.configuration, inner.tensors
}

func TestDescribe(t *testing.T) {
	m, _, _ := wrap()
	d, err := m.Describe(t.Context())
	if err != nil || !slices.Equal(d.Architectures, []string{"TextForCausalLM", "WholeForConditionalGeneration"}) {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestConfiguration: the language model is built of what is its own and what the whole
// says for it.
func TestConfiguration(t *testing.T) {
	tests := []struct {
		name, whole string
		tied        bool
		dtype       any
	}{
		{"all absent", `"text_config": {}`, true, nil},
		{"the whole's tie and type", `"text_config": {"tie_word_embeddings": true}, "tie_word_embeddings": false, "dtype": "bfloat16"`, false, "bfloat16"},
		{"the text's own type", `"text_config": {"dtype": "float32", "model_type": "text"}, "dtype": "bfloat16"`, true, "float32"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, configuration, _ := wrap()
			_, err := m.Build(t.Context(), &model.BuildRequest{
				Configuration: []byte(`{"architectures": ["WholeForConditionalGeneration"], ` + test.whole + `}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			if c := *configuration; c["tie_word_embeddings"] != test.tied || c["dtype"] != test.dtype {
				t.Errorf("the text's configuration is %v", c)
			}
		})
	}
}

// TestPlaces: modules are called as transformers calls them, tensors also as they are
// in older checkpoints, and the Graph says that it is a part.
func TestPlaces(t *testing.T) {
	m, _, _ := wrap()
	g, err := m.Build(t.Context(), &model.BuildRequest{
		Configuration: []byte(`{"architectures": ["WholeForConditionalGeneration"], "tie_word_embeddings": false, "text_config": {}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Validate(); err != nil {
		t.Error(err)
	}
	if g.Architecture != "WholeForConditionalGeneration" || g.Notes[graph.PartNote] != "model.language_model" {
		t.Errorf("%s, %v", g.Architecture, g.Notes)
	}
	var got []string
	for _, p := range g.Params {
		got = append(got, p.Name+" of "+p.Module+" from "+strings.Join(p.Source.Tensors(), "|"))
	}
	for _, i := range g.Linears() {
		got = append(got, g.Nodes[i].Name+" of "+g.Nodes[i].Op.(*graph.Linear).Module)
	}
	want := []string{
		"model.language_model.embed_tokens.weight of model.language_model.embed_tokens from " +
			"model.language_model.embed_tokens.weight|language_model.model.embed_tokens.weight",
		"model.language_model.mix.weight of model.language_model.mix from model.language_model.mix.weight|language_model.model.mix.weight",
		"lm_head.weight of lm_head from lm_head.weight|language_model.lm_head.weight|" +
			"model.language_model.embed_tokens.weight|language_model.model.embed_tokens.weight",
		"model.language_model.mix of model.language_model.mix",
		"lm_head of lm_head",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAlone: a language model's own configuration is handed on as it is.
func TestAlone(t *testing.T) {
	m, _, _ := wrap()
	g, err := m.Build(t.Context(), &model.BuildRequest{Configuration: []byte(`{"architectures": ["TextForCausalLM"]}`)})
	if err != nil || g.Params[0].Name != blocks.EmbedName || len(g.Notes) > 0 {
		t.Errorf("%v, %v", g, err)
	}
}

func TestToGGUF(t *testing.T) {
	m, _, tensors := wrap()
	out, err := m.ToGGUF(t.Context(), &model.ToGGUFRequest{
		Configuration: []byte(`{"architectures": ["WholeForConditionalGeneration"], "text_config": {}}`),
		Tensors: []string{
			"model.language_model.norm.weight", "language_model.model.mix.weight", "lm_head.weight", "model.vision_tower.norm.weight",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"model.norm.weight", "model.mix.weight", "lm_head.weight"}; !slices.Equal(*tensors, want) {
		t.Errorf("asked for %q, want %q", *tensors, want)
	}
	var from []string
	for _, tensor := range out.Tensors {
		from = append(from, tensor.Source.Tensors()...)
	}
	if want := []string{"model.language_model.norm.weight", "language_model.model.mix.weight", "lm_head.weight"}; !slices.Equal(from, want) {
		t.Errorf("written from %q, want %q", from, want)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		name, whole string
		code        error
		want        string
	}{
		{"no text", `{}`, fault.InvalidModel, "config.json: text_config: there is none"},
		{"no object", `{"text_config": 3}`, fault.InvalidModel, "config.json: text_config: 3 is not an object"},
		{"another text", `{"text_config": {"model_type": "mamba"}}`, fault.Unsupported,
			`config.json: text_config.model_type: a WholeForConditionalGeneration that holds a "mamba" is not supported`},
		{"type", `{"text_config": {"model_type": []}}`, fault.InvalidModel, "config.json: text_config.model_type: [] is not a string"},
		{"tie", `{"text_config": {}, "tie_word_embeddings": "no"}`, fault.InvalidModel, `config.json: tie_word_embeddings: "no" is not true or false`},
		{"within", `{"text_config": {"vocab_size": 0}}`, fault.InvalidModel,
			"text_config: config.json: vocab_size: 0 is not a whole number from 1 to a billion"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, _, _ := wrap()
			whole := strings.Replace(test.whole, "{", `{"architectures": ["WholeForConditionalGeneration"],`, 1)
			_, err := m.Build(t.Context(), &model.BuildRequest{Configuration: []byte(strings.Replace(whole, ",}", "}", 1))})
			if err == nil || err.Error() != test.want || !errors.Is(err, test.code) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
