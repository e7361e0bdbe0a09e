package jinja

// evaluate is the value of an expression. Depth needs no count here: the parser
// bounds how deep an expression is.
func (rt *renderer) evaluate(e expression, a *activation) (Value, error) {
	if err := rt.step(1); err != nil {
		return nil, rt.at(e, err)
	}
	v, err := rt.value(e, a)
	if err != nil {
		return nil, rt.at(e, err)
	}
	return v, nil
}

func (rt *renderer) value(e expression, a *activation) (Value, error) {
	switch e := e.(type) {
	case *constantExpression:
		return e.value, nil
	case *nameExpression:
		if v := a.get(e.variable); v != nil {
			return v, nil
		}
		return &undefined{"'" + e.name + "' is undefined"}, nil
	case *attributeExpression:
		object, err := rt.evaluate(e.object, a)
		if err != nil {
			return nil, err
		}
		return rt.attribute(object, e.name)
	case *itemExpression:
		return rt.itemOf(e, a)
	case *callExpression:
		return rt.callWith(e, a, nil)
	case *filterExpression:
		return rt.filterChain(e, nil, a)
	case *testExpression:
		return rt.testOf(e, a)
	case *compareExpression:
		return rt.compareChain(e, a)
	case *logicalExpression:
		return rt.logical(e, a)
	case *unaryExpression:
		operand, err := rt.evaluate(e.operand, a)
		if err != nil {
			return nil, err
		}
		return unary(e.operator, operand)
	case *binaryExpression:
		return rt.binaryChain(e, a)
	case *concatExpression:
		return rt.concat(e, a)
	case *conditionalExpression:
		return rt.conditional(e, a)
	}
	return rt.display(e, a)
}

// display is the value of a list, tuple or dict display.
func (rt *renderer) display(e expression, a *activation) (Value, error) {
	switch e := e.(type) {
	case *listExpression:
		items, err := rt.evaluateAll(e.items, a)
		return NewList(items...), err
	case *tupleExpression:
		items, err := rt.evaluateAll(e.items, a)
		return NewTuple(items...), err
	case *dictExpression:
		out := NewDict()
		for i := range e.keys {
			key, err := rt.evaluate(e.keys[i], a)
			if err != nil {
				return nil, err
			}
			value, err := rt.evaluate(e.values[i], a)
			if err != nil {
				return nil, err
			}
			if err := rt.growItems(2); err != nil {
				return nil, err
			}
			if err := out.store(key, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, failf("an expression that cannot stand here")
}

func (rt *renderer) evaluateAll(list []expression, a *activation) ([]Value, error) {
	if err := rt.growItems(len(list)); err != nil {
		return nil, err
	}
	out := make([]Value, len(list))
	for i, e := range list {
		v, err := rt.evaluate(e, a)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (rt *renderer) conditional(e *conditionalExpression, a *activation) (Value, error) {
	test, err := rt.evaluate(e.test, a)
	if err != nil {
		return nil, err
	}
	switch {
	case truth(test):
		return rt.evaluate(e.then, a)
	case e.otherwise != nil:
		return rt.evaluate(e.otherwise, a)
	}
	return &undefined{"the condition of an 'if' without 'else' is false"}, nil
}

// logical is the operand that decides an "and" or "or".
func (rt *renderer) logical(e *logicalExpression, a *activation) (Value, error) {
	var v Value
	for _, operand := range e.operands {
		var err error
		if v, err = rt.evaluate(operand, a); err != nil {
			return nil, err
		}
		if truth(v) == e.or {
			return v, nil
		}
	}
	return v, nil
}

func (rt *renderer) binaryChain(e *binaryExpression, a *activation) (Value, error) {
	left, err := rt.evaluate(e.first, a)
	if err != nil {
		return nil, err
	}
	for i, operator := range e.operators {
		right, err := rt.evaluate(e.rest[i], a)
		if err != nil {
			return nil, err
		}
		if left, err = rt.binary(operator, left, right); err != nil {
			return nil, err
		}
	}
	return left, nil
}

func (rt *renderer) compareChain(e *compareExpression, a *activation) (Value, error) {
	left, err := rt.evaluate(e.first, a)
	if err != nil {
		return nil, err
	}
	for i, operator := range e.operators {
		right, err := rt.evaluate(e.rest[i], a)
		if err != nil {
			return nil, err
		}
		holds, err := rt.compare(operator, left, right)
		if err != nil || !holds {
			return Bool(false), err
		}
		left = right
	}
	return Bool(true), nil
}

// concat is a ~ b: the operands as strings, one after the other.
func (rt *renderer) concat(e *concatExpression, a *activation) (Value, error) {
	var out output
	for _, item := range e.items {
		v, err := rt.evaluate(item, a)
		if err != nil {
			return nil, err
		}
		s, err := rt.str(v)
		if err != nil {
			return nil, err
		}
		if err := rt.grow(len(s.Text)); err != nil {
			return nil, err
		}
		out.write(s)
	}
	return out.captured(), nil
}

// filterChain applies a filter and those it stands on. The innermost filter of a
// chain without an input is applied to given.
func (rt *renderer) filterChain(e *filterExpression, given Value, a *activation) (Value, error) {
	// A chain can be long: it is walked, not recursed into.
	chain := []*filterExpression{e}
	for {
		inner, ok := chain[len(chain)-1].input.(*filterExpression)
		if !ok {
			break
		}
		chain = append(chain, inner)
	}
	v := given
	if input := chain[len(chain)-1].input; input != nil {
		var err error
		if v, err = rt.evaluate(input, a); err != nil {
			return nil, err
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		f := chain[i]
		if f.filter == nil {
			return nil, rt.at(f, failf("there is no filter named '%s'", f.name))
		}
		args, err := rt.arguments(f.arguments, a)
		if err != nil {
			return nil, err
		}
		if v, err = f.filter(rt, v, args); err != nil {
			return nil, rt.at(f, err)
		}
	}
	return v, nil
}

func (rt *renderer) testOf(e *testExpression, a *activation) (Value, error) {
	v, err := rt.evaluate(e.input, a)
	if err != nil {
		return nil, err
	}
	args, err := rt.arguments(e.arguments, a)
	if err != nil {
		return nil, err
	}
	if e.test == nil {
		return nil, failf("there is no test named '%s'", e.name)
	}
	holds, err := e.test(rt, v, args)
	return Bool(holds), err
}

func (rt *renderer) itemOf(e *itemExpression, a *activation) (Value, error) {
	object, err := rt.evaluate(e.object, a)
	if err != nil {
		return nil, err
	}
	s, ok := e.key.(*sliceExpression)
	if !ok {
		key, err := rt.evaluate(e.key, a)
		if err != nil {
			return nil, err
		}
		return rt.item(object, key)
	}
	var bounds [3]Value
	for i, part := range []expression{s.start, s.stop, s.step} {
		bounds[i] = None{}
		if part != nil {
			if bounds[i], err = rt.evaluate(part, a); err != nil {
				return nil, err
			}
		}
	}
	return rt.slice(object, bounds)
}
