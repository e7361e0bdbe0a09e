package graph

import (
	"fmt"
	"strings"
)

// moduleOf splits "self_attn.q_proj.weight" into the module and ".weight"; a
// name without that ending is the module itself.
func moduleOf(name string) string { return strings.TrimSuffix(name, ".weight") }

// Embed looks tokens up in the table name, [vocabulary, width].
func (b *Builder) Embed(name string, vocabulary, width int, opts ...ParamOption) ValueID {
	return b.EmbedScaled(name, vocabulary, width, 1, opts...)
}

// EmbedScaled is [Builder.Embed], its rows multiplied by scale.
func (b *Builder) EmbedScaled(name string, vocabulary, width int, scale float64, opts ...ParamOption) ValueID {
	table := b.Param(name, []int{vocabulary, width}, RoleEmbed, opts...)
	return one(b.add(b.path(moduleOf(name)), &Embed{Table: table, Scale: scale}))
}

// A LinearOption changes a linear.
type LinearOption func(*linearSpec)

type linearSpec struct {
	bias    bool
	float32 bool
	weight  ParamID
	sources struct{ weight, bias *Source }
}

// WithBias adds a bias, the checkpoint's module.bias, where yes.
func WithBias(yes bool) LinearOption { return func(s *linearSpec) { s.bias = yes } }

// Float32Out asks for the result in float32: routers.
func Float32Out() LinearOption { return func(s *linearSpec) { s.float32 = true } }

// Tied takes an existing parameter [out, in] as the weight.
func Tied(weight ParamID) LinearOption { return func(s *linearSpec) { s.weight = weight } }

// WeightFrom and BiasFrom give other sources than the checkpoint's module.weight
// and module.bias.
func WeightFrom(src *Source) LinearOption { return func(s *linearSpec) { s.sources.weight = src } }

// BiasFrom is described at [WeightFrom].
func BiasFrom(src *Source) LinearOption { return func(s *linearSpec) { s.sources.bias = src } }

// Linear applies the linear module, giving out columns. Its weight is the
// checkpoint's module.weight, [out, in].
func (b *Builder) Linear(x ValueID, module string, out int, role Role, opts ...LinearOption) ValueID {
	if !b.known(b.path(module), x) {
		return NoValue
	}
	spec := linearSpec{weight: NoParam}
	for _, o := range opts {
		o(&spec)
	}
	op := &Linear{Module: b.path(module), Weight: spec.weight, Bias: NoParam, Float32: spec.float32}
	if spec.weight == NoParam {
		op.Weight = b.Param(module+".weight", []int{out, b.width(x)}, role, fromIf(spec.sources.weight)...)
	}
	if spec.bias {
		op.Bias = b.Param(module+".bias", []int{out}, role, fromIf(spec.sources.bias)...)
	}
	y := one(b.add(op.Module, op, x))
	if got := b.width(y); b.err == nil && got != out {
		b.Fail(fmt.Errorf("graph: %s (linear): it is to give %d columns, its weight %q gives %d", op.Module, out, b.g.Params[op.Weight].Name, got))
		return NoValue
	}
	return y
}

func fromIf(s *Source) []ParamOption {
	if s == nil {
		return nil
	}
	return []ParamOption{From(s)}
}

// A NormSpec says how [Builder.Norm] normalises; the zero value but for Epsilon
// is an RMS norm over the whole width with a weight.
type NormSpec struct {
	Centre    bool // layer norm
	Epsilon   float64
	Groups    int  // 0 or 1: the whole width
	PerColumn bool // the weight is [width] where Groups > 1, not [width/Groups]
	Bias      bool
	PlusOne   bool
	NoWeight  bool
	From      *Source // source of the weight; nil: the checkpoint's module.weight
}

