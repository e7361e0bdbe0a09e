package adapt

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// Targets are the indices of the nodes that patterns name, in order: [Auto]; or each a
// role such as attn.q; or a module's path, or its last parts, as PEFT takes them; or one
// of these with * for any characters; or, after ~, a regular expression of a whole path.
// A pattern that names nothing is an error with the nearest names.
func Targets(g *graph.Graph, patterns []string) ([]int, error) {
	all := linears(g)
	if len(patterns) == 0 {
		return nil, fmt.Errorf("adapter: no targets")
	}
	chosen := map[int]bool{}
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		found := false
		for _, i := range all {
			l, role := linearOf(g, i), roleOf(g, i)
			if p.names(l.Module, role) || text == Auto && l.experts == 0 && role.AutoTarget() {
				chosen[i], found = true, true
			}
		}
		switch {
		case !found && text == Auto:
			return nil, fmt.Errorf("adapter: the model has no linear to put an adapter on")
		case !found:
			return nil, unknownTarget(g, all, text)
		}
	}
	return slices.Sorted(maps.Keys(chosen)), nil
}

// Linears are the indices of the nodes of g that get the adapter: the targets of the
// layers asked for, without what is excluded or trained in full.
func (l LoRA) Linears(g *graph.Graph) ([]int, error) {
	targets, err := Targets(g, l.Targets)
	if err != nil {
		return nil, err
	}
	if len(l.Exclude) > 0 {
		excluded, err := Targets(g, l.Exclude)
		if err != nil {
			return nil, err
		}
		targets = slices.DeleteFunc(targets, func(i int) bool { return slices.Contains(excluded, i) })
	}
	if len(l.Layers) > 0 {
		if err := checkLayers(g, l.Layers); err != nil {
			return nil, err
		}
		targets = slices.DeleteFunc(targets, func(i int) bool {
			n, ok := layerOf(linearOf(g, i).Module)
			return !ok || !slices.Contains(l.Layers, n)
		})
	}
	whole, err := Modules(g, l.Modules)
	if err != nil {
		return nil, err
	}
	targets = slices.DeleteFunc(targets, func(i int) bool { return slices.Contains(whole, linearOf(g, i).Weight) })
	if len(targets) == 0 {
		return nil, fmt.Errorf("adapter: no linear is left of the targets: all are excluded, of other layers or trained in full")
	}
	return targets, nil
}

// Modules are the parameters of the modules that patterns name, as [Targets] takes
// them: norms, embeddings and linears, whole. Weights that two modules share are
// trained in both. A pattern that names nothing is an error with the nearest names.
func Modules(g *graph.Graph, patterns []string) ([]graph.ParamID, error) {
	chosen := map[string]bool{}
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		found := false
		for _, m := range modules(g) {
			if p.names(m.path, m.role) {
				chosen[g.Params[m.weight].Module], found = true, true
			}
		}
		if !found {
			return nil, unknown("module", modules(g), text)
		}
	}
	var out []graph.ParamID
	for _, p := range g.Params {
		if p.Adapter == "" && chosen[p.Module] {
			out = append(out, p.ID)
		}
	}
	return out, nil
}

// A module has a weight of its own, or shares another's.
type module struct {
	path   string
	role   graph.Role // the weight's
	weight graph.ParamID
}

// modules are those of the model that PEFT could find and train in full: what has a
// parameter called weight. A linear that shares its weight is one more.
func modules(g *graph.Graph) []module {
	var out []module
	for _, p := range g.Params {
		if p.Adapter == "" && p.Name == p.Module+".weight" {
			out = append(out, module{p.Module, p.Role, p.ID})
		}
	}
	own := len(out)
	for _, i := range g.Linears() {
		l := linearOf(g, i)
		shares := slices.ContainsFunc(out[:own], func(m module) bool { return m.weight == l.Weight && m.path != l.Module })
		if shares && !slices.ContainsFunc(out[own:], func(m module) bool { return m.path == l.Module }) {
			out = append(out, module{l.Module, g.Params[l.Weight].Role, l.Weight})
		}
	}
	return out
}

// numbered finds a layer's index in a path as PEFT does: the first part that is a
// number, behind two others.
var numbered = regexp.MustCompile(`^.*?\.[^.]*\.([0-9]+)\.`)

// layerOf is the index of the layer that a module belongs to.
func layerOf(path string) (int, bool) {
	found := numbered.FindStringSubmatch(path)
	if found == nil {
		return 0, false
	}
	n, err := strconv.Atoi(found[1])
	return n, err == nil
}

