package graphtest

import (
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/sdk/graph"
)

// A routing is what a mixture of experts under way goes by.
type routing struct {
	experts, slots   int
	indices, weights value
}

// A stack is the weight of an expert linear.
type stack struct {
	scope   string
	module  string
	experts int
	in, out int
	op      graph.ExpertLinear
}

// mixture adds a route and what its experts compute: while it draws that, values are
// those with a row a slot.
func (d *drawer) mixture() {
	r := d.route()
	outer := d.values
	d.routing = r
	first := d.experts(d.take())
	d.values = []value{first}
	for range d.rng.IntN(5) {
		switch d.rng.IntN(5) {
		case 0:
			d.experts(d.take())
		case 1:
			d.experts(pick(d, outer)) // once more from the tokens
		case 2:
			d.expression()
		case 3:
			d.split(d.take())
		case 4:
			d.concat()
		}
	}
	last, slots := d.take(), d.values
	d.routing, d.values = nil, outer
	if r.slots == 1 { // rows of slots are rows of tokens
		d.values = append(d.values, slots...)
		if d.chance(4) {
			last = d.take()
		}
	}
	d.combine(r, last)
}

func (d *drawer) combine(r *routing, x value) value {
	if d.chance(4) {
		return d.add(d.b.CombinePlain(x.id, d.name()), x.width, math.Sqrt(float64(r.slots))*d.size[x.id])
	}
	weights := r.weights
	if d.chance(3) {
		weights = d.takeWidth(r.slots)
	}
	size := d.size[x.id] * d.size[weights.id] * math.Sqrt(float64(r.slots))
	return d.add(d.b.Combine(x.id, weights.id, d.name()), x.width, size)
}

// route draws a route. Which experts a token chooses must not hang on the last bits of
// a logit: the larger part of the logits comes from a table of its own whose entries
// are far apart, the rest from any value.
func (d *drawer) route() *routing {
	r := &routing{experts: pick(d, []int{4, 6, 8}), slots: 1 + d.rng.IntN(3)}
	groups := 1
	if d.chance(2) {
		groups = 2
	}
	op := graph.Route{
		Experts: r.experts, TopK: r.slots, Sigmoid: d.chance(2), After: d.chance(3), Bias: graph.NoParam,
		Groups: groups, Keep: 1 + d.rng.IntN(groups), GroupTop: 1 + d.rng.IntN(2),
		Normalise: d.chance(2), Factor: 1,
	}
	for op.Keep*r.experts/groups < r.slots {
		op.Keep++
	}
	if d.chance(2) {
		op.Factor = 0.5 + d.rng.Float64()
	}
	if op.Normalise && d.chance(2) {
		op.NormEpsilon = 0.1 * d.rng.Float64()
	}
	if r.slots == 1 && !op.Sigmoid { // not a weight of 1 whatever the logits
		op.Normalise, op.After = false, false
	}
	if d.o.Balance && d.chance(2) {
		op.Balance = 0.2 + 2*d.rng.Float64()
	}
	name := d.name()
	if d.chance(2) {
		op.Bias = d.b.Param(name+".correction", []int{r.experts}, graph.RoleRouter)
	}
	x := d.takeWidth(r.experts)
	table := d.b.Embed(name+".table", d.o.Vocabulary, r.experts)
	logits := d.b.Map(name+".logits", "table + 0.3 * tanh(x)", graph.In("table", table), graph.In("x", x.id))
	indices, weights := d.b.Route(logits, name, op)
	r.indices = value{indices, r.slots}
	r.weights = d.add(weights, r.slots, 0.7*op.Factor)
	return r
}

// experts is an expert linear of x as wide as one that is there, or of any width.
func (d *drawer) experts(x value) value {
	width := pick(d, widths)
	for _, s := range d.stacks {
		if s.experts == d.routing.experts && s.in == x.width && d.chance(2) {
			width = s.out
		}
	}
	return d.expertLinear(x, width)
}

// expertLinear applies a stack that is there, or a new one, to a value with a row a
// token or a row a slot.
func (d *drawer) expertLinear(x value, out int) value {
	r := d.routing
	d.used[x.id] = true
	s := stack{scope: d.scope, experts: r.experts, in: x.width, out: out}
	for _, other := range d.stacks {
		if other.experts == s.experts && other.in == s.in && other.out == s.out && d.chance(2) {
			s = other
		}
	}
	if s.module == "" {
		s.module = d.name() + ".stack"
		s.op = graph.ExpertLinear{
			Weight: d.b.Param(s.module, []int{r.experts, out, x.width}, graph.RoleExpertUp), Bias: graph.NoParam, Experts: r.experts,
		}
		if d.chance(2) {
			s.op.Bias = d.b.Param(s.module+"_bias", []int{r.experts, out}, graph.RoleExpertDown)
		}
		d.stacks = append(d.stacks, s)
	}
	size := 1.2 * d.size[x.id]
	id := d.in(s.scope, func() graph.ValueID {
		if d.chance(3) {
			return d.b.WeighedExpertLinear(x.id, r.indices.id, r.weights.id, s.module, s.op)
		}
		return d.b.ExpertLinear(x.id, r.indices.id, s.module, s.op)
	})
	return d.add(id, out, size)
}

// routerTable draws the larger part of a route's logits: in each row the experts in
// another order, 0.8 apart, those of a group next to each other. So the order of groups
// is as clear as that of experts.
func routerTable(rng *rand.Rand, p *graph.Param, groups int) []float64 {
	experts := p.Shape[1]
	size := experts / groups
	out := make([]float64, 0, p.Elements())
	for range p.Shape[0] {
		row := make([]float64, experts)
		for place, g := range rng.Perm(groups) {
			for rank, e := range rng.Perm(size) {
				row[g*size+e] = float64(float32(0.8*float64(place*size+rank) - 0.4*float64(experts-1) + 0.1*rng.Float64()))
			}
		}
		out = append(out, row...)
	}
	return out
}

// correction draws a route's bias: 0 or 20, which is more than scores can differ, the
// same for all of a group.
func correction(rng *rand.Rand, experts, groups int) []float64 {
	out := make([]float64, experts)
	if groups == 1 {
		groups = experts
	}
	for g := range groups {
		if rng.IntN(2) == 0 {
			for e := g * experts / groups; e < (g+1)*experts/groups; e++ {
				out[e] = 20
			}
		}
	}
	return out
}

// routeOf is the route whose bias a parameter is, or the larger part of whose logits
// it holds; nil for none.
func routeOf(g *graph.Graph, id graph.ParamID) *graph.Route {
	for _, n := range g.Nodes {
		r, ok := n.Op.(*graph.Route)
		if !ok {
			continue
		}
		logits := g.Nodes[g.Values[n.Inputs[0]].Node]
		table, ok := g.Nodes[g.Values[logits.Inputs[0]].Node].Op.(*graph.Embed)
		if r.Bias == id || ok && table.Table == id {
			return r
		}
	}
	return nil
}
