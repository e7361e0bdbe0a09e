package runfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// readLocals evaluates locals blocks, each local after those that it refers to.
func (l *loader) readLocals() {
	written := map[string]*hclsyntax.Attribute{}
	for _, b := range l.blocks("locals", 0) {
		for _, inner := range b.Body.Blocks {
			l.refuse(inner.TypeRange, "Unknown block", "locals has no blocks within it: write %s = { … }.", inner.Type)
		}
		for name, a := range b.Body.Attributes {
			if first, ok := written[name]; ok {
				if first.SrcRange.Start.Byte > a.SrcRange.Start.Byte {
					first, a = a, first
				}
				l.refuse(a.NameRange, "Two locals of one name", "local.%s stands in line %d, too.", name, first.NameRange.Start.Line)
				written[name] = first
				continue
			}
			written[name] = a
		}
	}
	l.locals = map[string]cty.Value{}
	for name := range written {
		l.locals[name] = cty.DynamicVal // known as a name, before it has its value
	}
	order := localOrder{written: written, state: map[string]visit{}, cycle: l.reportCycle}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		order.visit(name, nil)
	}
	for _, name := range order.done {
		v, diags := l.value(written[name].Expr)
		l.add(diags...)
		l.locals[name] = v
	}
}

// A localOrder sorts locals so that none comes before what it refers to.
type localOrder struct {
	written map[string]*hclsyntax.Attribute
	state   map[string]visit
	done    []string
	cycle   func(at *hclsyntax.Attribute, names []string)
}

// A visit is how far the order has come with a local.
type visit int

const (
	_ visit = iota
	begun
	good
	bad // it leads into a cycle
)

// visit reports whether name can be evaluated: whether no cycle leads through it.
func (o *localOrder) visit(name string, trail []string) bool {
	switch o.state[name] {
	case begun:
		names := append(slices.Clone(trail[slices.Index(trail, name):]), name)
		o.cycle(o.written[name], names)
		return false
	case good:
		return true
	case bad:
		return false
	}
	o.state[name] = begun
	ok := true
	for _, dependency := range o.dependencies(name) {
		ok = o.visit(dependency, append(trail, name)) && ok
	}
	o.state[name] = bad
	if ok {
		o.state[name] = good
		o.done = append(o.done, name)
	}
	return ok
}

// dependencies are the locals that a local refers to, sorted.
func (o *localOrder) dependencies(name string) []string {
	found := map[string]bool{}
	for _, r := range o.written[name].Expr.Variables() {
		other, ok := second(r)
		if r.RootName() == "local" && ok && o.written[other] != nil {
			found[other] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (l *loader) reportCycle(at *hclsyntax.Attribute, names []string) {
	for i := range names {
		names[i] = "local." + names[i]
	}
	l.refuse(at.SrcRange, "Cycle of locals", "Each of these needs the next to be known: %s.", strings.Join(names, " → "))
}
