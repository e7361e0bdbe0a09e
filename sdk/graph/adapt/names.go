package adapt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// unknownTarget is the error for a pattern that names none of these linears.
func unknownTarget(g *graph.Graph, linears []int, pattern string) error {
	var known []module
	for _, i := range linears {
		known = append(known, module{path: linearOf(g, i).Module, role: roleOf(g, i)})
	}
	return unknown("linear", known, pattern)
}

// unknown is the error for a pattern that names none of what is known: it lists the
// nearest names and roles.
func unknown(what string, modules []module, pattern string) error {
	const longest, listed = 200, 4
	if len(pattern) > longest {
		return fmt.Errorf("adapter: no %s of the model is called by the %d bytes %.40q…", what, len(pattern), pattern)
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
	for _, m := range modules {
		add(lastParts(m.path, 1))
		add(string(m.role))
		add(lastParts(m.path, parts))
	}
	away := map[string]int{}
	for _, name := range known {
		away[name] = distance(strings.Trim(strings.ReplaceAll(pattern, "*", ""), expressionMark), name)
	}
	slices.SortStableFunc(known, func(a, b string) int { return away[a] - away[b] })
	near := strings.Join(known[:min(len(known), listed)], ", ")
	if near == "" {
		return fmt.Errorf("adapter: no %s of the model is called %q: it has none", what, pattern)
	}
	return fmt.Errorf("adapter: no %s of the model is called %q; near it: %s", what, pattern, near)
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
		case p.Adapter != "" && !p.Trainable: // what an adapter began with
			continue
		case p.Adapter != "":
			s.Adapter += n
			continue
		case p.Trainable:
			s.Own += n
		}
		s.Model += n
	}
	seen := map[string]bool{}
	for _, i := range linears(g) {
		l := linearOf(g, i)
		if l.Adapter == nil || seen[l.Module] {
			continue
		}
		seen[l.Module] = true
		t := s.target(lastParts(l.Module, 1), roleOf(g, i))
		t.Modules = append(t.Modules, l.Module)
		for _, id := range l.Adapter.Params() {
			if g.Params[id].Trainable {
				t.Elements += int64(g.Params[id].Elements())
			}
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
