package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"
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
	return same(d[1]), g.checkRows(o.Rows, d)
}

// checkRows checks rows of a table of that shape.
func (g *Graph) checkRows(r *TokenRows, table []int) error {
	if r == nil {
		return nil
	}
	switch {
	case r.Adapter == "":
		return errors.New("its token rows belong to no adapter")
	case len(r.IDs) == 0 || r.Values == NoParam:
		return errors.New("it has token rows without any")
	}
	for k, id := range r.IDs {
		if id < 0 || id >= table[0] || k > 0 && id <= r.IDs[k-1] {
			return fmt.Errorf("its token rows %d come to id %d: want ascending ids below %d", k, id, table[0])
		}
	}
	if p := g.Params[r.Values]; p.Adapter != r.Adapter {
		return fmt.Errorf("its token rows %q belong to the adapter %q, not %q", p.Name, p.Adapter, r.Adapter)
	}
	return g.wantShape("token rows", r.Values, []int{len(r.IDs), table[1]})
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
	err = errors.Join(g.wantShape("bias", o.Bias, []int{d[0]}), g.checkAdapter(o.Adapter, 1, d[1], d[0]), g.checkRows(o.Rows, d))
	if err != nil {
		return nil, err
	}
	if o.Rows != nil && o.Adapter != nil && o.Adapter.Magnitude != NoParam {
		return nil, errors.New("has token rows beside a magnitude, whose norms would be of rows that are replaced")
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
	case a.Bias != NoParam && a.Magnitude != NoParam:
		return errors.New("its adapter has a magnitude and a bias")
	case a.Start != nil && (a.Start.A == NoParam || a.Start.B == NoParam):
		return errors.New("its adapter's start lacks A or B")
	case a.Start != nil && a.Magnitude != NoParam:
		return errors.New("its adapter has a magnitude and a start")
	case a.A == NoParam || a.B == NoParam:
		return errors.New("its adapter lacks A or B")
	}
	for _, id := range a.Params() {
		if p := g.Params[id]; p.Adapter != a.Name {
			return fmt.Errorf("its adapter %q has the parameter %q, which belongs to %q", a.Name, p.Name, p.Adapter)
		}
	}
	return errors.Join(
		g.checkStart(a.Start, r, in, out),
		g.wantShape("A", a.A, []int{r * experts, in}),
		g.wantShape("B", a.B, []int{out, r * experts}),
		g.wantShape("bias of B", a.Bias, []int{out}),
		g.wantShape("magnitude", a.Magnitude, []int{out}))
}

// checkStart checks what A [r, in] and B [out, r] began with.
func (g *Graph) checkStart(s *Start, r, in, out int) error {
	if s == nil {
		return nil
	}
	for _, id := range []ParamID{s.A, s.B} {
		if p := g.Params[id]; p.Trainable {
			return fmt.Errorf("its adapter's start %q is trained; it has to stay what A and B began with", p.Name)
		}
	}
	return errors.Join(g.wantShape("start of A", s.A, []int{r, in}), g.wantShape("start of B", s.B, []int{out, r}))
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
