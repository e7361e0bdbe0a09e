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
	const longest, listed = 200, 4
	if len(pattern) > longest {
		return fmt.Errorf("adapter: no linear of the model is called by the %d bytes %.40q…", len(pattern), pattern)
	}
	var known []string
	seen := map[string]bool{}
	add := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			known = append(known, s)
		}
	}
	parts := 1 + strings.Count(pattern, ".")
	for _, i := range linears {
		add(lastParts(linearOf(g, i).Module, 1))
		add(string(roleOf(g, i)))
		add(lastParts(linearOf(g, i).Module, parts))
	}
	away := map[string]int{}
	for _, name := range known {
		away[name] = distance(strings.ReplaceAll(pattern, "*", ""), name)
	}
	slices.SortStableFunc(known, func(a, b string) int { return away[a] - away[b] })
	near := strings.Join(known[:min(len(known), listed)], ", ")
	if near == "" {
		return fmt.Errorf("adapter: no linear of the model is called %q: it has none", pattern)
	}
	return fmt.Errorf("adapter: no linear of the model is called %q; near it: %s", pattern, near)
}

// lastParts is the last n parts of a dotted path, or all of it.
func lastParts(path string, n int) string {
	at := len(path)
	for ; n > 0 && at >= 0; n-- {
		at = strings.LastIndexByte(path[:at], '.')
	}
	return path[at+1:]
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

// A Summary says what a Graph trains, for people.
type Summary struct {
	Targets []Target // the linears with an adapter, in groups
	Adapter int64    // elements of the adapter's parameters
	Own     int64    // elements of the model's own trainable parameters
	Model   int64    // elements of all the model's parameters
}

// A Target is a group of adapted linears that share the last part of their paths
// and their role.
type Target struct {
	Name     string // q_proj
	Role     graph.Role
	Modules  []string // their paths
	Elements int64    // elements of their adapters
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
		s.Model += n
	}
	seen := map[string]bool{}
	for _, i := range g.Linears() {
		l := linearOf(g, i)
		if l.Adapter == nil || seen[l.Module] {
			continue
		}
		seen[l.Module] = true
		t := s.target(lastParts(l.Module, 1), roleOf(g, i))
		t.Modules = append(t.Modules, l.Module)
		for _, id := range l.Adapter.Params() {
			t.Elements += int64(g.Params[id].Elements())
		}
	}
	return s
}

// target is the group of that name and role, made where there is none.
func (s *Summary) target(name string, role graph.Role) *Target {
	for i := range s.Targets {
		if t := &s.Targets[i]; t.Name == name && t.Role == role {
			return t
		}
	}
	s.Targets = append(s.Targets, Target{Name: name, Role: role})
	return &s.Targets[len(s.Targets)-1]
}

// PEFTTargets are target_modules for PEFT's adapter_config.json: the shortest
// endings of the adapted modules' paths that name these and no other linear,
// sorted. Of a part of a model they are the whole paths: a vision tower has a q_proj
// too.
func PEFTTargets(g *graph.Graph) []string {
	var adapted, others []string
	for _, i := range g.Linears() {
		if l := linearOf(g, i); l.Adapter != nil {
			adapted = append(adapted, l.Module)
		} else {
			others = append(others, l.Module)
		}
	}
	var out []string
	_, part := g.Notes[graph.PartNote]
	for _, module := range adapted {
		if part {
			out = append(out, module)
			continue
		}
		if ending := shortestEnding(module, others); !slices.Contains(out, ending) {
			out = append(out, ending)
		}
	}
	slices.Sort(out)
	return out
}

// shortestEnding is the shortest ending of a module's path, in whole parts, with
// which no other path ends; the path itself where there is none.
func shortestEnding(module string, others []string) string {
	for n := 1; n <= strings.Count(module, "."); n++ {
		ending := lastParts(module, n)
		clash := slices.ContainsFunc(others, func(o string) bool { return o == ending || strings.HasSuffix(o, "."+ending) })
		if !clash {
			return ending
		}
	}
	return module
}
