package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/honeml/hone/sdk/graph/expr"
)

// Limits of what a Graph may say. They keep what a plugin answers from making a
// reader allocate without bound; real models are far below them.
const (
	maxWidth = 1 << 24 // columns of a value
	maxCount = 1 << 20 // parameters, values, nodes
)

// output is the shape of one output of an operation.
type output struct {
	width, slots int
	typ          ValueType
}

// infer checks an operation against its inputs and parameters and returns the
// shapes of its outputs.
func (g *Graph) infer(op Op, in []*Value) ([]output, error) {
	outs, err := g.inferOp(op, in)
	if err != nil {
		return nil, err
	}
	for i, o := range outs {
		if o.width < 1 || o.width > maxWidth {
			return nil, fmt.Errorf("output %d would have %d columns, at most %d are allowed", i, o.width, maxWidth)
		}
	}
	return outs, nil
}

func (g *Graph) inferOp(op Op, in []*Value) ([]output, error) {
	for _, id := range ParamsOf(op) {
		if id < 0 || int(id) >= len(g.Params) {
			return nil, fmt.Errorf("refers to parameter %d, there are %d", id, len(g.Params))
		}
	}
	switch o := op.(type) {
	case *Embed:
		return g.inferEmbed(o, in)
	case *Linear:
		return g.inferLinear(o, in)
	case *Norm:
		return g.inferNorm(o, in)
	case *RoPE:
		return g.inferRoPE(o, in)
	case *Attention:
		return g.inferAttention(o, in)
	case *Map:
		return g.inferMap(o, in)
	case *Split:
		return g.inferSplit(o, in)
	case *Concat:
		return g.inferConcat(o, in)
	case *Conv:
		return g.inferConv(o, in)
	case *Route:
		return g.inferRoute(o, in)
	case *ExpertLinear:
		return g.inferExpertLinear(o, in)
	case *Combine:
		return g.inferCombine(o, in)
	}
	return nil, fmt.Errorf("unknown operation %T", op)
}

func wantCount(in []*Value, n int) error {
	switch {
	case len(in) == n:
		return nil
	case n == 1:
		return fmt.Errorf("takes one input, got %d", len(in))
	}
	return fmt.Errorf("takes %d inputs, got %d", n, len(in))
}

// wantInputs checks the number of inputs and that each is a float matrix with
// one row a token.
func wantInputs(in []*Value, n int) error {
	if err := wantCount(in, n); err != nil {
		return err
	}
	for i, v := range in {
		if v.Type == Index || v.Slots != 1 {
			return fmt.Errorf("input %d is %s, not one row of numbers a token", i, v)
		}
	}
	return nil
}

// wantRows checks the inputs of an operation that works row by row, of tokens or
// of their slots: float matrices with equally many rows. It returns the number of
// rows for each token, 1 where there are no inputs.
func wantRows(in []*Value) (int, error) {
	slots := 1
	for i, v := range in {
		if i == 0 {
			slots = v.Slots
		}
		if v.Type == Index || v.Slots != slots {
			return 0, fmt.Errorf("input %d is %s, want numbers, %d rows a token", i, v, slots)
		}
	}
	return slots, nil
}

func same(width int) []output { return []output{{width, 1, Activation}} }

// wantShape checks a parameter that may be absent.
func (g *Graph) wantShape(what string, id ParamID, shapes ...[]int) error {
	if id == NoParam {
		return nil
	}
	p := g.Params[id]
	for _, s := range shapes {
		if slices.Equal(p.Shape, s) {
			return nil
		}
	}
	return fmt.Errorf("%s %q has shape %v, want %v", what, p.Name, p.Shape, shapes[0])
}

// dims returns the dimensions of a parameter that has to have n of them.
func (g *Graph) dims(what string, id ParamID, n int) ([]int, error) {
	if id == NoParam {
		return nil, fmt.Errorf("has no %s", what)
	}
	p := g.Params[id]
	if len(p.Shape) != n {
		return nil, fmt.Errorf("%s %q has shape %v, want %d dimensions", what, p.Name, p.Shape, n)
	}
	return p.Shape, nil
}

func finite(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%s is %v", what, v)
	}
	return nil
}

func (g *Graph) inferEmbed(o *Embed, in []*Value) ([]output, error) {
	if err := errors.Join(wantInputs(in, 0), finite("scale", o.Scale)); err != nil {
		return nil, err
	}
	d, err := g.dims("table", o.Table, 2)
	if err != nil {
		return nil, err
	}
	return same(d[1]), nil
}

