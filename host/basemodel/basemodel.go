// Package basemodel opens the model that a run starts from: it finds the files,
// asks the model plugin that answers for them for a Graph, and checks that the
// files hold what the Graph needs, before anything long begins.
//
// A model is a folder in Hugging Face's layout, a .gguf file, or a name of the
// Hub whose files are in the local cache.
package basemodel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/honeml/hone/host/hub"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/rope"
	"github.com/honeml/hone/sdk/weights"
)

// Plugins finds the model plugin that answers for an architecture.
type Plugins interface {
	// Model starts the plugin that answers for the architecture that a
	// configuration names or, with gguf, for general.architecture, after which
	// model.WithExperts stands where the file has any. The error says what was looked
	// for and what is installed. release ends the use.
	Model(ctx context.Context, architecture string, gguf bool) (m model.Model, release func(), err error)
}

// A Request says which model is opened and for what.
type Request struct {
	Source    string // folder, .gguf file, or hf://OWNER/NAME
	Revision  string // of a name of the Hub
	MaxLength int    // the longest document of the run; 0: the model's own
	Cache     string // of the Hub; hub.Environment
	// Tokens are added to the model's own; nil: none.
	Tokens *Tokens
	// Scaling stretches the model's positions; nil: they stay as they are. A model
	// that cannot be stretched so is a [*ScalingError].
	Scaling *rope.Scaling
}

// A Model is an opened model.
type Model struct {
	// Files are what weights.Open opens: a folder or files.
	Files []string
	// Folder is where configuration and tokenizer stand; "" for a GGUF file.
	Folder string
	// Architecture is what the configuration calls the model.
	Architecture string
	// Configuration is the config.json, or what the plugin made of a GGUF file, with
	// the scaling that was asked for.
	Configuration []byte
	Graph         *graph.Graph
	// Layout holds, by parameter, its source in a checkpoint of Hugging Face's, which a
	// GGUF file, or one with scales, is not.
	Layout     []*graph.Source
	Checkpoint *weights.Checkpoint
	// StoredType is the type of most of the weights: bfloat16, float32, q4_1, …
	StoredType string
	// Known is how many tokens the model had before Tokens were added, and Grown how
	// many rows its tables got for them.
	Known, Grown int

	text *Text // with the tokens that were added; nil: none were
}

// Close unmaps the files.
func (m *Model) Close() error { return m.Checkpoint.Close() }

// Context is the longest document, in tokens, that the model is good for; 0 if
// it does not say.
func (m *Model) Context() int {
	n, err := strconv.Atoi(m.Graph.Notes[rope.ContextNote])
	if err != nil {
		return 0
	}
	return n
}

// Open opens a model.
func Open(ctx context.Context, req Request, plugins Plugins) (*Model, error) {
	m, err := locate(req)
	if err != nil {
		return nil, err
	}
	if m.Checkpoint, err = weights.Open(m.Files...); err != nil {
		return nil, fault.New(fault.BadWeights, "%w", err)
	}
	err = m.open(ctx, req, plugins)
	if err == nil && req.Tokens != nil {
		err = m.addTokens(req.Tokens)
	}
	if err != nil {
		return nil, errors.Join(err, m.Checkpoint.Close())
	}
	return m, nil
}

// locate finds the files of a source.
func locate(req Request) (*Model, error) {
	path := req.Source
	if id, ok := strings.CutPrefix(req.Source, hub.Scheme); ok {
		dir, err := hub.CachedModel(req.Cache, id, req.Revision)
		if err != nil {
			return nil, err
		}
		path = dir
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New(fault.BadWeights, "model %s: %w", req.Source, err)
	}
	if info.IsDir() {
		return &Model{Files: []string{path}, Folder: path}, nil
	}
	m := &Model{Files: []string{path}}
	if !strings.EqualFold(filepath.Ext(path), ".gguf") {
		m.Folder = filepath.Dir(path)
	}
	return m, nil
}

