// Package adapt marks what a run trains: it puts low-rank adapters onto linears
// of a Graph (Hu et al., 2021), or makes the model's own parameters trainable.
// An adapter is an attribute of a linear, never extra nodes. [Balance] puts a loss on
// routes that training adds to the objective.
package adapt

import (
	"fmt"
	"math"
	"slices"

	"github.com/honeml/hone/sdk/graph"
)

// A Bias says which of the model's own biases are trained beside an adapter, as
// PEFT's option of that name does.
type Bias string

// The choices.
const (
	BiasNone     Bias = "none"
	BiasAll      Bias = "all"       // every bias of the model
	BiasLoRAOnly Bias = "lora_only" // those of the linears that have an adapter
)

// Auto is the target that, alone, means every linear but heads and routers; as in
// PEFT's all-linear, experts that are one parameter are no linears.
const Auto = "auto"

// DefaultName is the adapter's name where nobody gives one, as in PEFT.
const DefaultName = "default"

// LoRA describes an adapter.
type LoRA struct {
	Name    string // "": DefaultName
	Rank    int
	Alpha   float64
	RSLoRA  bool
	Dropout float64
	// Targets are the linears that get one: [Auto], or patterns, see [Targets].
	Targets []string
	// Exclude takes linears out of the targets again.
	Exclude []string
	// Layers are the indices of the layers whose linears get one; none: all linears'.
	Layers []int
	// Ranks and Alphas are those of linears that have others than Rank and Alpha. The
	// first that names a linear counts.
	Ranks  []Exception[int]
	Alphas []Exception[float64]
	// Modules are trained in full beside the adapter, PEFT's modules_to_save: see
	// [Modules]. None of them gets an adapter.
	Modules  []string
	Bias     Bias // "": BiasNone
	LoRABias bool // a bias in B, PEFT's lora_bias
	// Tokens says that the adapter has rows of tokens, which TrainTokens adds: Apply does
	// not know of which.
	Tokens bool
	DoRA   bool // a trained magnitude (Liu et al., 2024); not with LoRABias
	Init   Init // "": InitLoRA
}

// An Init says what the matrices of an adapter begin with.
type Init string

// The choices.
const (
	InitLoRA Init = "lora" // A is random, B zero
	// InitPiSSA begins with the principal part of the weight, whose rank the adapter's
	// cannot exceed (Meng et al., 2024); not with DoRA.
	InitPiSSA Init = "pissa"
)

// peftPrefix begins the keys of PEFT's adapter files.
const peftPrefix = "base_model.model."

// Apply returns a copy of g whose targets have the adapter l.
func Apply(g *graph.Graph, l LoRA) (*graph.Graph, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if l.Name == "" {
		l.Name = DefaultName
	}
	targets, err := l.Linears(g)
	if err != nil {
		return nil, err
	}
	whole, err := Modules(g, l.Modules)
	if err != nil {
		return nil, err
	}
	ranks, err := rules(l.Ranks)
	if err != nil {
		return nil, err
	}
	alphas, err := rules(l.Alphas)
	if err != nil {
		return nil, err
	}
	c := g.Clone()
	for _, id := range whole {
		c.Params[id].Trainable = true
	}
	if err := l.checkExperts(g, targets); err != nil {
		return nil, err
	}
	paths := adapterPaths(g, targets)
	attached := map[string]linear{}
	for _, i := range targets {
		to := linearOf(c, i)
		first, again := attached[to.Module]
		switch {
		case to.Adapter != nil:
			return nil, fmt.Errorf("adapter: %s has one already", to.Module)
		case again && first.Weight != to.Weight:
			return nil, fmt.Errorf("adapter: two linears with different weights have the module path %s", to.Module)
		case again: // a module that the model applies twice has one adapter
			shared := *first.Adapter
			setAdapter(c, i, &shared)
		default:
			path, role := to.Module, roleOf(c, i)
			a, err := l.attach(c, to, paths[path], valueFor(ranks, path, role, l.Rank), valueFor(alphas, path, role, l.Alpha))
			if err != nil {
				return nil, err
			}
			setAdapter(c, i, a)
			attached[path] = linearOf(c, i)
		}
	}
	switch l.Bias {
	case BiasAll:
		trainBiases(c, nil)
	case BiasLoRAOnly:
		trainBiases(c, targets)
	}
	return c, c.Validate()
}

