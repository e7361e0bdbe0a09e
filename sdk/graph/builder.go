package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Builder makes a Graph, node by node. Each method checks shapes as it adds;
// the first mistake is kept, everything after it is ignored, and [Builder.Graph]
// returns it. So an author writes a model down without a check a line.
//
//	b := graph.New("LlamaForCausalLM")
//	x := b.Embed("model.embed_tokens.weight", vocab, hidden)
//	for i := range layers {
//		b.Scope("model.layers.%d", i)
//		h := b.RMSNorm(x, "input_layernorm", eps)
//		q := b.Linear(h, "self_attn.q_proj", heads*width, graph.RoleAttnQ)
//		…
//	}
//	b.Scope("")
//	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", eps), "lm_head", vocab, graph.RoleHead))
//	return b.Graph()
type Builder struct {
	g      *Graph
	scope  string
	params map[string]ParamID
	names  map[string]int // how often a node name was taken
	err    error
}

// New starts the Graph of the architecture of that name.
func New(architecture string) *Builder {
	return &Builder{
		g:      &Graph{Architecture: architecture, Notes: map[string]string{}, Logits: NoValue},
		params: map[string]ParamID{},
		names:  map[string]int{},
	}
}

// Scope puts names before all names given from now on: Scope("model.layers.3")
// makes "mlp.up_proj" model.layers.3.mlp.up_proj. The empty scope ends it.
func (b *Builder) Scope(format string, args ...any) {
	b.scope = fmt.Sprintf(format, args...)
}

// MaxLength records the longest document that the Graph's frequencies and
// windows are made for.
func (b *Builder) MaxLength(tokens int) { b.g.MaxLength = tokens }

// Note records a fact for people and for exported configurations.
func (b *Builder) Note(key, value string) { b.g.Notes[key] = value }

// Fail records an error of the model plugin's own; the first one is kept.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Graph is the finished Graph, or the first mistake that was made.
func (b *Builder) Graph() (*Graph, error) {
	if b.err == nil && b.g.Logits == NoValue {
		b.err = errors.New("graph: Logits was not called")
	}
	if b.err == nil {
		b.err = b.g.Validate()
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.g, nil
}

// Path is a name under the current scope, as sources need it.
func (b *Builder) Path(name string) string { return b.path(name) }

// path is a name under the current scope.
func (b *Builder) path(name string) string {
	if b.scope == "" || name == "" {
		return b.scope + name
	}
	return b.scope + "." + name
}

// A ParamOption changes how a parameter is declared.
type ParamOption func(*Param)

// From gives the parameter another source than the checkpoint tensor of its name.
func From(s *Source) ParamOption { return func(p *Param) { p.Source = s } }

// Param declares the parameter name, under the current scope, and returns its
// id. Declaring a name again gives the same parameter: this is how weights are
// tied. The shapes have to agree.
func (b *Builder) Param(name string, shape []int, role Role, opts ...ParamOption) ParamID {
	return b.param(b.path(name), shape, role, opts...)
}

func (b *Builder) param(full string, shape []int, role Role, opts ...ParamOption) ParamID {
	if b.err != nil {
		return NoParam
	}
	if id, ok := b.params[full]; ok {
		if !slices.Equal(b.g.Params[id].Shape, shape) {
			b.err = fmt.Errorf("graph: parameter %q: shape %v, declared before with %v", full, shape, b.g.Params[id].Shape)
		}
		return id
	}
	module := full
	if i := strings.LastIndexByte(full, '.'); i >= 0 && (full[i:] == ".weight" || full[i:] == ".bias") {
		module = full[:i]
	}
	p := &Param{
		ID: ParamID(len(b.g.Params)), Name: full, Shape: slices.Clone(shape), Role: role,
		Module: module, Source: FromTensor(full),
	}
	for _, o := range opts {
		o(p)
	}
	if err := p.check(); err != nil {
		b.err = fmt.Errorf("graph: parameter %q: %w", full, err)
		return NoParam
	}
	b.g.Params = append(b.g.Params, p)
	b.params[full] = p.ID
	return p.ID
}

// add appends a node and returns its outputs. NoValue among the inputs means
// that an earlier call failed.
func (b *Builder) add(name string, op Op, inputs ...ValueID) []ValueID {
	fail := func(err error) {
		b.Fail(fmt.Errorf("graph: %s (%s): %w", name, op.Name(), err))
	}
	var in []*Value
	for _, id := range inputs {
		if b.err == nil && (id < 0 || int(id) >= len(b.g.Values)) {
			fail(fmt.Errorf("input %d is no value", id))
		}
		if b.err == nil {
			in = append(in, b.g.Values[id])
		}
	}
	if b.err != nil {
		return nil
	}
	outs, err := b.g.infer(op, in)
	if err != nil {
		fail(err)
		return nil
	}
	b.names[name]++
	if n := b.names[name]; n > 1 {
		name = fmt.Sprintf("%s#%d", name, n)
	}
	node := &Node{Name: name, Op: op, Inputs: slices.Clone(inputs)}
	for _, o := range outs {
		v := &Value{ID: ValueID(len(b.g.Values)), Node: len(b.g.Nodes), Width: o.width, Slots: o.slots, Type: o.typ}
		b.g.Values = append(b.g.Values, v)
		node.Outputs = append(node.Outputs, v.ID)
	}
	b.g.Nodes = append(b.g.Nodes, node)
	return node.Outputs
}

// known reports whether x is a value; if not, that is the mistake.
func (b *Builder) known(name string, x ValueID) bool {
	if b.err == nil && (x < 0 || int(x) >= len(b.g.Values)) {
		b.Fail(fmt.Errorf("graph: %s: input %d is no value", name, x))
	}
	return b.err == nil
}

// one is the only output of a node, or NoValue.
func one(outs []ValueID) ValueID {
	if len(outs) == 0 {
		return NoValue
	}
	return outs[0]
}

// width is the width of a value, 0 if an earlier call failed.
func (b *Builder) width(x ValueID) int {
	if x < 0 || int(x) >= len(b.g.Values) {
		return 0
	}
	return b.g.Values[x].Width
}

// Logits names the value that the model ends in, [T, vocabulary].
func (b *Builder) Logits(x ValueID) {
	if b.err == nil {
		b.g.Logits = x
	}
}
