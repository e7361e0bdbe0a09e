package jinja

// A signal is how a body ended.
type signal uint8

const (
	signalNone signal = iota
	signalBreak
	signalContinue
)

// String is the tag's name.
func (s signal) String() string { return [...]string{"the end", "break", "continue"}[s] }

// run executes statements until one breaks or continues a loop.
func (rt *renderer) run(body []statement, a *activation) (signal, error) {
	for _, st := range body {
		if err := rt.step(1); err != nil {
			return signalNone, rt.at(st, err)
		}
		s, err := rt.execute(st, a)
		if err != nil {
			return signalNone, rt.at(st, err)
		}
		if s != signalNone {
			return s, nil
		}
	}
	return signalNone, nil
}

func (rt *renderer) execute(st statement, a *activation) (signal, error) {
	switch st := st.(type) {
	case *textStatement:
		return signalNone, rt.write(text(st.text))
	case *printStatement:
		return signalNone, rt.print(st, a)
	case *ifStatement:
		return rt.executeIf(st, a)
	case *forStatement:
		return rt.executeFor(st, a)
	case *setStatement:
		return signalNone, rt.executeSet(st, a)
	case *setBlockStatement:
		return rt.executeSetBlock(st, a)
	case *withStatement:
		return rt.executeWith(st, a)
	case *macroStatement:
		a.set(st.variable, &macroValue{st.macro, a})
		rt.export(st.exported, a)
		return signalNone, nil
	case *callStatement:
		return signalNone, rt.executeCall(st, a)
	case *generationStatement:
		return signalNone, rt.executeGeneration(st, a)
	case *filterStatement:
		return rt.executeFilter(st, a)
	case *autoescapeStatement:
		return rt.executeAutoescape(st, a)
	case *blockStatement:
		return signalNone, rt.executeBlock(st, a)
	case *loopControlStatement:
		return st.signal, nil
	case *refusedStatement:
		return signalNone, unsupportedf("{%% %s %%} is not supported: a chat template stands alone, put the other template's text in its place", st.tag)
	}
	return signalNone, failf("unknown statement")
}

// write sends a string to the output.
func (rt *renderer) write(s String) error {
	if err := rt.grow(len(s.Text)); err != nil {
		return err
	}
	rt.out.write(s)
	return nil
}

func (rt *renderer) print(st *printStatement, a *activation) error {
	v, err := rt.evaluate(st.value, a)
	if err != nil {
		return err
	}
	s, err := rt.str(v)
	if err != nil {
		return err
	}
	return rt.write(s)
}

func (rt *renderer) executeIf(st *ifStatement, a *activation) (signal, error) {
	for i, test := range st.tests {
		v, err := rt.evaluate(test, a)
		if err != nil {
			return signalNone, err
		}
		if truth(v) {
			return rt.run(st.bodies[i], a)
		}
	}
	return rt.run(st.otherwise, a)
}

func (rt *renderer) executeSet(st *setStatement, a *activation) error {
	if err := rt.checkNamespaces(st.target, a); err != nil {
		return err
	}
	v, err := rt.evaluate(st.value, a)
	if err != nil {
		return err
	}
	if err := rt.assign(st.target, v, a); err != nil {
		return err
	}
	rt.export(st.exported, a)
	return nil
}

// checkNamespaces fails unless what the target sets attributes of are namespaces.
func (rt *renderer) checkNamespaces(t *target, a *activation) error {
	for _, item := range t.items {
		if err := rt.checkNamespaces(item, a); err != nil {
			return err
		}
	}
	if t.attribute == "" {
		return nil
	}
	v := a.get(t.variable)
	if _, ok := v.(*namespaceValue); ok {
		return nil
	}
	if v == nil {
		return failf("cannot set '%s.%s': '%s' is undefined; make it with namespace()", t.name, t.attribute, t.name)
	}
	return failf("cannot set '%s.%s': '%s' is a %s; only the attributes of a namespace can be set", t.name, t.attribute, t.name, v.typeName())
}

// assign gives a target its value.
func (rt *renderer) assign(t *target, v Value, a *activation) error {
	if t.tuple {
		return rt.unpack(t, v, a)
	}
	if t.attribute == "" {
		a.set(t.variable, v)
		return nil
	}
	ns, ok := a.get(t.variable).(*namespaceValue)
	if !ok {
		return rt.checkNamespaces(t, a)
	}
	return ns.set(t.attribute, v)
}

