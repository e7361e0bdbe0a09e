// Package adapt marks what a run trains: it puts low-rank adapters onto linears
// of a Graph (Hu et al., 2021), or makes the model's own parameters trainable.
// An adapter is an attribute of a linear, never extra nodes.
package adapt

import (
	"fmt"
	"math"
	"slices"
	"strings"

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

// Auto is the target that, alone, means every linear but heads and routers.
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
	// Targets are the linears that get one: [Auto], or names as PEFT takes them
	// (the last parts of a module's path), patterns of these with *, or roles such
	// as attn.q, with * too.
	Targets  []string
	Bias     Bias // "": BiasNone
	LoRABias bool // a bias in B, PEFT's lora_bias
}

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
	targets, err := Targets(g, l.Targets)
	if err != nil {
		return nil, err
	}
	c := g.Clone()
	attached := map[string]*graph.Linear{}
	for _, i := range targets {
		linear := linearOf(c, i)
		first, again := attached[linear.Module]
		switch {
		case linear.Adapter != nil:
			return nil, fmt.Errorf("adapter: %s has one already", linear.Module)
		case again && first.Weight != linear.Weight:
			return nil, fmt.Errorf("adapter: two linears with different weights have the module path %s", linear.Module)
		case again: // a module that the model applies twice has one adapter
			shared := *first.Adapter
			linear.Adapter = &shared
		default:
			l.attach(c, linear)
			attached[linear.Module] = linear
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
	switch {
	case l.Rank < 1 || l.Rank > 1<<16:
		return fmt.Errorf("adapter: rank %d, want at least 1", l.Rank)
	case !(l.Alpha > 0) || math.IsInf(l.Alpha, 0):
		return fmt.Errorf("adapter: alpha %v, want above 0", l.Alpha)
	case !(l.Dropout >= 0 && l.Dropout < 1):
		return fmt.Errorf("adapter: dropout %v, want at least 0 and below 1", l.Dropout)
	case l.Bias != "" && l.Bias != BiasNone && l.Bias != BiasAll && l.Bias != BiasLoRAOnly:
		return fmt.Errorf("adapter: bias %q, want none, all or lora_only", l.Bias)
	}
	return nil
}

// attach gives linear its adapter and declares the parameters.
func (l LoRA) attach(g *graph.Graph, linear *graph.Linear) {
	shape := g.Params[linear.Weight].Shape
	out, in := shape[0], shape[1]
	param := func(name string, init graph.Init, shape ...int) graph.ParamID {
		p := &graph.Param{
			ID: graph.ParamID(len(g.Params)), Name: peftPrefix + linear.Module + "." + name, Shape: shape,
			Role: graph.RoleLoRA, Module: linear.Module, Init: init, Adapter: l.Name, Trainable: true,
		}
		g.Params = append(g.Params, p)
		return p.ID
	}
	a := &graph.Adapter{
		Name: l.Name, Rank: l.Rank, Alpha: l.Alpha, RSLoRA: l.RSLoRA, Dropout: l.Dropout,
		Bias: graph.NoParam, Magnitude: graph.NoParam,
	}
	a.A = param("lora_A.weight", graph.InitKaiming, l.Rank, in)
	a.B = param("lora_B.weight", graph.InitZeros, out, l.Rank)
	if l.LoRABias {
		a.Bias = param("lora_B.bias", graph.InitZeros, out)
	}
	linear.Adapter = a
}

// trainBiases marks biases as trainable: those of the nodes listed, or, with nil,
// all.
func trainBiases(g *graph.Graph, nodes []int) {
	for i, n := range g.Nodes {
		if nodes != nil && !slices.Contains(nodes, i) {
			continue
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

// Targets are the indices of the nodes that patterns name, in order. A pattern
// that names nothing is an error with the nearest names.
func Targets(g *graph.Graph, patterns []string) ([]int, error) {
	linears := g.Linears()
	var out []int
	if len(patterns) == 1 && patterns[0] == Auto {
		for _, i := range linears {
			if roleOf(g, i).AutoTarget() {
				out = append(out, i)
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("adapter: the model has no linear to put an adapter on")
		}
		return out, nil
	}
	if len(patterns) == 0 {
		return nil, fmt.Errorf("adapter: no targets")
	}
	chosen := map[int]bool{}
	for _, p := range patterns {
		found := false
		for _, i := range linears {
			if Matches(p, linearOf(g, i).Module, roleOf(g, i)) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, unknownTarget(g, linears, p)
		}
	}
	for _, i := range linears {
		if chosen[i] {
			out = append(out, i)
		}
	}
	return out, nil
}

// linearOf is the operation of a node that is known to be a linear.
func linearOf(g *graph.Graph, node int) *graph.Linear {
	l, _ := g.Nodes[node].Op.(*graph.Linear)
	return l
}

func roleOf(g *graph.Graph, node int) graph.Role {
	return g.Params[linearOf(g, node).Weight].Role
}

// Matches reports whether a target pattern names the module with that role: the
// role; or the path; or its last parts, as in PEFT. In a pattern * stands for
// any characters.
func Matches(pattern, module string, role graph.Role) bool {
	if wildcard(pattern, string(role)) || wildcard(pattern, module) {
		return true
	}
	for i := range len(module) {
		if module[i] == '.' && wildcard(pattern, module[i+1:]) {
			return true
		}
	}
	return false
}

// wildcard matches the whole of s, * standing for any characters.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
