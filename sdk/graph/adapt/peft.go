package adapt

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// A PEFT is what PEFT's adapter_config.json says of a Graph's adapter as it is saved:
// which modules it is on, and what differs between them. Endings of paths are the shortest, in whole
// parts, that name what they mean and nothing else; of a part of a model they are the
// whole paths: a vision tower has a q_proj too.
type PEFT struct {
	TargetModules []string
	// TargetParameters are the stacks of experts.
	TargetParameters []string
	// LayersToTransform are the indices of the layers in which TargetModules count;
	// nil: everywhere.
	LayersToTransform []int
	Rank              int     // the most frequent
	Alpha             float64 // likewise
	RankPattern       map[string]int
	AlphaPattern      map[string]float64
	ModulesToSave     []string
	// EnsureWeightTying says that some of ModulesToSave share their weights.
	EnsureWeightTying bool
}

// Describe says in PEFT's terms what g's adapter is; ok is false where it has none.
func Describe(g *graph.Graph) (p PEFT, ok bool) {
	ranks, alphas := map[string]int{}, map[string]float64{}
	var modules, stacks named
	for _, i := range linears(g) {
		l, group := linearOf(g, i), &modules
		if l.experts > 0 {
			group = &stacks
		}
		switch {
		case l.Adapter == nil:
			group.others = append(group.others, l.Module)
		case ranks[l.Module] == 0:
			group.adapted = append(group.adapted, l.Module)
			ranks[l.Module], alphas[l.Module] = l.Adapter.Plain()
		}
	}
	adapted := slices.Concat(modules.adapted, stacks.adapted)
	if len(adapted) == 0 {
		return p, false
	}
	_, part := g.Notes[graph.PartNote]
	switch {
	case part:
		p.TargetModules, p.TargetParameters = unique(slices.Clone(modules.adapted)), unique(slices.Clone(stacks.adapted))
	case len(stacks.adapted) > 0: // which layers_to_transform is not for
		p.TargetModules, p.TargetParameters = modules.endings(), stacks.endings()
	default:
		p.TargetModules, p.LayersToTransform = modules.peftTargets()
	}
	p.Rank, p.RankPattern = peftPattern(adapted, ranks)
	p.Alpha, p.AlphaPattern = peftPattern(adapted, alphas)
	p.ModulesToSave, p.EnsureWeightTying = peftModules(g)
	return p, true
}

// named are paths that are to be named, and others that are not.
type named struct{ adapted, others []string }

// endings are the shortest that name what is to be named.
func (n named) endings() []string {
	var out []string
	for _, path := range n.adapted {
		out = append(out, shortestEnding(path, n.others, wholeParts))
	}
	return unique(out)
}

// peftTargets names the adapted linears and no others: by endings that count in each
// layer, or in some, or by endings that hold the layer.
func (n named) peftTargets() (targets []string, layers []int) {
	targets = n.endings()
	names := make([]string, len(n.adapted))
	inLayers := map[int]bool{}
	for i, module := range n.adapted {
		names[i] = lastParts(module, 1)
		n, ok := layerOf(module)
		if !ok {
			return targets, nil
		}
		inLayers[n] = true
	}
	names = unique(names)
	if slices.Equal(names, targets) {
		return targets, nil
	}
	for _, module := range n.others {
		if n, ok := layerOf(module); ok && inLayers[n] && slices.Contains(names, lastParts(module, 1)) || slices.Contains(names, module) {
			return targets, nil
		}
	}
	return names, slices.Sorted(maps.Keys(inLayers))
}

// peftPattern is the most frequent value, and PEFT's pattern for the others: regular
// expressions of endings, of which no module has two with different values.
func peftPattern[T int | float64](modules []string, values map[string]T) (usual T, pattern map[string]T) {
	count := map[T]int{}
	for _, m := range modules {
		count[values[m]]++
	}
	usual = values[modules[0]]
	for _, m := range modules {
		if count[values[m]] > count[usual] {
			usual = values[m]
		}
	}
	pattern = map[string]T{}
	for _, m := range modules {
		if values[m] == usual {
			continue
		}
		different := slices.DeleteFunc(slices.Clone(modules), func(o string) bool { return values[o] == values[m] })
		pattern[regexp.QuoteMeta(shortestEnding(m, different, wholeParts))] = values[m]
	}
	return usual, pattern
}

// peftModules are PEFT's modules_to_save, which name what ends with them, be it within
// a part of a path: the modules that are trained in full, those that share their
// weights with others by each name.
func peftModules(g *graph.Graph) (names []string, tied bool) {
	var saved, others []string
	seen := map[graph.ParamID]bool{}
	for _, m := range modules(g) {
		if !g.Params[m.weight].Trainable {
			others = append(others, m.path)
			continue
		}
		saved = append(saved, m.path)
		tied = tied || seen[m.weight]
		seen[m.weight] = true
	}
	_, part := g.Notes[graph.PartNote]
	for _, path := range saved {
		if !part {
			path = shortestEnding(path, others, strings.HasSuffix)
		}
		names = append(names, path)
	}
	return unique(names), tied
}

// unique sorts names and leaves each once.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// wholeParts reports whether a path ends with an ending in whole parts.
func wholeParts(path, ending string) bool {
	return path == ending || strings.HasSuffix(path, "."+ending)
}

// shortestEnding is the shortest ending of a module's path, in whole parts, with
// which no other path ends; the path itself where there is none.
func shortestEnding(module string, others []string, ends func(path, ending string) bool) string {
	for n := 1; n <= strings.Count(module, "."); n++ {
		ending := lastParts(module, n)
		if !slices.ContainsFunc(others, func(o string) bool { return ends(o, ending) }) {
			return ending
		}
	}
	return module
}
