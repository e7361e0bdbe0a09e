package graphtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/diff"
)

// Options choose what Random draws. The zero value draws cases that a test can
// afford by the hundred.
type Options struct {
	Nodes      int // about how many; 0: 22
	Tokens     int // at most how many; 0: 12
	Vocabulary int // 0: 9
	// Dense leaves mixtures of experts out.
	Dense bool
	// Frozen leaves the Graph as a model plugin gives it: no adapter and nothing
	// trainable.
	Frozen bool
	// TokenRows lets adapters have rows of their own in embeddings and linears.
	TokenRows bool
	// DoRA has the adapters without a bias of B be DoRA's, and none of them on experts.
	DoRA bool
	// Balance gives some routes a balancing loss.
	Balance bool
	// PiSSA gives the adapters, of which none is on experts, a start.
	PiSSA bool
}

// A Case is a Graph with all that is needed to run it.
type Case struct {
	Graph  *graph.Graph
	Values [][]float64 // of each parameter, exact in float32
	Batch  *graph.Batch
	// Adapter is the adapter that is on; "" for none, though the Graph may have one.
	Adapter    string
	Seed, Step uint64 // of the dropout
}

// Param gives the values of a parameter.
func (c *Case) Param(id graph.ParamID) []float64 { return c.Values[id] }

// Random draws a case; its parameters may be changed, its Graph not. Equal states of rng give equal cases.
func Random(rng *rand.Rand, o Options) *Case {
	if o.Nodes == 0 {
		o.Nodes = 22
	}
	if o.Tokens == 0 {
		o.Tokens = 12
	}
	if o.Vocabulary == 0 {
		o.Vocabulary = 9
	}
	d := &drawer{rng: rng, o: o, b: graph.New("Random"), size: map[graph.ValueID]float64{}, used: map[graph.ValueID]bool{}}
	g := d.graph()
	c := &Case{Graph: g, Batch: randomBatch(rng, o), Seed: rng.Uint64(), Step: 1 + rng.Uint64N(1000)}
	for trained := o.Frozen; !trained; {
		c.Graph, c.Adapter = g, ""
		c.train(rng, o)
		if o.TokenRows {
			c.rows(rng)
		}
		// What is trained may stand where the logits do not depend on it.
		_, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
		trained = !errors.Is(err, diff.ErrNothingTrained)
	}
	for _, p := range c.Graph.Params {
		c.Values = append(c.Values, values(rng, c.Graph, p))
	}
	return c
}

// train puts an adapter on, makes the model's own parameters trainable, or both.
func (c *Case) train(rng *rand.Rand, o Options) {
	kind := rng.IntN(6)
	if kind == 0 || kind == 1 { // all of the model's own
		c.Graph = adapt.Full(c.Graph)
	}
	if kind != 0 {
		c.Graph = must(adapt.Apply(c.Graph, randomLoRA(rng, c.Graph, o)))
		c.Adapter = adapt.DefaultName
	}
	if kind >= 4 { // some of the model's own
		for _, p := range c.Graph.Params {
			p.Trainable = p.Trainable || rng.IntN(4) == 0 && p.Adapter == ""
		}
	}
	if kind == 1 && rng.IntN(2) == 0 {
		c.Adapter = "" // there, and off
	}
}

// rows gives the adapter rows of its own in some embeddings and linears; those of one
// table share them now and then, as tied ones do.
func (c *Case) rows(rng *rand.Rand) {
	g := c.Graph.Clone()
	shared := map[graph.ParamID]*graph.TokenRows{}
	for i, n := range g.Nodes {
		var table graph.ParamID
		var set func(*graph.TokenRows)
		switch o := n.Op.(type) {
		case *graph.Embed:
			table, set = o.Table, func(r *graph.TokenRows) { o.Rows = r }
		case *graph.Linear:
			if o.Adapter != nil && o.Adapter.Magnitude != graph.NoParam {
				continue
			}
			table, set = o.Weight, func(r *graph.TokenRows) { o.Rows = r }
		default:
			continue
		}
		if rng.IntN(2) == 0 {
			continue
		}
		if r := shared[table]; r != nil && rng.IntN(2) == 0 {
			own := *r
			set(&own)
			continue
		}
		p := g.Params[table]
		r := &graph.TokenRows{Adapter: adapt.DefaultName, Values: graph.ParamID(len(g.Params))}
		for id := range p.Shape[0] {
			if rng.IntN(3) == 0 || id == p.Shape[0]-1 && len(r.IDs) == 0 {
				r.IDs = append(r.IDs, id)
			}
		}
		g.Params = append(g.Params, &graph.Param{
			ID: r.Values, Name: fmt.Sprintf("rows%d", i), Shape: []int{len(r.IDs), p.Shape[1]}, Role: p.Role, Module: p.Module,
			Init: graph.InitZeros, Adapter: r.Adapter, Trainable: true,
		})
		set(r)
		shared[table] = r
	}
	c.Graph = must(g, g.Validate())
}