func (m *Model) open(ctx context.Context, req Request, plugins Plugins) error {
	if m.Checkpoint.GGUF() != nil {
		return m.openGGUF(ctx, req, plugins)
	}
	path := filepath.Join(m.Folder, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fault.New(fault.InvalidModel, "model %s: %w", req.Source, err)
	}
	if m.Architecture, err = architecture(data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if m.Configuration, err = scale(data, req.Scaling); err != nil {
		return err
	}
	plugin, release, err := plugins.Model(ctx, m.Architecture, false)
	if err != nil {
		return err
	}
	defer release()
	return m.build(ctx, req, plugin, nil)
}

// architecture is the first of a configuration's "architectures".
func architecture(configuration []byte) (string, error) {
	var c struct {
		Architectures []string `json:"architectures"`
	}
	if err := json.Unmarshal(configuration, &c); err != nil {
		return "", fault.New(fault.InvalidModel, "%w", err)
	}
	if len(c.Architectures) == 0 || c.Architectures[0] == "" {
		return "", fault.New(fault.InvalidModel, "it names no architecture").
			WithHint(`add "architectures", such as ["LlamaForCausalLM"]`)
	}
	return c.Architectures[0], nil
}

// openGGUF lets the plugin make a configuration and a checkpoint of the file.
func (m *Model) openGGUF(ctx context.Context, req Request, plugins Plugins) error {
	file := m.Checkpoint.GGUF()
	name, err := file.String("general.architecture")
	if err != nil {
		return fault.New(fault.InvalidModel, "%s: %w", req.Source, err)
	}
	if n, err := file.Value(name + ".expert_count"); err == nil && widen(n) != uint64(0) {
		name += model.WithExperts
	}
	plugin, release, err := plugins.Model(ctx, name, true)
	if err != nil {
		return err
	}
	defer release()
	ask := &model.FromGGUFRequest{Metadata: map[string]any{}, Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}}
	for _, key := range file.Keys() {
		if strings.HasPrefix(key, "tokenizer.") {
			continue
		}
		if v, err := file.Value(key); err == nil {
			if wide := widen(v); wide != nil {
				ask.Metadata[key] = wide
			}
		}
	}
	for t := range m.Checkpoint.Tensors() {
		ask.Tensors[t.Name] = t.Shape
		if strings.HasPrefix(t.Name, "rope_") && t.Elements() <= 1<<16 {
			values := make([]float32, t.Elements())
			if err := t.Float32(values, 0); err != nil {
				return fault.New(fault.BadWeights, "%w", err)
			}
			ask.RopeFactors[t.Name] = values
		}
	}
	answer, err := plugin.FromGGUF(ctx, ask)
	if err != nil {
		return fmt.Errorf("%s: %w", req.Source, err)
	}
	if m.Configuration, err = scale(answer.Configuration, req.Scaling); err != nil {
		return err
	}
	if m.Architecture, err = architecture(answer.Configuration); err != nil {
		return err
	}
	return m.build(ctx, req, plugin, answer.Tensors)
}

// widen gives a GGUF value one of the types that model.FromGGUFRequest lists, or
// nil for one that has none.
func widen(v any) any {
	switch x := v.(type) {
	case string, bool, int64, uint64, float64, []string, []bool, []int64, []float64:
		return v
	case int8:
		return int64(x)
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case uint8:
		return uint64(x)
	case uint16:
		return uint64(x)
	case uint32:
		return uint64(x)
	case float32:
		return float64(x)
	case []int32:
		return widenAll[int64](x)
	case []uint32:
		return widenAll[int64](x)
	case []float32:
		return widenAll[float64](x)
	}
	return nil
}

func widenAll[W int64 | float64, N int32 | uint32 | float32](narrow []N) []W {
	out := make([]W, len(narrow))
	for i, v := range narrow {
		out[i] = W(v)
	}
	return out
}

// build asks for the Graph and checks the files against it. renamed maps the
// names of a checkpoint to a GGUF file's tensors.
func (m *Model) build(ctx context.Context, req Request, plugin model.Model, renamed map[string]*graph.Source) error {
	ask := &model.BuildRequest{Configuration: m.Configuration, MaxLength: req.MaxLength}
	for {
		g, err := plugin.Build(ctx, ask)
		if err != nil {
			return fmt.Errorf("model %s: %w", req.Source, err)
		}
		m.Layout = make([]*graph.Source, len(g.Params))
		for i, p := range g.Params {
			m.Layout[i] = p.Source
		}
		if renamed != nil {
			if g, err = rename(g, renamed); err != nil {
				return fmt.Errorf("model %s: %w", req.Source, err)
			}
		}
		if g, err = scaled(g, m.Configuration); err != nil {
			return fmt.Errorf("model %s: %w", req.Source, err)
		}
		m.Graph = g
		if req.Scaling != nil && g.Notes[rope.TypeNote] != req.Scaling.Kind {
			return &ScalingError{fault.New(fault.Unsupported, "the plugin that builds %s does not scale positions", m.Architecture)}
		}
		if err := m.check(); err != nil {
			return fmt.Errorf("model %s: %w", req.Source, err)
		}
		if ask.Untied || !m.tieBroken() {
			m.StoredType, err = storedType(m)
			return err
		}
		// Both sides of a tie are there and differ: they are two parameters.
		ask.Untied = true
	}
}

