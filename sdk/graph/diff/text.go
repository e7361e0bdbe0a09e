package diff

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// Text is a schedule for people and for golden tests, a line a step:
//
//	forward model.layers.0.mlp.up_proj
//	loss
//	backward model.layers.0.mlp.up_proj: d%7 +=, d(model.layers.0.mlp.up_proj.weight) =; reads %7
//
// where = writes a gradient and += adds to it; the derivative of a map follows in
// braces.
func (s *Schedule) Text() string {
	var b strings.Builder
	for _, step := range s.Steps {
		switch step.Kind {
		case Forward:
			fmt.Fprintf(&b, "forward %s\n", s.Graph.Nodes[step.Node].Name)
		case Loss:
			b.WriteString("loss\n")
		case Backward:
			b.WriteString(s.backwardText(step) + "\n")
		default:
			fmt.Fprintf(&b, "%s %%%d\n", moves[step.Kind], step.Value)
		}
	}
	return b.String()
}

var moves = map[Kind]string{Store: "store", Stored: "stored", Fetch: "fetch", Fetched: "fetched"}

func (s *Schedule) backwardText(step Step) string {
	n := s.Graph.Nodes[step.Node]
	sign := func(accumulate bool) string {
		if accumulate {
			return "+="
		}
		return "="
	}
	names := argumentNames(n.Op)
	var parts, reads []string
	for _, in := range step.Inputs {
		text := fmt.Sprintf("d%%%d %s", in.Value, sign(in.Accumulate))
		if in.Derivative != nil {
			text += " {" + in.Derivative.Format(names) + "}"
		}
		parts = append(parts, text)
	}
	for _, p := range step.Params {
		text := fmt.Sprintf("d(%s) %s", s.Graph.Params[p.Param].Name, sign(p.Accumulate))
		if p.Derivative != nil {
			text += " {" + p.Derivative.Format(names) + "}"
		}
		parts = append(parts, text)
	}
	for _, v := range step.Reads {
		reads = append(reads, fmt.Sprintf("%%%d", v))
	}
	text := "backward " + n.Name + ": " + strings.Join(parts, ", ")
	if len(reads) > 0 {
		text += "; reads " + strings.Join(reads, " ")
	}
	return text
}

// argumentNames are the names of a map's arguments.
func argumentNames(op graph.Op) []string {
	m, ok := op.(*graph.Map)
	if !ok {
		return nil
	}
	names := make([]string, len(m.Args))
	for i, a := range m.Args {
		names[i] = a.Name
	}
	return names
}