func randomLoRA(rng *rand.Rand, g *graph.Graph, o Options) adapt.LoRA {
	l := adapt.LoRA{
		Rank: 1 + rng.IntN(4), Alpha: 0.5 + 3*rng.Float64(), RSLoRA: rng.IntN(2) == 0, LoRABias: rng.IntN(2) == 0,
		Bias: []adapt.Bias{adapt.BiasNone, adapt.BiasAll, adapt.BiasLoRAOnly}[rng.IntN(3)],
	}
	if rng.IntN(2) == 0 {
		l.Dropout = 0.1 + 0.5*rng.Float64()
	}
	if rng.IntN(2) == 0 {
		l.LoRABias, l.Bias = false, adapt.BiasNone
	}
	l.DoRA = o.DoRA && !l.LoRABias
	if o.PiSSA {
		l.Init = adapt.InitPiSSA
		for _, n := range g.Nodes { // a principal part has no more ranks than its weight
			if o, ok := n.Op.(*graph.Linear); ok {
				l.Rank = min(l.Rank, slices.Min(g.Params[o.Weight].Shape))
			}
		}
	}
	experts := !l.LoRABias && !l.DoRA && !o.PiSSA && l.Bias != adapt.BiasAll // which experts do not take
	for _, n := range g.Nodes {
		switch o := n.Op.(type) {
		case *graph.Linear:
			if rng.IntN(2) == 0 {
				l.Targets = append(l.Targets, o.Module)
			}
		case *graph.ExpertLinear:
			if experts && rng.IntN(2) == 0 {
				l.Targets = append(l.Targets, o.Module)
			}
		}
	}
	if len(l.Targets) == 0 {
		l.Targets = []string{"*"} // everything, the head too
	}
	if !experts && slices.Contains(g.Ops(), "expert_linear") {
		l.Exclude = []string{"expert.*"}
	}
	return l
}

// randomBatch lays documents end to end: short ones, single tokens among them.
func randomBatch(rng *rand.Rand, o Options) *graph.Batch {
	b := &graph.Batch{}
	for i := 0; b.Tokens() < o.Tokens; i++ {
		n := 1
		if i == 0 || rng.IntN(3) > 0 {
			n = 2 + rng.IntN(8)
		}
		n = min(n, o.Tokens-b.Tokens())
		ids, weights := make([]int32, n), make([]float32, n)
		for t := range ids {
			ids[t] = rng.Int32N(int32(o.Vocabulary))
			weights[t] = []float32{0, 1, 1, rng.Float32() * 2}[rng.IntN(4)]
		}
		if n > 1 {
			weights[n-1] = 1 // something to learn
		}
		b.Append(rng.Int32N(1<<20), ids, weights)
		if rng.IntN(4) == 0 {
			break
		}
	}
	return b
}

// values draws a parameter's elements in a size that suits its use.
func values(rng *rand.Rand, g *graph.Graph, p *graph.Param) []float64 {
	mean, deviation := 0.0, 0.4
	if r := routeOf(g, p.ID); r != nil && p.ID == r.Bias {
		return correction(rng, r.Experts, r.Groups)
	} else if r != nil {
		return routerTable(rng, p, r.Groups)
	}
	switch {
	case p.Role == graph.RoleEmbed:
		deviation = 0.9
	case len(p.Shape) == 2 && p.Role == graph.RoleConv:
		deviation = 0.6
	case len(p.Shape) > 1:
		deviation = 1.1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
	case p.Init == graph.InitRowNorms, p.Role == graph.RoleNorm && !plusOne(g, p.ID):
		mean = 1
	}
	out := make([]float64, p.Elements())
	for i := range out {
		out[i] = float64(float32(mean + deviation*rng.NormFloat64()))
	}
	return out
}

// plusOne reports whether a parameter is the weight of a norm that adds 1 to it.
func plusOne(g *graph.Graph, id graph.ParamID) bool {
	for _, n := range g.Nodes {
		if o, ok := n.Op.(*graph.Norm); ok && o.Weight == id && o.PlusOne {
			return true
		}
	}
	return false
}