// A ScalingError says why a model cannot be stretched as a [Request] asks.
type ScalingError struct{ cause error }

// Error is the reason.
func (e *ScalingError) Error() string { return e.cause.Error() }

// Unwrap is the reason, a fault.
func (e *ScalingError) Unwrap() error { return e.cause }

// scale is a configuration with the scaling; nil: as it is.
func scale(configuration []byte, s *rope.Scaling) ([]byte, error) {
	if s == nil {
		return configuration, nil
	}
	scaled, err := s.Apply(configuration)
	if err != nil {
		return nil, &ScalingError{err}
	}
	return scaled, nil
}

// rename replaces the tensors of a checkpoint in the Graph's sources by what
// they are in a GGUF file. Of alternatives, the first that the file has counts.
func rename(g *graph.Graph, renamed map[string]*graph.Source) (*graph.Graph, error) {
	c := g.Clone()
	for _, p := range c.Params {
		var missing error
		p.Source = p.Source.MapTensors(func(s *graph.Source) *graph.Source {
			for _, name := range s.Names {
				if to, ok := renamed[name]; ok {
					return to
				}
			}
			missing = &graph.MissingTensorError{Names: s.Names}
			return s
		})
		if missing != nil && p.Source.Op != graph.SourceElse {
			return nil, fault.New(fault.BadWeights, "parameter %q: %w", p.Name, missing)
		}
	}
	return c, nil
}

// check compares what the Graph needs with what the files hold, without reading
// a weight.
func (m *Model) check() error {
	for _, p := range m.Graph.Params {
		if p.Source == nil {
			continue
		}
		if err := weights.Check(m.Checkpoint, p.Source, p.Shape); err != nil {
			return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
	}
	return nil
}

// tieBroken reports whether a parameter has alternative tensors of which the
// files hold some that differ.
func (m *Model) tieBroken() bool {
	for _, p := range m.Graph.Params {
		if p.Source == nil || p.Source.Op != graph.SourceTensor || !used(m.Graph, p) {
			continue
		}
		var first *weights.Tensor
		for _, name := range p.Source.Names {
			t, ok := m.Checkpoint.Lookup(name)
			switch {
			case !ok:
			case first == nil:
				first = t
			case differ(first, t):
				return true
			}
		}
	}
	return false
}

// used reports whether a parameter is both embedded and multiplied by: tied.
func used(g *graph.Graph, p *graph.Param) bool {
	embedded, multiplied := false, false
	for _, n := range g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Embed:
			embedded = embedded || o.Table == p.ID
		case *graph.Linear:
			multiplied = multiplied || o.Weight == p.ID
		}
	}
	return embedded && multiplied
}

func differ(a, b *weights.Tensor) bool {
	same := false
	err := a.View(func(x []byte) error {
		return b.View(func(y []byte) error {
			same = a.DType == b.DType && bytes.Equal(x, y)
			return nil
		})
	})
	return err == nil && !same
}

// storedType is the type that most of the elements of the Graph's parameters have, or
// that they can be held in without loss.
func storedType(m *Model) (string, error) {
	count := map[string]int{}
	most := ""
	for _, p := range m.Graph.Params {
		if p.Source == nil {
			continue
		}
		array, err := weights.Resolve(m.Checkpoint, p.Source)
		if err != nil {
			return "", fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		name := typeName(array.DType().String())
		count[name] += p.Elements()
		if most == "" || count[name] > count[most] {
			most = name
		}
	}
	return most, nil
}

// typeName is how run files call a type of weight files.
func typeName(s string) string {
	switch s {
	case "F32":
		return "float32"
	case "BF16":
		return "bfloat16"
	case "F16":
		return "float16"
	}
	return strings.ToLower(s)
}
