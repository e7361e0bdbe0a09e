package graph

import (
	"errors"
	"fmt"
)

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
	err := errors.Join(
		g.wantShape("bias", o.Bias, []int{e}), finite("factor", o.Factor), finite("epsilon", o.NormEpsilon), finite("balance", o.Balance),
	)
	if o.Balance < 0 {
		err = errors.Join(err, fmt.Errorf("balance is %v, below 0", o.Balance))
	}
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
	if o.Module == "" {
		return nil, errors.New("has no module path")
	}
	if a := o.Adapter; a != nil && (a.Bias != NoParam || a.Magnitude != NoParam || a.Start != nil) {
		return nil, errors.New("its adapter has a bias, a magnitude or a start, which experts do not take")
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
