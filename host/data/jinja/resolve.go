package jinja

import "fmt"

// A resolver gives every name in the tree its variable, every scope its entry,
// and finds what can be found wrong before rendering: unknown filters and tests
// (but in an if, where they count only when reached), break outside of a loop,
// blocks defined twice.
type resolver struct {
	blocks map[string]*blockDefinition
	order  []*blockDefinition
	// loops is how many for statements are open around the current one, macros
	// or not: none of them may assign "loop".
	loops int
}

// place is where a statement stands.
type place struct {
	scope *scope
	// top: assignments here are the template's own variables, which blocks see.
	top bool
	// soft: inside an if, where unknown filters and tests are let pass.
	soft bool
	// inLoop: break and continue have a loop to act on, in the same function.
	inLoop bool
}

func (pl place) function() *function { return pl.scope.function }

// inner is a place in a new scope of the same function.
func (pl place) inner() place {
	return place{scope: newScope(pl.scope, pl.scope.function), inLoop: pl.inLoop}
}

// innerFunction is a place in a new scope of a new function.
func (pl place) innerFunction() place {
	return place{scope: newScope(pl.scope, newFunction(pl.scope.function))}
}

// program is a resolved template.
type program struct {
	body     []statement
	function *function
	scope    scopeEntry
	blocks   map[string]*blockDefinition
	self     reference
	hasSelf  bool
}

