package adapt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// unknownTarget is the error for a pattern that names no linear: it lists the
// nearest names and roles.
func unknownTarget(g *graph.Graph, linears []int, pattern string) error {
	var known []string
	add := func(s string) {
		if s != "" && !slices.Contains(known, s) {
			known = append(known, s)
		}
	}
	for _, i := range linears {
		module := moduleOf(g, i)
		add(module[strings.LastIndexByte(module, '.')+1:])
		add(string(roleOf(g, i)))
	}
	slices.SortStableFunc(known, func(a, b string) int { return distance(pattern, a) - distance(pattern, b) })
	near := known[:min(len(known), 4)]
	return fmt.Errorf("adapter: no linear of the model is called %q; near it: %s", pattern, strings.Join(near, ", "))
}

// distance is the number of insertions, deletions and replacements from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := previous
			if a[i] != b[j] {
				replaced++
			}
			previous = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// A Summary says what a Graph trains.
type Summary struct {
	Modules   []string // the linears with an adapter, by path
	Adapter   int64    // parameters of the adapter
	Own       int64    // trainable parameters of the model itself
	Parameter int64    // parameters of the model
}

// Summarise says what g trains.
func Summarise(g *graph.Graph) Summary {
	var s Summary
	for _, p := range g.Params {
		n := int64(p.Elements())
		switch {
		case p.Adapter != "":
			s.Adapter += n
			continue
		case p.Trainable:
			s.Own += n
		}
		s.Parameter += n
	}
	for _, n := range g.Nodes {
		if l, ok := n.Op.(*graph.Linear); ok && l.Adapter != nil {
			s.Modules = append(s.Modules, l.Module)
		}
	}
	return s
}

// PEFTTargets are target_modules for PEFT's adapter_config.json: the shortest
// endings of the adapted modules' paths that name these and no other linear,
// sorted.
func PEFTTargets(g *graph.Graph) []string {
	var adapted, others []string
	for _, i := range g.Linears() {
		if l := g.Nodes[i].Op.(*graph.Linear); l.Adapter != nil { //nolint:errcheck,forcetypeassert // nodes are linears
			adapted = append(adapted, l.Module)
		} else {
			others = append(others, l.Module)
		}
	}
	var out []string
	for _, module := range adapted {
		if ending := shortestEnding(module, others); !slices.Contains(out, ending) {
			out = append(out, ending)
		}
	}
	slices.Sort(out)
	return out
}

func shortestEnding(module string, others []string) string {
	parts := strings.Split(module, ".")
	for n := 1; n < len(parts); n++ {
		ending := strings.Join(parts[len(parts)-n:], ".")
		clash := slices.ContainsFunc(others, func(o string) bool { return o == ending || strings.HasSuffix(o, "."+ending) })
		if !clash {
			return ending
		}
	}
	return module
}
