package jinja

// Jinja settles before rendering which variable a name means, and templates can
// tell: a loop's body sees an assignment of its surroundings only if it reads the
// name, an assignment in a loop does not outlive the turn, and a name that is
// assigned anywhere in a scope, even later, hides the variable given to the
// template. These rules are reproduced here as jinja2 has them.
//
// A scope is a region that assignments do not leave: the template, the body of a
// loop, macro, with, filter, set or call block. An if is none. For each scope,
// collect finds the names it reads and assigns, and how each variable begins:
// as a parameter, as the variable of the same name further out, as one given to
// the template, or undefined.
//
// A function is what Python's compiled template makes a function of: the template,
// macros, blocks, recursive loops and the "if" of a loop. Its variables live in an
// activation, one slot each; scopes of one function at the same depth share slots.

// startKind is how a variable begins when its scope is entered.
type startKind uint8

const (
	startUndefined startKind = iota
	startParameter           // set by whoever enters the scope
	startOuter               // the value of another variable
	startGiven               // looked up among the template's variables
)

// start says how a variable begins.
type start struct {
	kind  startKind
	outer *variable // startOuter
}

// A function counts the slots of an activation.
type function struct {
	outer *function
	slots int
	known map[variableKey]*variable
}

type variableKey struct {
	level int
	name  string
}

// A variable is a slot of a function.
type variable struct {
	owner *function
	slot  int
	name  string
}

func newFunction(outer *function) *function {
	return &function{outer: outer, known: map[variableKey]*variable{}}
}

// variable is the function's slot for a name at a depth of scopes.
func (f *function) variable(level int, name string) *variable {
	key := variableKey{level, name}
	v, ok := f.known[key]
	if !ok {
		v = &variable{owner: f, slot: f.slots, name: name}
		f.slots++
		f.known[key] = v
	}
	return v
}

// reference is how code of the function reaches v.
func (f *function) reference(v *variable) reference {
	hops := 0
	for g := f; g != v.owner; g = g.outer {
		hops++
	}
	return reference{hops: hops, slot: v.slot}
}

// A scope is what is known of the names of a region. A branch of an if is
// collected into a scope of its own on top of the one it belongs to (base), and
// merged into it.
type scope struct {
	level    int
	outer    *scope
	base     *scope
	function *function

	names  map[string]*variable
	starts map[*variable]start
	order  []*variable // of starts, as found
	stored map[string]bool
}

func newScope(outer *scope, f *function) *scope {
	s := &scope{outer: outer, function: f}
	if outer != nil {
		s.level = outer.level + 1
	}
	return s.cleared()
}

func (s *scope) cleared() *scope {
	s.names = map[string]*variable{}
	s.starts = map[*variable]start{}
	s.order = nil
	s.stored = map[string]bool{}
	return s
}

// branch is an empty layer on top of s.
func (s *scope) branch() *scope {
	b := &scope{level: s.level, outer: s.outer, base: s, function: s.function}
	return b.cleared()
}

// own is the scope's variable of a name, without those further out.
func (s *scope) own(name string) *variable {
	for layer := s; layer != nil; layer = layer.base {
		if v, ok := layer.names[name]; ok {
			return v
		}
	}
	return nil
}

// find is the variable that a name means, or nil.
func (s *scope) find(name string) *variable {
	for t := s; t != nil; t = t.outer {
		if v := t.own(name); v != nil {
			return v
		}
	}
	return nil
}

func (s *scope) stores(name string) bool {
	for layer := s; layer != nil; layer = layer.base {
		if layer.stored[name] {
			return true
		}
	}
	return false
}

func (s *scope) begin(v *variable, how start) {
	if _, ok := s.starts[v]; !ok {
		s.order = append(s.order, v)
	}
	s.starts[v] = how
}

func (s *scope) define(name string, how start) *variable {
	v := s.function.variable(s.level, name)
	s.names[name] = v
	s.begin(v, how)
	return v
}

// parameter declares a name that whoever enters the scope sets.
func (s *scope) parameter(name string) *variable {
	s.stored[name] = true
	return s.define(name, start{kind: startParameter})
}

// load records that the scope reads a name.
func (s *scope) load(name string) {
	if s.find(name) == nil {
		s.define(name, start{kind: startGiven})
	}
}

// store records that the scope assigns a name.
func (s *scope) store(name string) {
	s.stored[name] = true
	if s.own(name) != nil {
		return
	}
	if s.outer != nil {
		if v := s.outer.find(name); v != nil {
			s.define(name, start{kind: startOuter, outer: v})
			return
		}
	}
	s.define(name, start{})
}

// merge takes in the branches of an if. A name that only a branch assigns begins
// as what it means outside, since the branch may not run.
func (s *scope) merge(branches ...*scope) {
	var assigned []string
	for _, b := range branches {
		for name := range b.stored {
			if !s.stores(name) {
				assigned = append(assigned, name)
			}
		}
	}
	for _, b := range branches {
		for name, v := range b.names {
			s.names[name] = v
		}
		for _, v := range b.order {
			s.begin(v, b.starts[v])
		}
		for name := range b.stored {
			s.stored[name] = true
		}
	}
	for _, name := range assigned {
		how := start{kind: startGiven}
		if s.outer != nil {
			if v := s.outer.find(name); v != nil {
				how = start{kind: startOuter, outer: v}
			}
		}
		s.begin(s.find(name), how)
	}
}

// visible calls visit with every name that the scope or one further out assigns,
// the innermost of each.
func (s *scope) visible(visit func(name string, v *variable)) {
	seen := map[string]bool{}
	for t := s; t != nil; t = t.outer {
		for layer := t; layer != nil; layer = layer.base {
			for name := range layer.stored {
				if !seen[name] {
					seen[name] = true
					visit(name, s.find(name))
				}
			}
		}
	}
}

// A scopeEntry is what is done when a scope is entered.
type scopeEntry struct {
	variables []entryVariable
}

type entryVariable struct {
	slot  int
	kind  startKind
	name  string    // startGiven
	outer reference // startOuter
}

// entry is the scope's entry, for code of its function.
func (s *scope) entry() scopeEntry {
	var e scopeEntry
	for _, v := range s.order {
		how := s.starts[v]
		out := entryVariable{slot: v.slot, kind: how.kind, name: v.name}
		if how.kind == startOuter {
			out.outer = s.function.reference(how.outer)
		}
		e.variables = append(e.variables, out)
	}
	return e
}
