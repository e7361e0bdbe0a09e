package jinja

// collectAll finds the names that statements of a scope read and assign. It stops
// at the scopes inside, which are collected when they are resolved.
func (s *scope) collectAll(body []statement) {
	for _, st := range body {
		s.collect(st)
	}
}

func (s *scope) collect(st statement) {
	switch st := st.(type) {
	case *printStatement:
		s.reads(st.value)
	case *ifStatement:
		s.collectIf(st, 0)
	case *forStatement:
		s.reads(st.iterable)
	case *setStatement:
		s.reads(st.value)
		s.assigns(st.target)
	case *setBlockStatement:
		s.assigns(st.target)
	case *withStatement:
		for _, value := range st.values {
			s.reads(value)
		}
	case *macroStatement:
		s.store(st.name)
	case *callStatement:
		s.reads(st.call)
	case *filterStatement:
		s.readsFilters(st.filters)
	case *refusedStatement:
		for _, e := range st.expressions {
			s.reads(e)
		}
		for _, name := range st.names {
			s.store(name)
		}
	}
}

// collectIf collects the test from position i on: an elif is an if inside the
// branch before it.
func (s *scope) collectIf(st *ifStatement, i int) {
	s.reads(st.tests[i])
	body := s.branch()
	body.collectAll(st.bodies[i])
	if i > 0 {
		s.merge(body)
		return
	}
	elifs := s.branch()
	for j := 1; j < len(st.tests); j++ {
		elifs.collectIf(st, j)
	}
	otherwise := s.branch()
	otherwise.collectAll(st.otherwise)
	s.merge(body, elifs, otherwise)
}

// assigns records the names of a target.
func (s *scope) assigns(t *target) {
	switch {
	case t.tuple:
		for _, item := range t.items {
			s.assigns(item)
		}
	case t.attribute != "":
		s.load(t.name)
	default:
		s.store(t.name)
	}
}

// parameters declares the names of a loop's or with's target.
func (s *scope) parameters(t *target) {
	t.names(func(name *target) { s.parameter(name.name) })
}

// reads records the names that an expression reads.
func (s *scope) reads(e expression) {
	if e != nil {
		walkNames(e, func(n *nameExpression) { s.load(n.name) })
	}
}

func (s *scope) readsFilters(f *filterExpression) {
	if f != nil {
		s.reads(f)
	}
}

// walkNames visits the names in an expression in the order of evaluation.
func walkNames(e expression, visit func(*nameExpression)) {
	walkChildren(e, func(child expression) { walkNames(child, visit) }, visit)
}

// walkChildren calls child for each part of an expression, or name if it is one.
func walkChildren(e expression, child func(expression), name func(*nameExpression)) {
	each := func(list ...expression) {
		for _, item := range list {
			if item != nil {
				child(item)
			}
		}
	}
	switch e := e.(type) {
	case *nameExpression:
		name(e)
	case *listExpression:
		each(e.items...)
	case *tupleExpression:
		each(e.items...)
	case *dictExpression:
		for i := range e.keys {
			each(e.keys[i], e.values[i])
		}
	case *unaryExpression:
		each(e.operand)
	case *binaryExpression:
		each(e.first)
		each(e.rest...)
	case *logicalExpression:
		each(e.operands...)
	case *compareExpression:
		each(e.first)
		each(e.rest...)
	case *concatExpression:
		each(e.items...)
	case *conditionalExpression:
		each(e.test, e.then, e.otherwise)
	case *attributeExpression:
		each(e.object)
	case *itemExpression:
		each(e.object, e.key)
	case *sliceExpression:
		each(e.start, e.stop, e.step)
	case *callExpression:
		each(e.function)
		each(e.all()...)
	case *filterExpression:
		each(e.input)
		each(e.all()...)
	case *testExpression:
		each(e.input)
		each(e.all()...)
	}
}

// all are the argument's expressions, nil where there is no star.
func (a arguments) all() []expression {
	out := append([]expression{}, a.positional...)
	out = append(out, a.named...)
	return append(out, a.star, a.starStar)
}

// readsUndeclared reports which of the names a body reads that it does not assign
// first, scopes inside included, blocks not.
func readsUndeclared(body []statement, names ...string) map[string]bool {
	u := &undeclared{watched: map[string]bool{}, found: map[string]bool{}}
	for _, name := range names {
		u.watched[name] = true
	}
	u.body(body)
	return u.found
}

type undeclared struct {
	watched, found map[string]bool
}

func (u *undeclared) read(list ...expression) {
	for _, e := range list {
		if e == nil {
			continue
		}
		walkNames(e, func(n *nameExpression) {
			if u.watched[n.name] {
				u.found[n.name] = true
			}
		})
	}
}

func (u *undeclared) assign(t *target) {
	t.names(func(name *target) { delete(u.watched, name.name) })
}

func (u *undeclared) body(body []statement) {
	for _, st := range body {
		u.statement(st)
	}
}

func (u *undeclared) macro(m *macroDefinition) {
	for _, name := range m.parameters {
		delete(u.watched, name)
	}
	u.read(m.defaults...)
	u.body(m.body)
}

func (u *undeclared) statement(st statement) {
	switch st := st.(type) {
	case *printStatement:
		u.read(st.value)
	case *ifStatement:
		u.read(st.tests[0])
		u.body(st.bodies[0])
		for i := 1; i < len(st.tests); i++ {
			u.read(st.tests[i])
			u.body(st.bodies[i])
		}
		u.body(st.otherwise)
	case *forStatement:
		u.assign(st.target)
		u.read(st.iterable)
		u.body(st.body)
		u.body(st.otherwise)
		u.read(st.test)
	case *setStatement:
		u.assign(st.target)
		u.read(st.value)
	case *setBlockStatement:
		u.assign(st.target)
		if st.filters != nil {
			u.read(st.filters)
		}
		u.body(st.body)
	case *withStatement:
		for _, t := range st.targets {
			u.assign(t)
		}
		u.read(st.values...)
		u.body(st.body)
	case *macroStatement:
		u.macro(st.macro)
	case *callStatement:
		u.read(st.call)
		u.macro(st.macro)
	case *generationStatement:
		u.macro(st.macro)
	case *filterStatement:
		u.body(st.body)
		u.read(st.filters)
	case *autoescapeStatement:
		u.read(st.on)
		u.body(st.body)
	case *refusedStatement:
		u.read(st.expressions...)
	}
}