func (g *Graph) inferLinear(o *Linear, in []*Value) ([]output, error) {
	if o.Module == "" {
		return nil, errors.New("has no module path")
	}
	if err := wantInputs(in, 1); err != nil {
		return nil, err
	}
	d, err := g.dims("weight", o.Weight, 2)
	if err != nil {
		return nil, err
	}
	if in[0].Width != d[1] {
		return nil, fmt.Errorf("input has width %d, weight %q takes %d", in[0].Width, g.Params[o.Weight].Name, d[1])
	}
	err = errors.Join(g.wantShape("bias", o.Bias, []int{d[0]}), g.checkAdapter(o.Adapter, 1, d[1], d[0]))
	if err != nil {
		return nil, err
	}
	out := same(d[0])
	if o.Float32 {
		out[0].typ = Float32
	}
	return out, nil
}

// checkAdapter checks an adapter of a linear from in to out columns, or of
// experts such linears whose A and B are stacked.
func (g *Graph) checkAdapter(a *Adapter, experts, in, out int) error {
	if a == nil {
		return nil
	}
	r := a.Rank
	switch {
	case a.Name == "":
		return errors.New("its adapter has no name")
	case r < 1 || r > maxWidth/experts:
		return fmt.Errorf("its adapter has rank %d", r)
	case !(a.Alpha > 0) || math.IsInf(a.Alpha, 0):
		return fmt.Errorf("its adapter has alpha %v", a.Alpha)
	case !(a.Dropout >= 0 && a.Dropout < 1):
		return fmt.Errorf("its adapter has dropout %v, want at least 0 and below 1", a.Dropout)
	case a.A == NoParam || a.B == NoParam:
		return errors.New("its adapter lacks A or B")
	}
	for _, id := range a.Params() {
		if p := g.Params[id]; p.Adapter != a.Name {
			return fmt.Errorf("its adapter %q has the parameter %q, which belongs to %q", a.Name, p.Name, p.Adapter)
		}
	}
	return errors.Join(
		g.wantShape("A", a.A, []int{r * experts, in}),
		g.wantShape("B", a.B, []int{out, r * experts}),
		g.wantShape("bias of B", a.Bias, []int{out}),
		g.wantShape("magnitude", a.Magnitude, []int{out}))
}

func (g *Graph) inferNorm(o *Norm, in []*Value) ([]output, error) {
	if err := wantInputs(in, 1); err != nil {
		return nil, err
	}
	w := in[0].Width
	switch {
	case o.Groups < 1 || w%o.Groups != 0:
		return nil, fmt.Errorf("%d groups of a width of %d", o.Groups, w)
	case !(o.Epsilon >= 0) || math.IsInf(o.Epsilon, 0):
		return nil, fmt.Errorf("epsilon is %v", o.Epsilon)
	case o.Weight == NoParam && (o.Bias != NoParam || o.PlusOne):
		return nil, errors.New("has a bias or plus_one, but no weight")
	}
	shapes := [][]int{{w / o.Groups}, {w}}
	err := errors.Join(g.wantShape("weight", o.Weight, shapes...), g.wantShape("bias", o.Bias, shapes...))
	return same(w), err
}

func (g *Graph) inferRoPE(o *RoPE, in []*Value) ([]output, error) {
	if err := wantInputs(in, 1); err != nil {
		return nil, err
	}
	w := in[0].Width
	if o.Heads < 1 || w%o.Heads != 0 {
		return nil, fmt.Errorf("%d heads of a width of %d", o.Heads, w)
	}
	if len(o.Freq) == 0 || o.Offset < 0 || o.Offset > w || o.Offset+2*len(o.Freq) > w/o.Heads {
		return nil, fmt.Errorf("rotates %d columns from %d of a head of %d", 2*len(o.Freq), o.Offset, w/o.Heads)
	}
	for i, f := range o.Freq {
		if err := finite(fmt.Sprintf("frequency %d", i), float64(f)); err != nil {
			return nil, err
		}
	}
	return same(w), finite("factor", float64(o.Factor))
}