func (l LoRA) check() error {
	if err := checkSize(l.Rank, l.Alpha); err != nil {
		return fmt.Errorf("adapter: %w", err)
	}
	switch {
	case l.DoRA && l.LoRABias:
		return fmt.Errorf("adapter: DoRA has no bias in B")
	case l.Init != "" && l.Init != InitLoRA && l.Init != InitPiSSA:
		return fmt.Errorf("adapter: init %q, want lora or pissa", l.Init)
	case l.DoRA && l.Init == InitPiSSA:
		return fmt.Errorf("adapter: init %q is not together with DoRA; leave one of them out", l.Init)
	case !(l.Dropout >= 0 && l.Dropout < 1):
		return fmt.Errorf("adapter: dropout %v, want at least 0 and below 1", l.Dropout)
	case l.Bias != "" && l.Bias != BiasNone && l.Bias != BiasAll && l.Bias != BiasLoRAOnly:
		return fmt.Errorf("adapter: bias %q, want none, all or lora_only", l.Bias)
	}
	return nil
}

func checkSize(rank int, alpha float64) error {
	switch {
	case rank < 1 || rank > 1<<16:
		return fmt.Errorf("rank %d, want at least 1", rank)
	case !(alpha > 0) || math.IsInf(alpha, 0):
		return fmt.Errorf("alpha %v, want above 0", alpha)
	}
	return nil
}

// attach makes the adapter of a linear and declares its parameters under path.
func (l LoRA) attach(g *graph.Graph, to linear, path string, rank int, alpha float64) (*graph.Adapter, error) {
	if err := checkSize(rank, alpha); err != nil {
		return nil, fmt.Errorf("adapter: %s: %w", to.Module, err)
	}
	shape := g.Params[to.Weight].Shape
	out, in, stacked := shape[len(shape)-2], shape[len(shape)-1], max(1, to.experts)
	if l.Init == InitPiSSA && rank > min(out, in) {
		return nil, fmt.Errorf("adapter: %s: rank %d is more than the %d singular values of its weight [%d %d], with which init %q begins; give it a lower rank, or leave it out of the targets",
			to.Module, rank, min(out, in), out, in, l.Init)
	}
	add := func(name string, init graph.Init, trainable bool, shape ...int) graph.ParamID {
		p := &graph.Param{
			ID: graph.ParamID(len(g.Params)), Name: peftPrefix + path + "." + name, Shape: shape,
			Role: graph.RoleLoRA, Module: to.Module, Init: init, Adapter: l.Name, Trainable: trainable,
		}
		g.Params = append(g.Params, p)
		return p.ID
	}
	param := func(name string, init graph.Init, shape ...int) graph.ParamID { return add(name, init, true, shape...) }
	a := &graph.Adapter{
		Name: l.Name, Rank: rank, Alpha: alpha, RSLoRA: l.RSLoRA, Dropout: l.Dropout,
		Bias: graph.NoParam, Magnitude: graph.NoParam,
	}
	if l.Init == InitPiSSA {
		a.A = param("lora_A.weight", graph.InitPrincipal, rank, in)
		a.B = param("lora_B.weight", graph.InitPrincipal, out, rank)
		a.Start = &graph.Start{
			A: add("lora_A.start", graph.InitPrincipal, false, rank, in),
			B: add("lora_B.start", graph.InitPrincipal, false, out, rank),
		}
	} else {
		a.A = param("lora_A.weight", graph.InitKaiming, rank*stacked, in)
		a.B = param("lora_B.weight", graph.InitZeros, out, rank*stacked)
	}
	if l.LoRABias {
		a.Bias = param("lora_B.bias", graph.InitZeros, out)
	}
	if l.DoRA {
		a.Magnitude = param("lora_magnitude_vector", graph.InitRowNorms, out)
	}
	return a, nil
}

// trainBiases marks biases as trainable: those of the linears listed, or, with nil,
// all.
func trainBiases(g *graph.Graph, nodes []int) {
	for i, n := range g.Nodes {
		if _, experts := n.Op.(*graph.ExpertLinear); nodes != nil && (experts || !slices.Contains(nodes, i)) {
			continue // PEFT's lora_only does not reach experts
		}
		for _, id := range biases(n.Op) {
			g.Params[id].Trainable = true
		}
	}
}

func biases(op graph.Op) []graph.ParamID {
	id := graph.NoParam
	switch o := op.(type) {
	case *graph.Linear:
		id = o.Bias
	case *graph.Norm:
		id = o.Bias
	case *graph.Conv:
		id = o.Bias
	case *graph.ExpertLinear:
		id = o.Bias
	}
	if id == graph.NoParam {
		return nil
	}
	return []graph.ParamID{id}
}

// Full returns a copy of g with every parameter of the model trainable, tied
// weights once. The biases of routes stay as they are: they steer a choice and
// have no gradient.
func Full(g *graph.Graph) *graph.Graph {
	c := g.Clone()
	for _, p := range c.Params {
		p.Trainable = p.Adapter == ""
	}
	for _, n := range c.Nodes {
		if r, ok := n.Op.(*graph.Route); ok && r.Bias != graph.NoParam {
			c.Params[r.Bias].Trainable = g.Params[r.Bias].Trainable
		}
	}
	return c
}