// resolve works out a parsed template.
func resolve(body []statement) (*program, error) {
	r := &resolver{blocks: map[string]*blockDefinition{}}
	if err := r.findBlocks(body); err != nil {
		return nil, err
	}
	top := place{scope: newScope(nil, newFunction(nil)), top: true}
	out := &program{body: body, function: top.function(), blocks: r.blocks}
	if readsUndeclared(body, "self")["self"] {
		out.self, out.hasSelf = top.function().reference(top.scope.parameter("self")), true
	}
	top.scope.collectAll(body)
	if err := r.statements(body, top); err != nil {
		return nil, err
	}
	out.scope = top.scope.entry()
	for _, b := range r.order {
		if err := r.block(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// findBlocks registers the blocks of a body, inner ones too.
func (r *resolver) findBlocks(body []statement) error {
	for _, st := range body {
		if b, ok := st.(*blockStatement); ok {
			if r.blocks[b.name] != nil {
				return syntaxError(b.at(), fmt.Sprintf("the block '%s' is defined twice", b.name))
			}
			r.blocks[b.name] = b.block
			r.order = append(r.order, b.block)
		}
		for _, inner := range bodies(st) {
			if err := r.findBlocks(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// bodies are the statement lists inside a statement.
func bodies(st statement) [][]statement {
	switch st := st.(type) {
	case *ifStatement:
		return append(append([][]statement{}, st.bodies...), st.otherwise)
	case *forStatement:
		return [][]statement{st.body, st.otherwise}
	case *setBlockStatement:
		return [][]statement{st.body}
	case *withStatement:
		return [][]statement{st.body}
	case *macroStatement:
		return [][]statement{st.macro.body}
	case *callStatement:
		return [][]statement{st.macro.body}
	case *generationStatement:
		return [][]statement{st.macro.body}
	case *filterStatement:
		return [][]statement{st.body}
	case *autoescapeStatement:
		return [][]statement{st.body}
	case *blockStatement:
		return [][]statement{st.block.body}
	}
	return nil
}

// block resolves a block: a function of its own, that sees only the template's
// variables.
func (r *resolver) block(b *blockDefinition) error {
	pl := place{scope: newScope(nil, newFunction(nil))}
	b.function = pl.function()
	found := readsUndeclared(b.body, "self", "super")
	if found["self"] {
		b.self, b.hasSelf = b.function.reference(pl.scope.parameter("self")), true
	}
	if found["super"] {
		b.super, b.hasSuper = b.function.reference(pl.scope.parameter("super")), true
	}
	pl.scope.collectAll(b.body)
	if err := r.statements(b.body, pl); err != nil {
		return err
	}
	b.scope = pl.scope.entry()
	return nil
}

func (r *resolver) statements(body []statement, pl place) error {
	for _, st := range body {
		if err := r.statement(st, pl); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) statement(st statement, pl place) error {
	switch st := st.(type) {
	case *printStatement:
		return r.expression(st.value, pl)
	case *ifStatement:
		return r.ifStatement(st, pl)
	case *forStatement:
		return r.forStatement(st, pl)
	case *setStatement:
		if err := r.expression(st.value, pl); err != nil {
			return err
		}
		st.exported = r.exports(st.target, pl)
		return r.target(st.target, pl)
	case *setBlockStatement:
		return r.setBlock(st, pl)
	case *withStatement:
		return r.withStatement(st, pl)
	case *macroStatement:
		v := pl.scope.find(st.name)
		st.variable = pl.function().reference(v)
		if pl.top {
			st.exported = []exportedName{{st.name, st.variable}}
		}
		return r.macro(st.macro, pl)
	case *callStatement:
		if err := r.expression(st.call, pl); err != nil {
			return err
		}
		return r.macro(st.macro, pl)
	case *generationStatement:
		return r.macro(st.macro, pl)
	case *filterStatement:
		return r.filterStatement(st, pl)
	case *autoescapeStatement:
		return r.autoescape(st, pl)
	case *blockStatement:
		if st.scoped {
			pl.scope.visible(func(name string, v *variable) {
				st.locals = append(st.locals, exportedName{name, pl.function().reference(v)})
			})
		}
		return nil
	case *loopControlStatement:
		if !pl.inLoop {
			return syntaxError(st.at(), st.signal.String()+" stands outside of a loop")
		}
	}
	return nil
}

func (r *resolver) ifStatement(st *ifStatement, pl place) error {
	pl.soft = true
	for i, test := range st.tests {
		if err := r.expression(test, pl); err != nil {
			return err
		}
		if err := r.statements(st.bodies[i], pl); err != nil {
			return err
		}
	}
	return r.statements(st.otherwise, pl)
}

// forStatement resolves a loop. Its body and its else are scopes; its "if" is a
// function, because it is called as the loop goes on; a recursive loop is a
// function that the body can call again.
func (r *resolver) forStatement(st *forStatement, pl place) error {
	if err := r.expression(st.iterable, pl); err != nil {
		return err
	}
	r.loops++
	defer func() { r.loops-- }()
	body, otherwise := pl.inner(), pl.inner()
	if st.recursive {
		body = pl.innerFunction()
		st.recurFunction = body.function()
		otherwise = place{scope: newScope(pl.scope, st.recurFunction)}
	}
	body.inLoop = true
	loop := body.scope.parameter("loop")
	body.scope.parameters(st.target)
	body.scope.collectAll(st.body)
	st.loop = body.function().reference(loop)
	if st.test != nil {
		if err := r.loopTest(st, pl); err != nil {
			return err
		}
	}
	if err := r.target(st.target, body); err != nil {
		return err
	}
	if err := r.statements(st.body, body); err != nil {
		return err
	}
	st.bodyScope = body.scope.entry()
	otherwise.scope.collectAll(st.otherwise)
	if err := r.statements(st.otherwise, otherwise); err != nil {
		return err
	}
	st.elseScope = otherwise.scope.entry()
	return nil
}

func (r *resolver) loopTest(st *forStatement, pl place) error {
	test := pl.innerFunction()
	st.testFunction = test.function()
	test.scope.parameters(st.testTarget)
	test.scope.reads(st.test)
	if err := r.target(st.testTarget, test); err != nil {
		return err
	}
	if err := r.expression(st.test, test); err != nil {
		return err
	}
	st.testScope = test.scope.entry()
	return nil
}

func (r *resolver) setBlock(st *setBlockStatement, pl place) error {
	inner := pl.inner()
	inner.scope.readsFilters(st.filters)
	inner.scope.collectAll(st.body)
	if err := r.statements(st.body, inner); err != nil {
		return err
	}
	if st.filters != nil {
		if err := r.expression(st.filters, inner); err != nil {
			return err
		}
	}
	st.scope = inner.scope.entry()
	st.exported = r.exports(st.target, pl)
	return r.target(st.target, pl)
}

func (r *resolver) withStatement(st *withStatement, pl place) error {
	inner := pl.inner()
	for i, t := range st.targets {
		inner.scope.parameters(t)
		if err := r.expression(st.values[i], pl); err != nil {
			return err
		}
	}
	inner.scope.collectAll(st.body)
	for _, t := range st.targets {
		r.bind(t, inner)
	}
	if err := r.statements(st.body, inner); err != nil {
		return err
	}
	st.scope = inner.scope.entry()
	return nil
}

func (r *resolver) filterStatement(st *filterStatement, pl place) error {
	inner := pl.inner()
	inner.scope.collectAll(st.body)
	inner.scope.readsFilters(st.filters)
	if err := r.statements(st.body, inner); err != nil {
		return err
	}
	if err := r.expression(st.filters, inner); err != nil {
		return err
	}
	st.scope = inner.scope.entry()
	return nil
}

func (r *resolver) autoescape(st *autoescapeStatement, pl place) error {
	inner := pl.inner()
	inner.scope.reads(st.on)
	inner.scope.collectAll(st.body)
	if err := r.expression(st.on, inner); err != nil {
		return err
	}
	if err := r.statements(st.body, inner); err != nil {
		return err
	}
	st.scope = inner.scope.entry()
	return nil
}

// macro resolves the body of a macro, call block or generation block.
func (r *resolver) macro(m *macroDefinition, pl place) error {
	inner := pl.innerFunction()
	m.function = inner.function()
	for _, name := range m.parameters {
		m.variables = append(m.variables, m.function.reference(inner.scope.parameter(name)))
	}
	special := readsUndeclared(m.body, "caller", "kwargs", "varargs")
	declare := func(name string, to *reference, flag *bool) error {
		if !special[name] {
			return nil
		}
		if contains(m.parameters, name) {
			if name == "caller" && !m.hasDefault(name) {
				return syntaxError(m.at(), "the parameter 'caller' needs a default, or must be left out")
			}
			return nil
		}
		*to, *flag = m.function.reference(inner.scope.parameter(name)), true
		return nil
	}
	if err := declare("caller", &m.caller, &m.hasCaller); err != nil {
		return err
	}
	if err := declare("kwargs", &m.kwargs, &m.catchesKwargs); err != nil {
		return err
	}
	if err := declare("varargs", &m.varargs, &m.catchesArgs); err != nil {
		return err
	}
	for _, value := range m.defaults {
		inner.scope.reads(value)
	}
	inner.scope.collectAll(m.body)
	for _, value := range m.defaults {
		if err := r.expression(value, inner); err != nil {
			return err
		}
	}
	if err := r.statements(m.body, inner); err != nil {
		return err
	}
	m.scope = inner.scope.entry()
	return nil
}

func (m *macroDefinition) hasDefault(name string) bool {
	for _, with := range m.parameters[len(m.parameters)-len(m.defaults):] {
		if with == name {
			return true
		}
	}
	return false
}

// exports are the names of a target at the top level.
func (r *resolver) exports(t *target, pl place) []exportedName {
	if !pl.top {
		return nil
	}
	var out []exportedName
	t.names(func(name *target) {
		out = append(out, exportedName{name.name, pl.function().reference(pl.scope.find(name.name))})
	})
	return out
}

// target resolves a target of set or for.
func (r *resolver) target(t *target, pl place) error {
	var failed error
	t.names(func(name *target) {
		if name.name == "loop" && r.loops > 0 {
			failed = syntaxError(name.at(), "'loop' cannot be assigned inside a for loop")
		}
	})
	if failed == nil {
		r.bind(t, pl)
	}
	return failed
}

// bind gives the names of a target their variables.
func (r *resolver) bind(t *target, pl place) {
	for _, item := range t.items {
		r.bind(item, pl)
	}
	if !t.tuple {
		t.variable = pl.function().reference(pl.scope.find(t.name))
	}
}

// expression resolves the names, filters and tests of an expression.
func (r *resolver) expression(e expression, pl place) error {
	var failed error
	resolveName := func(n *nameExpression) {
		n.variable = pl.function().reference(pl.scope.find(n.name))
	}
	walkChildren(e, func(child expression) {
		if failed == nil {
			inner := pl
			if _, ok := e.(*conditionalExpression); ok {
				inner.soft = true
			}
			failed = r.expression(child, inner)
		}
	}, resolveName)
	if failed != nil {
		return failed
	}
	switch e := e.(type) {
	case *filterExpression:
		if e.filter = lookupFilter(e.name); e.filter == nil && !pl.soft {
			return syntaxError(e.at(), fmt.Sprintf("there is no filter named '%s'", e.name))
		}
	case *testExpression:
		if e.test = lookupTest(e.name); e.test == nil && !pl.soft {
			return syntaxError(e.at(), fmt.Sprintf("there is no test named '%s'", e.name))
		}
	}
	return nil
}
