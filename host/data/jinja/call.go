package jinja

// callArguments are the values a call is made with.
type callArguments struct {
	positional []Value
	names      []string
	named      []Value
}

// noNames fails if there are named arguments.
func (c callArguments) noNames(function string) error {
	if len(c.names) > 0 {
		return failf("%s() takes no argument named '%s'", function, c.names[0])
	}
	return nil
}

// bind puts the arguments in the order of the parameters; those left out are nil.
// A parameter whose name begins with "/" can be given by position only.
func (c callArguments) bind(function string, required int, parameters ...string) ([]Value, error) {
	out := make([]Value, len(parameters))
	if len(c.positional) > len(parameters) {
		return nil, failf("%s() takes at most %d arguments, %d were given", function, len(parameters), len(c.positional))
	}
	copy(out, c.positional)
	for i, name := range c.names {
		at := -1
		for j, p := range parameters {
			if p == name {
				at = j
			}
		}
		switch {
		case at < 0:
			return nil, failf("%s() takes no argument named '%s'", function, name)
		case out[at] != nil:
			return nil, failf("%s() was given the argument '%s' twice", function, name)
		}
		out[at] = c.named[i]
	}
	for i := 0; i < required; i++ {
		if out[i] == nil {
			return nil, failf("%s() needs at least %d arguments", function, required)
		}
	}
	return out, nil
}

// take removes a named argument and returns its value, or nil.
func (c *callArguments) take(name string) Value {
	for i, n := range c.names {
		if n == name {
			v := c.named[i]
			c.names = append(append([]string{}, c.names[:i]...), c.names[i+1:]...)
			c.named = append(append([]Value{}, c.named[:i]...), c.named[i+1:]...)
			return v
		}
	}
	return nil
}

// arguments evaluates the arguments of a call.
func (rt *renderer) arguments(e arguments, a *activation) (callArguments, error) {
	var out callArguments
	for _, arg := range e.positional {
		v, err := rt.evaluate(arg, a)
		if err != nil {
			return out, err
		}
		out.positional = append(out.positional, v)
	}
	for i, arg := range e.named {
		v, err := rt.evaluate(arg, a)
		if err != nil {
			return out, err
		}
		out.names = append(out.names, e.names[i])
		out.named = append(out.named, v)
	}
	if e.star != nil {
		v, err := rt.evaluate(e.star, a)
		if err != nil {
			return out, err
		}
		items, err := rt.items(v)
		if err != nil {
			return out, err
		}
		out.positional = append(out.positional, items...)
	}
	if e.starStar != nil {
		return out, rt.spread(&out, e.starStar, a)
	}
	return out, nil
}

// spread adds the entries of **kwargs.
func (rt *renderer) spread(out *callArguments, e expression, a *activation) error {
	v, err := rt.evaluate(e, a)
	if err != nil {
		return err
	}
	d, ok := v.(*Dict)
	if !ok {
		return failf("the value after ** must be a dict, not a %s", v.typeName())
	}
	for _, entry := range d.entries {
		key, ok := entry.key.(String)
		if !ok {
			return failf("the keys of the dict after ** must be strings")
		}
		if contains(out.names, key.Text) {
			return failf("the argument '%s' is given twice", key.Text)
		}
		if err := rt.step(1 + len(out.names)/8); err != nil {
			return err
		}
		out.names = append(out.names, key.Text)
		out.named = append(out.named, entry.value)
	}
	return nil
}

// callWith evaluates a call; caller, if not nil, is its argument of that name.
func (rt *renderer) callWith(e *callExpression, a *activation, caller Value) (Value, error) {
	f, err := rt.evaluate(e.function, a)
	if err != nil {
		return nil, err
	}
	args, err := rt.arguments(e.arguments, a)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		if contains(args.names, "caller") {
			return nil, failf("a call block's call cannot have an argument named 'caller'")
		}
		args.names = append(args.names, "caller")
		args.named = append(args.named, caller)
	}
	return rt.call(f, args)
}

