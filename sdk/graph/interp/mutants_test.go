package interp

import (
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
)

type schedule = diff.Schedule

// A mutant is a schedule with one mistake.
type mutant struct {
	what     string
	step     int
	schedule *schedule
}

// mutants makes every schedule that has one mistake in a backward step.
func mutants(s *schedule) []mutant {
	var out []mutant
	add := func(what string, i int, change func(*diff.Step)) {
		c := *s
		c.Steps = slices.Clone(s.Steps)
		step := &c.Steps[i]
		step.Inputs, step.Params = slices.Clone(step.Inputs), slices.Clone(step.Params)
		step.Reads, step.OutputGradients = slices.Clone(step.Reads), slices.Clone(step.OutputGradients)
		change(step)
		out = append(out, mutant{what, i, &c})
	}
	for i, step := range s.Steps {
		if step.Kind != diff.Backward {
			continue
		}
		for k, in := range step.Inputs {
			add("no gradient of an input", i, func(s *diff.Step) { s.Inputs = slices.Delete(s.Inputs, k, k+1) })
			if in.Accumulate {
				add("an input's gradient written over", i, func(s *diff.Step) { s.Inputs[k].Accumulate = false })
			} else {
				add("an input's first gradient added", i, func(s *diff.Step) { s.Inputs[k].Accumulate = true })
			}
		}
		for k, p := range step.Params {
			add("no gradient of a parameter", i, func(s *diff.Step) { s.Params = slices.Delete(s.Params, k, k+1) })
			if p.Accumulate {
				add("a parameter's gradient written over", i, func(s *diff.Step) { s.Params[k].Accumulate = false })
			} else {
				add("a parameter's first gradient added", i, func(s *diff.Step) { s.Params[k].Accumulate = true })
			}
		}
		for k, v := range step.Reads {
			if slices.Contains(exempt(s.Graph, step), v) {
				continue
			}
			add("a value not kept", i, func(s *diff.Step) { s.Reads = slices.Delete(s.Reads, k, k+1) })
		}
		for k, has := range step.OutputGradients {
			if has {
				add("an output's gradient ignored", i, func(s *diff.Step) { s.OutputGradients[k] = false })
			}
		}
	}
	return out
}

// exempt are values that a step may read and that this interpreter does without:
// attention's output, which a backend takes for δ, and what a norm takes where its
// bias alone is trained.
func exempt(g *graph.Graph, step diff.Step) []graph.ValueID {
	n := g.Nodes[step.Node]
	switch o := n.Op.(type) {
	case *graph.Attention:
		return n.Outputs
	case *graph.Norm:
		if len(step.Inputs) == 0 && len(step.Params) == 1 && step.Params[0].Param == o.Bias {
			return n.Inputs
		}
	}
	return nil
}