func (rt *renderer) unpack(t *target, v Value, a *activation) error {
	it, err := iterate(v)
	if err != nil {
		return failf("cannot unpack a value of type '%s' into %d names", v.typeName(), len(t.items))
	}
	values := make([]Value, 0, len(t.items))
	for {
		item, ok, err := it.next(rt)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if len(values) == len(t.items) {
			return failf("more values than the %d names to unpack them into", len(t.items))
		}
		values = append(values, item)
	}
	if len(values) < len(t.items) {
		return failf("%d values for the %d names to unpack them into", len(values), len(t.items))
	}
	for i, item := range t.items {
		if err := rt.assign(item, values[i], a); err != nil {
			return err
		}
	}
	return nil
}

// export makes variables of the top level visible to blocks.
func (rt *renderer) export(names []exportedName, a *activation) {
	for _, n := range names {
		if v := a.get(n.variable); v != nil {
			rt.exported.Set(n.name, v)
		}
	}
}

// scoped runs a body in a scope, its output captured.
func (rt *renderer) scoped(e scopeEntry, body []statement, a *activation) (String, signal, error) {
	rt.enterScope(e, a)
	var end signal
	s, err := rt.capture(func() error {
		var err error
		end, err = rt.run(body, a)
		return err
	})
	return s, end, err
}

func (rt *renderer) executeSetBlock(st *setBlockStatement, a *activation) (signal, error) {
	s, end, err := rt.scoped(st.scope, st.body, a)
	if err != nil || end != signalNone {
		return end, err
	}
	var v Value = s
	if st.filters != nil {
		if v, err = rt.filterChain(st.filters, s, a); err != nil {
			return signalNone, err
		}
	}
	if err := rt.checkNamespaces(st.target, a); err != nil {
		return signalNone, err
	}
	if err := rt.assign(st.target, v, a); err != nil {
		return signalNone, err
	}
	rt.export(st.exported, a)
	st.scope.leave(a)
	return signalNone, nil
}

func (rt *renderer) executeFilter(st *filterStatement, a *activation) (signal, error) {
	s, end, err := rt.scoped(st.scope, st.body, a)
	if err != nil || end != signalNone {
		return end, err
	}
	v, err := rt.filterChain(st.filters, s, a)
	if err != nil {
		return signalNone, err
	}
	st.scope.leave(a)
	return signalNone, rt.writeString("a filter block", v)
}

// writeString writes what must be a string already: blocks do not convert.
func (rt *renderer) writeString(what string, v Value) error {
	s, ok := v.(String)
	if !ok {
		return failf("%s must give a string, not a %s", what, v.typeName())
	}
	return rt.write(s)
}

func (rt *renderer) executeWith(st *withStatement, a *activation) (signal, error) {
	rt.enterScope(st.scope, a)
	for i, t := range st.targets {
		v, err := rt.evaluate(st.values[i], a)
		if err != nil {
			return signalNone, err
		}
		if err := rt.assign(t, v, a); err != nil {
			return signalNone, err
		}
	}
	end, err := rt.run(st.body, a)
	st.scope.leave(a)
	return end, err
}

func (rt *renderer) executeAutoescape(st *autoescapeStatement, a *activation) (signal, error) {
	rt.enterScope(st.scope, a)
	on, err := rt.evaluate(st.on, a)
	if err != nil {
		return signalNone, err
	}
	if truth(on) {
		return signalNone, unsupportedf("{%% autoescape true %%} is not supported: chat templates write text, not HTML")
	}
	end, err := rt.run(st.body, a)
	st.scope.leave(a)
	return end, err
}

func (rt *renderer) executeCall(st *callStatement, a *activation) error {
	v, err := rt.callWith(st.call, a, &macroValue{st.macro, a})
	if err != nil {
		return err
	}
	return rt.writeString("a call block", v)
}

// executeGeneration writes the block's text, and marks where.
func (rt *renderer) executeGeneration(st *generationStatement, a *activation) error {
	s, err := rt.callMacro(&macroValue{st.macro, a}, callArguments{})
	if err != nil {
		return err
	}
	rt.generationBlocks++
	s.generations = append([]Span{{0, len(s.Text)}}, s.generations...)
	return rt.write(s)
}