// call calls a value.
func (rt *renderer) call(f Value, args callArguments) (Value, error) {
	switch f := f.(type) {
	case *functionValue:
		return f.call(rt, args)
	case *macroValue:
		s, err := rt.callMacro(f, args)
		return s, err
	case *loopValue:
		return f.call(rt, args)
	case *joinerValue:
		return f.call(args)
	case *undefined:
		return nil, f.fail()
	}
	return nil, failf("'%s' object is not callable", f.typeName())
}

// callMacro runs a macro and returns what it wrote.
func (rt *renderer) callMacro(m *macroValue, args callArguments) (String, error) {
	d := m.definition
	a := newActivation(d.function, m.outer)
	if err := rt.bindMacro(m, args, a); err != nil {
		return String{}, err
	}
	if err := rt.enter(); err != nil {
		return String{}, err
	}
	defer rt.leave()
	if err := rt.growItems(len(a.slots)); err != nil {
		return String{}, err
	}
	return rt.capture(func() error {
		rt.enterScope(d.scope, a)
		for i := range d.parameters {
			if a.get(d.variables[i]) != nil {
				continue
			}
			v, err := rt.macroDefault(d, i, a)
			if err != nil {
				return err
			}
			a.set(d.variables[i], v)
		}
		_, err := rt.run(d.body, a)
		return err
	})
}

// macroDefault is the value of a parameter that was not given.
func (rt *renderer) macroDefault(d *macroDefinition, i int, a *activation) (Value, error) {
	first := len(d.parameters) - len(d.defaults)
	if i < first {
		return &undefined{"the parameter '" + d.parameters[i] + "' was not given"}, nil
	}
	return rt.evaluate(d.defaults[i-first], a)
}

// bindMacro gives a macro's parameters, kwargs, varargs and caller their values.
func (rt *renderer) bindMacro(m *macroValue, args callArguments, a *activation) error {
	d := m.definition
	name := d.name
	if name == "" {
		name = "caller"
	}
	n := len(args.positional)
	if n > len(d.parameters) {
		n = len(d.parameters)
	}
	for i, v := range args.positional[:n] {
		a.set(d.variables[i], v)
	}
	foundCaller := n == len(d.parameters) && contains(d.parameters, "caller")
	for i := n; i < len(d.parameters); i++ {
		if v := args.take(d.parameters[i]); v != nil {
			a.set(d.variables[i], v)
		}
		foundCaller = foundCaller || d.parameters[i] == "caller"
	}
	if d.hasCaller && !foundCaller {
		caller := args.take("caller")
		if caller == nil || isNone(caller) {
			caller = &undefined{"caller() stands in a macro that no call block has called"}
		}
		a.set(d.caller, caller)
	}
	switch {
	case d.catchesKwargs:
		kwargs := NewDict()
		for i, key := range args.names {
			kwargs.Set(key, args.named[i])
		}
		a.set(d.kwargs, kwargs)
	case len(args.names) > 0:
		return failf("the macro '%s' takes no argument named '%s'", name, args.names[0])
	}
	if d.catchesArgs {
		a.set(d.varargs, NewTuple(append([]Value{}, args.positional[n:]...)...))
	} else if len(args.positional) > len(d.parameters) {
		return failf("the macro '%s' takes at most %d arguments, %d were given", name, len(d.parameters), len(args.positional))
	}
	return nil
}

// attribute is macro.name, or nil.
func (m *macroValue) attribute(name string) Value {
	d := m.definition
	switch name {
	case "name":
		if d.name == "" {
			return None{}
		}
		return text(d.name)
	case "arguments":
		items := make([]Value, len(d.parameters))
		for i, p := range d.parameters {
			items[i] = text(p)
		}
		return NewTuple(items...)
	case "catch_kwargs":
		return Bool(d.catchesKwargs)
	case "catch_varargs":
		return Bool(d.catchesArgs)
	case "caller":
		return Bool(d.hasCaller)
	}
	return nil
}
