package jinja

// A filter is applied to a value.
type filter func(rt *renderer, v Value, args callArguments) (Value, error)

// lookupFilter is the filter of that name, or nil: all of Jinja's, each in the file
// of its family. Some are refused when they are applied.
func lookupFilter(name string) filter {
	switch name {
	case "random", "pprint", "urlize":
		return func(*renderer, Value, callArguments) (Value, error) {
			return nil, unsupportedf("the filter '%s' is not supported: a chat template must always write the same", name)
		}
	}
	if f := lookupTextFilter(name); f != nil {
		return f
	}
	if f := lookupNumberFilter(name); f != nil {
		return f
	}
	if f := lookupSequenceFilter(name); f != nil {
		return f
	}
	return lookupSelectFilter(name)
}

// given binds a filter's arguments after its value.
func given(name string, required int, args callArguments, parameters ...string) ([]Value, error) {
	return args.bind("the filter "+name, required, parameters...)
}

// flag is an argument that is true or false; false when it is left out.
func flag(v Value) bool { return v != nil && truth(v) }

// softText is v as a string: strings stay as they are, markup or not.
func (rt *renderer) softText(v Value) (String, error) {
	if s, ok := v.(String); ok {
		return s, nil
	}
	return rt.str(v)
}

// count is an integer argument; other when it is left out.
func count(name string, v Value, other int64) (int64, error) {
	if v == nil {
		return other, nil
	}
	n, ok := asInt(v)
	if !ok {
		if u, ok := v.(*undefined); ok {
			return 0, u.fail()
		}
		return 0, failf("%s must be an integer, not a %s", name, v.typeName())
	}
	return n, nil
}

// lookupSelectFilter are the filters that apply other filters and tests.
func lookupSelectFilter(name string) filter {
	switch name {
	case "map":
		return mapFilter
	case "select":
		return selecting(name, true, false)
	case "reject":
		return selecting(name, false, false)
	case "selectattr":
		return selecting(name, true, true)
	case "rejectattr":
		return selecting(name, false, true)
	case "attr":
		return attrFilter
	}
	return nil
}

// lazily is a generator over the items of v whose function is prepared when the
// first item is asked for, and not at all if v is empty: errors come then too.
func lazily(name string, v Value, prepare func() (func(rt *renderer, item Value) (Value, bool, error), error)) Value {
	var source iterator
	var f func(rt *renderer, item Value) (Value, bool, error)
	return generator(name, func(rt *renderer) (Value, bool, error) {
		if source == nil {
			if !truth(v) {
				return nil, false, nil
			}
			var err error
			if f, err = prepare(); err != nil {
				return nil, false, err
			}
			if source, err = iterate(v); err != nil {
				return nil, false, err
			}
		}
		for {
			item, ok, err := source.next(rt)
			if err != nil || !ok {
				return nil, false, err
			}
			out, keep, err := f(rt, item)
			if err != nil || keep {
				return out, keep, err
			}
			if err := rt.step(1); err != nil {
				return nil, false, err
			}
		}
	})
}

// mapFilter is map('filter', …) or map(attribute=…, default=…).
func mapFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	return lazily("generator", v, func() (func(*renderer, Value) (Value, bool, error), error) {
		if len(args.positional) == 0 && contains(args.names, "attribute") {
			return mapAttribute(args)
		}
		if len(args.positional) == 0 {
			return nil, failf("map needs the name of a filter, or attribute=")
		}
		name, ok := args.positional[0].(String)
		if !ok {
			return nil, failf("map needs the name of a filter, not a %s", args.positional[0].typeName())
		}
		f := lookupFilter(name.Text)
		if f == nil {
			return nil, failf("there is no filter named '%s'", shortened(name.Text))
		}
		rest := callArguments{args.positional[1:], args.names, args.named}
		return func(rt *renderer, item Value) (Value, bool, error) {
			out, err := f(rt, item, rest)
			return out, err == nil, err
		}, nil
	}), nil
}

func mapAttribute(args callArguments) (func(*renderer, Value) (Value, bool, error), error) {
	attribute, other := args.take("attribute"), args.take("default")
	if len(args.names) > 0 {
		return nil, failf("map takes no argument named '%s'", args.names[0])
	}
	get := getter(attribute, other)
	return func(rt *renderer, item Value) (Value, bool, error) {
		out, err := get(rt, item)
		return out, err == nil, err
	}, nil
}

// selecting is select and its like: by a test of the item, or of an attribute.
func selecting(name string, keep, byAttribute bool) filter {
	return func(_ *renderer, v Value, args callArguments) (Value, error) {
		return lazily("generator", v, func() (func(*renderer, Value) (Value, bool, error), error) {
			get := func(_ *renderer, item Value) (Value, error) { return item, nil }
			rest := args
			if byAttribute {
				if len(args.positional) == 0 {
					return nil, failf("%s needs the name of an attribute", name)
				}
				get = getter(args.positional[0], nil)
				rest.positional = args.positional[1:]
			}
			holds, err := testNamed(rest)
			if err != nil {
				return nil, err
			}
			return func(rt *renderer, item Value) (Value, bool, error) {
				of, err := get(rt, item)
				if err != nil {
					return nil, false, err
				}
				ok, err := holds(rt, of)
				return item, ok == keep && err == nil, err
			}, nil
		}), nil
	}
}

// testNamed is the test that the first argument names, with the others as its
// arguments; without one, whether the value is true.
func testNamed(args callArguments) (func(*renderer, Value) (bool, error), error) {
	if len(args.positional) == 0 {
		return func(_ *renderer, v Value) (bool, error) { return truth(v), nil }, nil
	}
	name, ok := args.positional[0].(String)
	if !ok {
		return nil, failf("the name of a test must be a string, not a %s", args.positional[0].typeName())
	}
	t := lookupTest(name.Text)
	if t == nil {
		return nil, failf("there is no test named '%s'", shortened(name.Text))
	}
	rest := callArguments{args.positional[1:], args.names, args.named}
	return func(rt *renderer, v Value) (bool, error) { return t(rt, v, rest) }, nil
}

// attrFilter is an attribute or method, but no item.
func attrFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("attr", 1, args, "name")
	if err != nil {
		return nil, err
	}
	name, ok := bound[0].(String)
	if !ok {
		return nil, failf("the name of an attribute must be a string, not a %s", bound[0].typeName())
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.fail()
	}
	out, err := rt.ownAttribute(v, name.Text)
	if out == nil && err == nil {
		out = missing(v, name)
	}
	return out, err
}