func (g *Graph) inferAttention(o *Attention, in []*Value) ([]output, error) {
	if err := wantInputs(in, 3); err != nil {
		return nil, err
	}
	h, kv, dk, dv := o.Heads, o.KVHeads, o.KeyWidth, o.ValueWidth
	switch {
	case min(h, kv, dk, dv) < 1 || max(h, kv, dk, dv) > maxWidth || h%kv != 0:
		return nil, fmt.Errorf("%d heads of %d and %d columns over %d key heads", h, dk, dv, kv)
	case in[0].Width != h*dk:
		return nil, fmt.Errorf("queries have width %d, want %d heads of %d", in[0].Width, h, dk)
	case in[1].Width != kv*dk:
		return nil, fmt.Errorf("keys have width %d, want %d heads of %d", in[1].Width, kv, dk)
	case in[2].Width != kv*dv:
		return nil, fmt.Errorf("values have width %d, want %d heads of %d", in[2].Width, kv, dv)
	case o.Window < 0 || o.Chunk < 0 || !(o.Cap >= 0):
		return nil, fmt.Errorf("window %d, chunk %d, cap %v: none may be negative", o.Window, o.Chunk, o.Cap)
	}
	err := errors.Join(finite("scale", o.Scale), finite("cap", o.Cap), g.wantShape("sinks", o.Sinks, []int{h}))
	return same(h * dv), err
}

func (g *Graph) inferMap(o *Map, in []*Value) ([]output, error) {
	slots, err := wantRows(in)
	if err != nil {
		return nil, err
	}
	if o.Width < 1 || o.Width > maxWidth {
		return nil, fmt.Errorf("width %d", o.Width)
	}
	e, err := o.Parse()
	if err != nil {
		return nil, err
	}
	read := make([]bool, len(in))
	for i, a := range o.Args {
		if (a.Input >= 0) == (a.Param != NoParam) {
			return nil, fmt.Errorf("argument %q is to be either an input or a parameter", a.Name)
		}
		if !e.Root.Uses(i) {
			return nil, fmt.Errorf("argument %q is not used in %q", a.Name, o.Expr)
		}
		if a.Param != NoParam {
			if err := g.wantShape(fmt.Sprintf("argument %q, parameter", a.Name), a.Param, []int{o.Width}, []int{1}); err != nil {
				return nil, err
			}
			continue
		}
		if a.Input >= len(in) || read[a.Input] {
			return nil, fmt.Errorf("argument %q is input %d of %d, or is doubled", a.Name, a.Input, len(in))
		}
		read[a.Input] = true
		if w := in[a.Input].Width; o.Width%w != 0 {
			return nil, fmt.Errorf("argument %q has width %d, which does not divide %d", a.Name, w, o.Width)
		}
	}
	if slices.Contains(read, false) {
		return nil, errors.New("an input is no argument")
	}
	return []output{{o.Width, slots, Activation}}, nil
}

// Parse is the expression of o over its arguments, in their order.
func (o *Map) Parse() (*expr.Expr, error) {
	names := make([]string, len(o.Args))
	for i, a := range o.Args {
		names[i] = a.Name
	}
	return expr.Parse(o.Expr, names)
}

func sumSizes(sizes []int) (int, error) {
	total := 0
	for _, s := range sizes {
		if s < 1 || s > maxWidth {
			return 0, fmt.Errorf("a part of size %d", s)
		}
		total += s
	}
	if total == 0 || total > maxWidth {
		return 0, fmt.Errorf("parts of %d columns in all", total)
	}
	return total, nil
}

func (g *Graph) inferSplit(o *Split, in []*Value) ([]output, error) {
	if err := wantCount(in, 1); err != nil {
		return nil, err
	}
	slots, err := wantRows(in)
	if err != nil {
		return nil, err
	}
	if len(o.Sizes) > maxCount {
		return nil, fmt.Errorf("%d parts", len(o.Sizes))
	}
	total, err := sumSizes(o.Sizes)
	if err != nil {
		return nil, err
	}
	if o.Groups < 1 || o.Groups > maxWidth || in[0].Width != o.Groups*total {
		return nil, fmt.Errorf("%d groups of %v do not make a width of %d", o.Groups, o.Sizes, in[0].Width)
	}
	out := make([]output, len(o.Sizes))
	for i, s := range o.Sizes {
		out[i] = output{o.Groups * s, slots, Activation}
	}
	return out, nil
}