// checkLayers refuses indices of layers that the model does not have.
func checkLayers(g *graph.Graph, layers []int) error {
	known := map[int]bool{}
	for _, i := range linears(g) {
		if n, ok := layerOf(linearOf(g, i).Module); ok {
			known[n] = true
		}
	}
	for _, n := range layers {
		if known[n] {
			continue
		}
		if len(known) == 0 {
			return fmt.Errorf("adapter: layer %d: the linears of the model are in no numbered layers", n)
		}
		all := slices.Sorted(maps.Keys(known))
		return fmt.Errorf("adapter: layer %d: those of the model with linears are %d to %d", n, all[0], all[len(all)-1])
	}
	return nil
}

// An Exception is a value for the linears that a pattern names.
type Exception[T int | float64] struct {
	Pattern string
	Value   T
}

// Except is l with the exceptions that patterns say of linears of g, in an order in
// which the first counts; see [Exceptions].
func (l LoRA) Except(g *graph.Graph, ranks map[string]int, alphas map[string]float64) (LoRA, error) {
	targets, err := l.Linears(g)
	if err != nil {
		return l, err
	}
	if l.Ranks, err = Exceptions(g, targets, ranks); err != nil {
		return l, fmt.Errorf("ranks: %w", err)
	}
	if l.Alphas, err = Exceptions(g, targets, alphas); err != nil {
		return l, fmt.Errorf("alphas: %w", err)
	}
	return l, nil
}

// Exceptions puts what patterns say into an order in which the first counts: a pattern
// that names fewer of the targets, which are nodes of g, comes before one that names
// more. One that names none of them is an error, and so are two of which neither is
// narrower that say different things of one linear.
func Exceptions[T int | float64](g *graph.Graph, targets []int, values map[string]T) ([]Exception[T], error) {
	out := make([]Exception[T], 0, len(values))
	named := map[string][]int{}
	for _, text := range slices.Sorted(maps.Keys(values)) {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		for _, i := range targets {
			if p.names(linearOf(g, i).Module, roleOf(g, i)) {
				named[text] = append(named[text], i)
			}
		}
		if len(named[text]) == 0 {
			return nil, unknownTarget(g, targets, text)
		}
		out = append(out, Exception[T]{text, values[text]})
	}
	slices.SortStableFunc(out, func(a, b Exception[T]) int { return cmp.Compare(len(named[a.Pattern]), len(named[b.Pattern])) })
	for k, a := range out {
		for _, b := range out[k+1:] {
			if len(named[a.Pattern]) != len(named[b.Pattern]) || a.Value == b.Value {
				continue
			}
			for _, i := range named[a.Pattern] {
				if slices.Contains(named[b.Pattern], i) {
					return nil, fmt.Errorf("adapter: %s is %v by %q and %v by %q, and neither is narrower", linearOf(g, i).Module, a.Value, a.Pattern, b.Value, b.Pattern)
				}
			}
		}
	}
	return out, nil
}

// A rule is an exception whose pattern is read.
type rule[T int | float64] struct {
	pattern
	value T
}

// rules reads the patterns of exceptions.
func rules[T int | float64](exceptions []Exception[T]) ([]rule[T], error) {
	var out []rule[T]
	for _, e := range exceptions {
		p, err := parsePattern(e.Pattern)
		if err != nil {
			return nil, err
		}
		out = append(out, rule[T]{p, e.Value})
	}
	return out, nil
}

// valueFor is what the first rule that names a module says, or the usual value.
func valueFor[T int | float64](rules []rule[T], path string, role graph.Role, usual T) T {
	for _, r := range rules {
		if r.names(path, role) {
			return r.value
		}
	}
	return usual
}

func roleOf(g *graph.Graph, node int) graph.Role {
	return g.Params[linearOf(g, node).Weight].Role
}

// A pattern names modules; see [Targets].
type pattern struct {
	text       string
	expression *regexp.Regexp // of a whole path; nil: text says it
}

// expressionMark begins a pattern that is a regular expression.
const expressionMark = "~"

func parsePattern(text string) (pattern, error) {
	expression, ok := strings.CutPrefix(text, expressionMark)
	if !ok {
		return pattern{text: text}, nil
	}
	// Said with its flag, a newline in a path is a character like others.
	compiled, err := regexp.Compile(`(?s)^(?:` + expression + `)$`)
	if err != nil {
		return pattern{}, fmt.Errorf("adapter: the regular expression %.100q is none that hone knows: %w", expression, err)
	}
	return pattern{text, compiled}, nil
}

// names reports whether the pattern names the module with that role.
func (p pattern) names(path string, role graph.Role) bool {
	if p.expression != nil {
		return p.expression.MatchString(path)
	}
	if wildcard(p.text, string(role)) || wildcard(p.text, path) {
		return true
	}
	for i := range len(path) {
		if path[i] == '.' && wildcard(p.text, path[i+1:]) {
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
