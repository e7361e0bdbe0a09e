package graph

import (
	"errors"
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/graph/expr"
)

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
