// Package multimodal gives the language model inside a model that reads images or
// sound beside text: Gemma 3 from 4 billion parameters on, Mistral Small 3.1. Its
// config.json nests the language model's as text_config, and its modules stand below
// model.language_model. What a run trains and reads is text; the other parts are left
// as they are.
//
// A plugin that builds the language model serves both:
//
//	func main() {
//		model.Serve(multimodal.Wrap(gemma{}, multimodal.Wrapper{
//			Architecture: "Gemma3ForConditionalGeneration",
//			Texts:        []multimodal.Text{{Type: "gemma3_text", Architecture: "Gemma3ForCausalLM"}},
//		}))
//	}
package multimodal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// A Wrapper is an architecture that holds a language model.
type Wrapper struct {
	Architecture string // as in a configuration's "architectures"
	Texts        []Text // what it may hold; the first where text_config does not say
}

// A Text is a language model that stands in others.
type Text struct {
	Type         string // text_config's model_type
	Architecture string // that the plugin builds
}

// Wrap is m, which also answers for the wrappers.
func Wrap(m model.Model, wrappers ...Wrapper) model.Model {
	return wrapped{Model: m, wrappers: wrappers}
}

type wrapped struct {
	model.Model
	wrappers []Wrapper
}

// Describe adds the wrappers to the architectures.
func (w wrapped) Describe(ctx context.Context) (*model.Description, error) {
	d, err := w.Model.Describe(ctx)
	if err != nil {
		return nil, err
	}
	out := *d
	out.Architectures = slices.Clone(d.Architectures)
	for _, wrapper := range w.wrappers {
		out.Architectures = append(out.Architectures, wrapper.Architecture)
	}
	return &out, nil
}

// Build builds the language model and puts it where it stands in the whole.
func (w wrapped) Build(ctx context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	text, whole, err := w.text(req.Configuration)
	if err != nil {
		return nil, err
	}
	if whole == "" {
		return w.Model.Build(ctx, req)
	}
	inner := *req
	inner.Configuration = text
	g, err := w.Model.Build(ctx, &inner)
	if err != nil {
		return nil, fmt.Errorf("text_config: %w", err)
	}
	return place(g, whole), nil
}

// ToGGUF says how the language model alone is written.
func (w wrapped) ToGGUF(ctx context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	text, whole, err := w.text(req.Configuration)
	if err != nil {
		return nil, err
	}
	if whole == "" {
		return w.Model.ToGGUF(ctx, req)
	}
	names := map[string]string{} // by the language model's own
	inner := model.ToGGUFRequest{Configuration: text}
	for _, name := range req.Tensors {
		if own, ok := ownTensor(name); ok {
			names[own] = name
			inner.Tensors = append(inner.Tensors, own)
		}
	}
	answer, err := w.Model.ToGGUF(ctx, &inner)
	if err != nil {
		return nil, fmt.Errorf("text_config: %w", err)
	}
	out := *answer
	out.Tensors = slices.Clone(answer.Tensors)
	for i, t := range out.Tensors {
		out.Tensors[i].Source = t.Source.MapTensors(func(s *graph.Source) *graph.Source {
			if there, ok := names[s.Names[0]]; ok {
				return graph.FromTensor(there)
			}
			return s
		})
	}
	return &out, nil
}

// text is the configuration of the language model, and the architecture that holds
// it; "" for a configuration that is a language model's already.
func (w wrapped) text(configuration []byte) (text []byte, whole string, err error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(w.wrappers, func(wrapper Wrapper) bool {
		return slices.Contains(c.Strings("architectures"), wrapper.Architecture)
	})
	if i < 0 {
		return nil, "", nil
	}
	wrapper := w.wrappers[i]
	nested := c.Object("text_config")
	if nested == nil {
		c.Failf("text_config", "there is none")
		return nil, "", c.Err()
	}
	kind := nested.String("model_type", wrapper.Texts[0].Type)
	k := slices.IndexFunc(wrapper.Texts, func(t Text) bool { return t.Type == kind })
	if k < 0 {
		return nil, "", fault.New(fault.Unsupported, "config.json: text_config.model_type: a %s that holds a %q is not supported", wrapper.Architecture, kind)
	}
	text, err = unwrap(c, configuration, wrapper.Texts[k])
	return text, wrapper.Architecture, err
}

// unwrap is text_config as a configuration of its own. c, the whole model's, says
// whether the head is tied and, where the text does not, of which type the weights are.
func unwrap(c *hfconfig.Config, configuration []byte, text Text) ([]byte, error) {
	tied := c.Bool("tie_word_embeddings", true)
	types := map[string]string{"dtype": c.String("dtype", ""), "torch_dtype": c.String("torch_dtype", "")}
	if err := c.Err(); err != nil {
		return nil, err
	}
	var whole map[string]json.RawMessage
	var out map[string]any
	err := json.Unmarshal(configuration, &whole)
	if err == nil {
		err = json.Unmarshal(whole["text_config"], &out)
	}
	if err != nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	out["architectures"], out["tie_word_embeddings"] = []string{text.Architecture}, tied
	for key, v := range types {
		if v != "" && out["dtype"] == nil && out["torch_dtype"] == nil {
			out[key] = v
		}
	}
	return json.Marshal(out)
}

// The beginnings of names. Modules are called as in transformers, tensors also as in
// checkpoints that were published before its version 5.
const (
	own       = "model."
	inside    = "model.language_model."
	published = "language_model."
)

// placed is the path of a module or node of the language model in the whole.
func placed(path string) string {
	if rest, ok := strings.CutPrefix(path, own); ok {
		return inside + rest
	}
	return path
}

// ownTensor is the name of a tensor of the whole in the language model; false for one
// of another part.
func ownTensor(name string) (string, bool) {
	if rest, ok := strings.CutPrefix(name, inside); ok {
		return own + rest, true
	}
	if rest, ok := strings.CutPrefix(name, published); ok {
		return rest, true
	}
	return name, !strings.HasPrefix(name, own)
}

// place is the Graph of a language model as that of a part of the whole.
func place(text *graph.Graph, whole string) *graph.Graph {
	g := text.Clone()
	g.Architecture = whole
	if g.Notes == nil {
		g.Notes = map[string]string{}
	}
	g.Notes[graph.PartNote] = strings.TrimSuffix(inside, ".")
	for _, n := range g.Nodes {
		n.Name = placed(n.Name)
		switch o := n.Op.(type) {
		case *graph.Linear:
			o.Module = placed(o.Module)
		case *graph.ExpertLinear:
			o.Module = placed(o.Module)
		}
	}
	for _, p := range g.Params {
		p.Name, p.Module = placed(p.Name), placed(p.Module)
		p.Source = p.Source.MapTensors(func(s *graph.Source) *graph.Source {
			var names []string
			for _, name := range s.Names {
				names = append(names, placed(name), published+name)
			}
			return graph.FromTensor(names[0], names[1:]...)
		})
	}
	return g
}