// Norm normalises x by the module's weight.
func (b *Builder) Norm(x ValueID, module string, s NormSpec) ValueID {
	if !b.known(b.path(module), x) {
		return NoValue
	}
	op := &Norm{Centre: s.Centre, Epsilon: s.Epsilon, Groups: max(1, s.Groups), Weight: NoParam, Bias: NoParam, PlusOne: s.PlusOne}
	shape := []int{b.width(x)}
	if !s.PerColumn {
		shape[0] /= op.Groups
	}
	if !s.NoWeight {
		op.Weight = b.Param(module+".weight", shape, RoleNorm, fromIf(s.From)...)
	}
	if s.Bias {
		op.Bias = b.Param(module+".bias", shape, RoleNorm)
	}
	return one(b.add(b.path(module), op, x))
}

// RMSNorm is the RMS norm of the whole width (Zhang and Sennrich, 2019).
func (b *Builder) RMSNorm(x ValueID, module string, epsilon float64) ValueID {
	return b.Norm(x, module, NormSpec{Epsilon: epsilon})
}

// LayerNorm is the layer norm of the whole width, with or without a bias.
func (b *Builder) LayerNorm(x ValueID, module string, epsilon float64, bias bool) ValueID {
	return b.Norm(x, module, NormSpec{Epsilon: epsilon, Centre: true, Bias: bias})
}

// RoPE rotates x. A Factor of 0 is taken as 1. name tells the node apart: "q".
func (b *Builder) RoPE(x ValueID, name string, op RoPE) ValueID {
	if op.Factor == 0 {
		op.Factor = 1
	}
	return one(b.add(b.path(name), &op, x))
}

// AttentionSpec says how [Builder.Attention] attends. Widths of heads follow
// from the widths of the inputs.
type AttentionSpec struct {
	Heads, KVHeads int
	Scale          float64
	Window, Chunk  int
	Cap            float64
	Sinks          string // name of the learned sinks, [Heads]; "": none
}

// Attention attends from q over k and v. name tells the node: "self_attn".
func (b *Builder) Attention(q, k, v ValueID, name string, s AttentionSpec) ValueID {
	op := &Attention{
		Heads: s.Heads, KVHeads: s.KVHeads, Scale: s.Scale, Window: s.Window, Chunk: s.Chunk, Cap: s.Cap, Sinks: NoParam,
	}
	if s.Sinks != "" {
		op.Sinks = b.Param(s.Sinks, []int{s.Heads}, RoleAttnSinks)
	}
	if s.Heads > 0 && s.KVHeads > 0 {
		op.KeyWidth, op.ValueWidth = b.width(q)/s.Heads, b.width(v)/s.KVHeads
	}
	return one(b.add(b.path(name), op, q, k, v))
}

// A NamedArg is an argument of [Builder.Map]: see [In] and [Par].
type NamedArg struct {
	name  string
	value ValueID
	param ParamID
}

// In is the value x under a name.
func In(name string, x ValueID) NamedArg { return NamedArg{name, x, NoParam} }

// Par is the parameter p under a name.
func Par(name string, p ParamID) NamedArg { return NamedArg{name, NoValue, p} }

// Map applies an element-wise expression; the widest value among the arguments
// gives the width. name tells the node: "mlp.act".
func (b *Builder) Map(name, expression string, args ...NamedArg) ValueID {
	op := &Map{Expr: expression}
	var inputs []ValueID
	for _, a := range args {
		if a.param != NoParam {
			op.Args = append(op.Args, MapArg{Name: a.name, Input: -1, Param: a.param})
			op.Width = max(op.Width, b.paramWidth(a.param))
			continue
		}
		op.Args = append(op.Args, MapArg{Name: a.name, Input: len(inputs), Param: NoParam})
		op.Width = max(op.Width, b.width(a.value))
		inputs = append(inputs, a.value)
	}
	return one(b.add(b.path(name), op, inputs...))
}

func (b *Builder) paramWidth(p ParamID) int {
	if p < 0 || int(p) >= len(b.g.Params) || len(b.g.Params[p].Shape) != 1 {
		return 0
	}
	return b.g.Params[p].Shape[0]
}

// Add is x + y: a residual.
func (b *Builder) Add(x, y ValueID, name string) ValueID {
	return b.Map(name, "x + y", In("x", x), In("y", y))
}

// Scale is x times a constant.
func (b *Builder) Scale(x ValueID, factor float64, name string) ValueID {
	return b.Map(name, fmt.Sprintf("x * %g", factor), In("x", x))
}

