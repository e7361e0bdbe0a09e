package jinja

import (
	"math"
	"math/bits"
)

// method is the dict's method of that name, or nil. Those that change a dict are
// not here: see changes.
func (d *Dict) method(name string) Value {
	none := func(v Value) Value {
		return &functionValue{name, func(_ *renderer, args callArguments) (Value, error) {
			_, err := args.bind(name, 0)
			return v, err
		}}
	}
	switch name {
	case "keys":
		return none(&viewValue{d, viewKeys})
	case "values":
		return none(&viewValue{d, viewValues})
	case "items":
		return none(&viewValue{d, viewItems})
	case "copy":
		return none(d)
	case "get":
		return &functionValue{name, d.getMethod}
	}
	return nil
}

func (d *Dict) getMethod(_ *renderer, args callArguments) (Value, error) {
	given, err := args.bind("get", 1, "/key", "/default")
	if err != nil {
		return nil, err
	}
	v, ok, err := d.lookup(given[0])
	switch {
	case err != nil:
		return nil, err
	case ok:
		return v, nil
	case given[1] != nil:
		return given[1], nil
	}
	return None{}, nil
}

// sequenceMethod is index, count or copy of a list or tuple, or nil.
func sequenceMethod(v Value, items []Value, name string) Value {
	switch name {
	case "index":
		return &functionValue{name, func(rt *renderer, args callArguments) (Value, error) {
			return indexOf(rt, items, args)
		}}
	case "count":
		return &functionValue{name, func(rt *renderer, args callArguments) (Value, error) {
			given, err := args.bind("count", 1, "/value")
			if err != nil {
				return nil, err
			}
			n := 0
			for _, item := range items {
				same, err := rt.equal(item, given[0])
				if err != nil {
					return nil, err
				}
				if same {
					n++
				}
			}
			return Int(n), nil
		}}
	case "copy":
		if _, ok := v.(*List); ok {
			return &functionValue{name, func(_ *renderer, args callArguments) (Value, error) {
				_, err := args.bind("copy", 0)
				return NewList(items...), err
			}}
		}
	}
	return nil
}

func indexOf(rt *renderer, items []Value, args callArguments) (Value, error) {
	given, err := args.bind("index", 1, "/value", "/start", "/stop")
	if err != nil {
		return nil, err
	}
	from, to := 0, len(items)
	if given[1] != nil {
		if from, err = boundary(given[1], len(items)); err != nil {
			return nil, err
		}
	}
	if given[2] != nil {
		if to, err = boundary(given[2], len(items)); err != nil {
			return nil, err
		}
	}
	for i := from; i < min(to, len(items)); i++ {
		same, err := rt.equal(items[i], given[0])
		if err != nil {
			return nil, err
		}
		if same {
			return Int(i), nil
		}
	}
	return nil, failf("index(): the value does not occur")
}

// attribute is an attribute of a tuple, or nil: those of groupby's have names.
func (t *Tuple) attribute(name string) Value {
	for i, n := range t.names {
		if n == name {
			return t.items[i]
		}
	}
	return sequenceMethod(t, t.items, name)
}

// attribute is start, stop or step of a range, or nil.
func (r *rangeValue) attribute(name string) Value {
	switch name {
	case "start":
		return Int(r.start)
	case "stop":
		return Int(r.stop)
	case "step":
		return Int(r.step)
	}
	return nil
}

// numberAttribute is an attribute or method of a number, or nil.
func numberAttribute(v Value, name string) Value {
	f, isFloat := v.(Float)
	n, _ := asInt(v)
	method := func(result Value) Value {
		return &functionValue{name, func(_ *renderer, args callArguments) (Value, error) {
			_, err := args.bind(name, 0)
			return result, err
		}}
	}
	switch name {
	case "real":
		if isFloat {
			return f
		}
		return Int(n)
	case "imag":
		if isFloat {
			return Float(0)
		}
		return Int(0)
	case "conjugate":
		if isFloat {
			return method(f)
		}
		return method(Int(n))
	}
	if isFloat {
		if name == "is_integer" {
			return method(Bool(float64(f) == math.Trunc(float64(f)) && !math.IsInf(float64(f), 0)))
		}
		return nil
	}
	switch name {
	case "numerator":
		return Int(n)
	case "denominator":
		return Int(1)
	case "bit_length":
		magnitude := uint64(n)
		if n < 0 {
			magnitude = -magnitude
		}
		return method(Int(bits.Len64(magnitude)))
	case "bit_count":
		magnitude := uint64(n)
		if n < 0 {
			magnitude = -magnitude
		}
		return method(Int(bits.OnesCount64(magnitude)))
	}
	return nil
}