func (g *Graph) inferConcat(o *Concat, in []*Value) ([]output, error) {
	slots, err := wantRows(in)
	if err != nil {
		return nil, err
	}
	if len(in) == 0 || len(o.Widths) != len(in) || len(o.Repeat) != len(in) {
		return nil, fmt.Errorf("%d inputs, %d widths, %d repeats", len(in), len(o.Widths), len(o.Repeat))
	}
	total, err := sumSizes(o.Widths)
	if err != nil {
		return nil, err
	}
	if o.Groups < 1 || o.Groups > maxWidth/total {
		return nil, fmt.Errorf("%d groups of %d columns", o.Groups, total)
	}
	for i, v := range in {
		want := o.Groups * o.Widths[i]
		if o.Repeat[i] {
			want = o.Widths[i]
		}
		if v.Width != want {
			return nil, fmt.Errorf("input %d has width %d, want %d", i, v.Width, want)
		}
	}
	return []output{{o.Groups * total, slots, Activation}}, nil
}

func (g *Graph) inferConv(o *Conv, in []*Value) ([]output, error) {
	if err := wantInputs(in, 1); err != nil {
		return nil, err
	}
	if o.Kernel < 1 || o.Kernel > 64 || o.Weight == NoParam {
		return nil, fmt.Errorf("a kernel of %d taps, or no weight", o.Kernel)
	}
	w := in[0].Width
	err := errors.Join(g.wantShape("weight", o.Weight, []int{w, o.Kernel}), g.wantShape("bias", o.Bias, []int{w}))
	return same(w), err
}

func (g *Graph) inferRoute(o *Route, in []*Value) ([]output, error) {
	if err := wantInputs(in, 1); err != nil {
		return nil, err
	}
	e := o.Experts
	switch {
	case e < 1 || in[0].Width != e:
		return nil, fmt.Errorf("logits of width %d for %d experts", in[0].Width, e)
	case o.TopK < 1 || o.TopK > e:
		return nil, fmt.Errorf("top %d of %d experts", o.TopK, e)
	case o.Groups < 1 || e%o.Groups != 0 || o.Keep < 1 || o.Keep > o.Groups:
		return nil, fmt.Errorf("%d of %d groups of %d experts", o.Keep, o.Groups, e)
	case o.GroupTop < 1 || o.GroupTop > e/o.Groups:
		return nil, fmt.Errorf("groups of %d experts scored by %d", e/o.Groups, o.GroupTop)
	case o.Keep*(e/o.Groups) < o.TopK:
		return nil, fmt.Errorf("%d kept groups of %d experts hold fewer than %d", o.Keep, e/o.Groups, o.TopK)
	}
	err := errors.Join(g.wantShape("bias", o.Bias, []int{e}), finite("factor", o.Factor), finite("epsilon", o.NormEpsilon))
	return []output{{o.TopK, 1, Index}, {o.TopK, 1, Float32}}, err
}

func (g *Graph) inferExpertLinear(o *ExpertLinear, in []*Value) ([]output, error) {
	want := 2
	if o.WeighInput {
		want = 3
	}
	if err := wantCount(in, want); err != nil {
		return nil, err
	}
	d, err := g.dims("weight", o.Weight, 3)
	if err != nil {
		return nil, err
	}
	k := in[1].Width
	switch {
	case in[1].Type != Index || in[1].Slots != 1:
		return nil, fmt.Errorf("its second input is %s, want a route's indices", in[1])
	case in[0].Type == Index || in[0].Slots != 1 && in[0].Slots != k || in[0].Width != d[2]:
		return nil, fmt.Errorf("input is %s, weight %v with %d experts a token", in[0], d, k)
	case o.WeighInput && (in[2].Type == Index || in[2].Width != k || in[2].Slots != 1):
		return nil, fmt.Errorf("its weights are %s, want width %d", in[2], k)
	case o.Experts != d[0]:
		return nil, fmt.Errorf("%d experts, weight %v", o.Experts, d)
	}
	err = errors.Join(g.wantShape("bias", o.Bias, []int{d[0], d[1]}), g.checkAdapter(o.Adapter, o.Experts, d[2], d[1]))
	return []output{{d[1], k, Activation}}, err
}

func (g *Graph) inferCombine(o *Combine, in []*Value) ([]output, error) {
	want := 2
	if o.Plain {
		want = 1
	}
	if err := wantCount(in, want); err != nil {
		return nil, err
	}
	if in[0].Type == Index {
		return nil, fmt.Errorf("input is %s", in[0])
	}
	if !o.Plain && (in[1].Type == Index || in[1].Slots != 1 || in[1].Width != in[0].Slots) {
		return nil, fmt.Errorf("weights are %s for %d slots a token", in[1], in[0].Slots)
	}
	return same(in[0].Width), nil
}