// Gated is activation(gate) * up, activation a function of package expr.
func (b *Builder) Gated(gate, up ValueID, activation, name string) ValueID {
	return b.Map(name, activation+"(gate) * up", In("gate", gate), In("up", up))
}

// SoftCap is cap·tanh(x/cap).
func (b *Builder) SoftCap(x ValueID, limit float64, name string) ValueID {
	return b.Map(name, fmt.Sprintf("%g * tanh(x / %g)", limit, limit), In("x", x))
}

// Split cuts x into parts inside each of groups groups; the result has one value
// for each size, all NoValue after a mistake.
func (b *Builder) Split(x ValueID, name string, groups int, sizes ...int) []ValueID {
	outs := b.add(b.path(name), &Split{Groups: groups, Sizes: sizes}, x)
	for len(outs) < len(sizes) {
		outs = append(outs, NoValue)
	}
	return outs
}

// Concat joins values inside each of groups groups. With Repeated a value of one
// group is repeated over all.
func (b *Builder) Concat(name string, groups int, parts ...ConcatPart) ValueID {
	op := &Concat{Groups: groups}
	var inputs []ValueID
	for _, p := range parts {
		w := b.width(p.value)
		if !p.repeat && groups > 0 {
			w /= groups
		}
		op.Widths = append(op.Widths, w)
		op.Repeat = append(op.Repeat, p.repeat)
		inputs = append(inputs, p.value)
	}
	return one(b.add(b.path(name), op, inputs...))
}

// A ConcatPart is an input of [Builder.Concat]: see [Part] and [Repeated].
type ConcatPart struct {
	value  ValueID
	repeat bool
}

// Part is a value that holds all groups.
func Part(x ValueID) ConcatPart { return ConcatPart{value: x} }

// Repeated is a value of one group, the same in all groups.
func Repeated(x ValueID) ConcatPart { return ConcatPart{value: x, repeat: true} }

// Conv is a causal depthwise convolution with the module's weight, which a
// checkpoint holds as [width, 1, kernel].
func (b *Builder) Conv(x ValueID, module string, kernel int, bias bool) ValueID {
	if !b.known(b.path(module), x) {
		return NoValue
	}
	w := b.width(x)
	op := &Conv{Kernel: kernel, Bias: NoParam}
	op.Weight = b.Param(module+".weight", []int{w, kernel}, RoleConv,
		From(FromTensor(b.path(module+".weight")).Reshape(w, kernel)))
	if bias {
		op.Bias = b.Param(module+".bias", []int{w}, RoleConv)
	}
	return one(b.add(b.path(module), op, x))
}

// Route chooses experts by their logits; it gives the indices and the weights.
func (b *Builder) Route(logits ValueID, name string, op Route) (indices, weights ValueID) {
	outs := b.add(b.path(name), &op, logits)
	if len(outs) != 2 {
		return NoValue, NoValue
	}
	return outs[0], outs[1]
}

// ExpertLinear applies to each token the linears of the experts in indices. op
// carries the parameters, declared with [Builder.Param].
func (b *Builder) ExpertLinear(x, indices ValueID, module string, op ExpertLinear) ValueID {
	op.Module, op.WeighInput = b.path(module), false
	return one(b.add(op.Module, &op, x, indices))
}

// WeighedExpertLinear is [Builder.ExpertLinear] of x multiplied by each slot's
// weight; what it leads to is summed by [Builder.CombinePlain].
func (b *Builder) WeighedExpertLinear(x, indices, weights ValueID, module string, op ExpertLinear) ValueID {
	op.Module, op.WeighInput = b.path(module), true
	return one(b.add(op.Module, &op, x, indices, weights))
}

// Combine sums the slots of each token by weights.
func (b *Builder) Combine(x, weights ValueID, name string) ValueID {
	return one(b.add(b.path(name), &Combine{}, x, weights))
}

// CombinePlain sums the slots of each token.
func (b *Builder) CombinePlain(x ValueID, name string) ValueID {
	return one(b.add(b.path(name), &Combine{Plain: true}, x))
}
