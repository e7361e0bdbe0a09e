package jinja

import "math"

// lookupGlobal is the function that templates find under a name that nothing else
// has, or nil. What depends on chance (lipsum) is not there.
func lookupGlobal(name string) Value {
	var call func(rt *renderer, args callArguments) (Value, error)
	switch name {
	case "range":
		call = makeRange
	case "dict":
		call = func(rt *renderer, args callArguments) (Value, error) { return makeDict(rt, "dict", args) }
	case "namespace":
		call = makeNamespace
	case "joiner":
		call = makeJoiner
	case "cycler":
		call = makeCycler
	case "raise_exception":
		call = raiseException
	case "strftime_now":
		call = strftimeNow
	default:
		return nil
	}
	return &functionValue{name, call}
}

// makeRange is range(stop) or range(start, stop, step).
func makeRange(_ *renderer, args callArguments) (Value, error) {
	if err := args.noNames("range"); err != nil {
		return nil, err
	}
	if n := len(args.positional); n < 1 || n > 3 {
		return nil, failf("range() needs one to three integers")
	}
	bounds := make([]int64, len(args.positional))
	for i, v := range args.positional {
		n, ok := asInt(v)
		if !ok {
			if u, ok := v.(*undefined); ok {
				return nil, u.fail()
			}
			return nil, failf("range() needs integers, not a %s", v.typeName())
		}
		bounds[i] = n
	}
	r := &rangeValue{step: 1}
	switch len(bounds) {
	case 1:
		r.stop = bounds[0]
	case 3:
		r.step = bounds[2]
		fallthrough
	default:
		r.start, r.stop = bounds[0], bounds[1]
	}
	return r, r.measure()
}

// measure counts the numbers of a range, which are at most maxRange.
func (r *rangeValue) measure() error {
	if r.step == 0 {
		return failf("the step of range() cannot be zero")
	}
	var distance, step uint64
	switch {
	case r.step > 0 && r.start < r.stop:
		distance, step = uint64(r.stop)-uint64(r.start), uint64(r.step)
	case r.step < 0 && r.start > r.stop:
		distance, step = uint64(r.start)-uint64(r.stop), -uint64(r.step)
	default:
		return nil
	}
	n := (distance-1)/step + 1
	if n > maxRange {
		return limitf("range() would have %d items, more than %d", n, maxRange)
	}
	r.length = int(n)
	return nil
}

// makeDict is dict(mapping or pairs, name=value, …).
func makeDict(rt *renderer, name string, args callArguments) (*Dict, error) {
	out := NewDict()
	if len(args.positional) > 1 {
		return nil, failf("%s() takes at most one value by position", name)
	}
	if len(args.positional) == 1 {
		if err := fillDict(rt, out, args.positional[0]); err != nil {
			return nil, err
		}
	}
	if err := rt.growItems(2 * len(args.names)); err != nil {
		return nil, err
	}
	for i, key := range args.names {
		out.Set(key, args.named[i])
	}
	return out, nil
}

func fillDict(rt *renderer, out *Dict, from Value) error {
	if d, ok := from.(*Dict); ok {
		if err := rt.growItems(2 * d.Len()); err != nil {
			return err
		}
		*out = *d.Clone()
		return nil
	}
	if u, ok := from.(*undefined); ok {
		return u.fail()
	}
	items, err := rt.items(from)
	if err != nil {
		return err
	}
	for i, item := range items {
		pair, err := rt.items(item)
		if err != nil || len(pair) != 2 {
			return failf("item %d of the pairs for a dict is not a pair", i)
		}
		if err := rt.growItems(2); err != nil {
			return err
		}
		if err := out.store(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// makeNamespace is namespace(mapping or pairs, name=value, …).
func makeNamespace(rt *renderer, args callArguments) (Value, error) {
	d, err := makeDict(rt, "namespace", args)
	if err != nil {
		return nil, err
	}
	for key := range d.All {
		if err := checkAttribute(key); err != nil {
			return nil, err
		}
	}
	return &namespaceValue{d}, nil
}

// checkAttribute refuses names that begin with "_", as transformers does.
func checkAttribute(name string) error {
	if name != "" && name[0] == '_' {
		return failf("the attribute '%s' of a namespace begins with '_': give it another name", shortened(name))
	}
	return nil
}

func (n *namespaceValue) set(name string, v Value) error {
	if err := checkAttribute(name); err != nil {
		return err
	}
	n.attributes.Set(name, v)
	return nil
}

func makeJoiner(_ *renderer, args callArguments) (Value, error) {
	given, err := args.bind("joiner", 0, "sep")
	if err != nil {
		return nil, err
	}
	if given[0] == nil {
		given[0] = text(", ")
	}
	return &joinerValue{separator: given[0]}, nil
}

// call is nothing the first time, and the separator from then on.
func (j *joinerValue) call(args callArguments) (Value, error) {
	if _, err := args.bind("joiner", 0); err != nil {
		return nil, err
	}
	if !j.used {
		j.used = true
		return text(""), nil
	}
	return j.separator, nil
}

func (j *joinerValue) attribute(name string) Value {
	switch name {
	case "sep":
		return j.separator
	case "used":
		return Bool(j.used)
	}
	return nil
}

func makeCycler(_ *renderer, args callArguments) (Value, error) {
	if err := args.noNames("cycler"); err != nil {
		return nil, err
	}
	if len(args.positional) == 0 {
		return nil, failf("cycler() needs at least one value")
	}
	return &cyclerValue{items: append([]Value{}, args.positional...)}, nil
}

func (c *cyclerValue) attribute(name string) Value {
	switch name {
	case "current":
		return c.items[c.position]
	case "items":
		return NewTuple(c.items...)
	case "pos":
		return Int(c.position)
	case "next":
		return &functionValue{name, func(_ *renderer, args callArguments) (Value, error) {
			_, err := args.bind("next", 0)
			v := c.items[c.position]
			c.position = (c.position + 1) % len(c.items)
			return v, err
		}}
	case "reset":
		return &functionValue{name, func(_ *renderer, args callArguments) (Value, error) {
			_, err := args.bind("reset", 0)
			c.position = 0
			return None{}, err
		}}
	}
	return nil
}

// raiseException ends the rendering with the template's own message.
func raiseException(rt *renderer, args callArguments) (Value, error) {
	given, err := args.bind("raise_exception", 1, "message")
	if err != nil {
		return nil, err
	}
	message, err := rt.str(given[0])
	if err != nil {
		return nil, err
	}
	return nil, &failure{kind: Raised, text: message.Text}
}

// strftimeNow is the current time in a layout of C's strftime.
func strftimeNow(rt *renderer, args callArguments) (Value, error) {
	given, err := args.bind("strftime_now", 1, "format")
	if err != nil {
		return nil, err
	}
	layout, ok := given[0].(String)
	if !ok {
		return nil, failf("strftime_now() needs a string, not a %s", given[0].typeName())
	}
	size, err := rt.repeated(len(layout.Text), math.MaxUint8)
	if err == nil {
		err = rt.grow(size)
	}
	if err != nil {
		return nil, err
	}
	return text(strftime(rt.template.options.Now(), layout.Text)), nil
}
