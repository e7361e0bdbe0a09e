package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

// attribute is object.name: an attribute or method, or else the item of that name.
func (rt *renderer) attribute(object Value, name string) (Value, error) {
	if u, ok := object.(*undefined); ok {
		return nil, u.fail()
	}
	v, err := rt.ownAttribute(object, name)
	if v != nil || err != nil {
		return v, err
	}
	if d, ok := object.(*Dict); ok {
		if v, ok := d.Get(name); ok {
			return v, nil
		}
	}
	if t, ok := object.(*templateSelf); ok {
		if v := t.block(rt, name); v != nil {
			return v, nil
		}
	}
	return missing(object, text(name)), nil
}

// item is object[key]: an item, or else the attribute or method of that name.
func (rt *renderer) item(object, key Value) (Value, error) {
	if u, ok := object.(*undefined); ok {
		return nil, u.fail()
	}
	v, err := rt.ownItem(object, key)
	if v != nil || err != nil {
		return v, err
	}
	if name, ok := key.(String); ok {
		v, err := rt.ownAttribute(object, name.Text)
		if v != nil || err != nil {
			return v, err
		}
	}
	return missing(object, key), nil
}

// missing is what an attribute or item that is not there gives.
func missing(object, key Value) Value {
	if name, ok := key.(String); ok {
		return &undefined{"the " + describe(object) + " has no attribute or key '" + shortened(name.Text) + "'"}
	}
	return &undefined{"the " + describe(object) + " has no such item"}
}

func describe(v Value) string {
	if isNone(v) {
		return "value None"
	}
	return v.typeName()
}

func shortened(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}

// ownAttribute is an attribute or method of object itself, or nil. What would
// change the object, and what begins with "__", gives an undefined value that says
// so: the sandbox's rule.
func (rt *renderer) ownAttribute(object Value, name string) (Value, error) {
	var v Value
	switch o := object.(type) {
	case *loopValue:
		return o.attribute(rt, name)
	case *namespaceValue:
		v, _ = o.attributes.Get(name)
		return v, nil
	case *macroValue:
		v = o.attribute(name)
	case *cyclerValue:
		v = o.attribute(name)
	case *joinerValue:
		v = o.attribute(name)
	case *rangeValue:
		v = o.attribute(name)
	case String:
		v = o.method(name)
	case *Dict:
		v = o.method(name)
	case *List:
		v = sequenceMethod(o, o.items, name)
	case *Tuple:
		v = o.attribute(name)
	case Int, Float, Bool:
		v = numberAttribute(o, name)
	}
	switch {
	case v != nil:
		return v, nil
	case strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__"):
		return &undefined{"access to the attribute '" + shortened(name) + "' is not safe"}, nil
	case changes(object, name):
		return &undefined{"the method '" + name + "' would change a " + object.typeName() + ", which templates cannot; use a namespace, or + to make a new one"}, nil
	}
	return nil, nil
}

// changes reports whether name is a method that changes lists or dicts.
func changes(object Value, name string) bool {
	switch object.(type) {
	case *List:
		switch name {
		case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
			return true
		}
	case *Dict:
		switch name {
		case "clear", "pop", "popitem", "setdefault", "update":
			return true
		}
	}
	return false
}

// ownItem is object[key] for objects that have items, or nil.
func (rt *renderer) ownItem(object, key Value) (Value, error) {
	switch o := object.(type) {
	case *Dict:
		v, ok, err := o.lookup(key)
		if err != nil || !ok {
			return nil, nil //nolint:nilerr // a key that cannot be hashed is no key
		}
		return v, nil
	case *List:
		return itemAt(o.items, key), nil
	case *Tuple:
		return itemAt(o.items, key), nil
	case String:
		return rt.characterAt(o, key)
	case *rangeValue:
		if i, ok := position(key, o.length); ok {
			return o.number(i), nil
		}
	case *templateSelf:
		if name, ok := key.(String); ok {
			if v := o.block(rt, name.Text); v != nil {
				return v, nil
			}
		}
	}
	return nil, nil
}

// position is key as an index into n items, counted from the end if negative.
func position(key Value, n int) (int, bool) {
	i, ok := asInt(key)
	if !ok {
		return 0, false
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func itemAt(items []Value, key Value) Value {
	if i, ok := position(key, len(items)); ok {
		return items[i]
	}
	return nil
}

func (rt *renderer) characterAt(s String, key Value) (Value, error) {
	if _, ok := asInt(key); !ok {
		return nil, nil
	}
	n, err := rt.characters(s.Text)
	if err != nil {
		return nil, err
	}
	i, ok := position(key, n)
	if !ok {
		return nil, nil
	}
	if n < len(s.Text) {
		i = byteOffset(s.Text, i)
	}
	_, width := utf8.DecodeRuneInString(s.Text[i:])
	return s.like(s.Text[i : i+width]), nil
}

// slice is object[start:stop:step].
func (rt *renderer) slice(object Value, bounds [3]Value) (Value, error) {
	switch o := object.(type) {
	case *undefined:
		return nil, o.fail()
	case *List:
		items, err := rt.sliced(o.items, bounds)
		return NewList(items...), err
	case *Tuple:
		items, err := rt.sliced(o.items, bounds)
		return NewTuple(items...), err
	case String:
		return rt.slicedText(o, bounds)
	case *rangeValue:
		start, step, n, err := sliceIndices(bounds, o.length)
		if err != nil {
			return nil, err
		}
		first := o.start + int64(start)*o.step
		return &rangeValue{first, first + int64(n)*int64(step)*o.step, o.step * int64(step), n}, nil
	}
	return nil, failf("a %s cannot be sliced", object.typeName())
}

// sliceIndices is the first index, the step and the number of items of a slice of
// n items.
func sliceIndices(bounds [3]Value, n int) (start, step, count int, err error) {
	var given [3]int64
	for i, b := range bounds {
		if isNone(b) {
			continue
		}
		v, ok := asInt(b)
		if !ok {
			return 0, 0, 0, failf("slice indices must be integers or None, not %s", b.typeName())
		}
		given[i] = v
	}
	by := int64(1)
	if !isNone(bounds[2]) {
		if by = given[2]; by == 0 {
			return 0, 0, 0, failf("the step of a slice cannot be zero")
		}
	}
	low, high := int64(0), int64(n)
	if by < 0 {
		low, high = -1, int64(n)-1
	}
	clamp := func(v int64) int64 {
		if v < 0 {
			v += int64(n)
		}
		return min(max(v, low), high)
	}
	from, to := low, high
	if by < 0 {
		from, to = high, low
	}
	if !isNone(bounds[0]) {
		from = clamp(given[0])
	}
	if !isNone(bounds[1]) {
		to = clamp(given[1])
	}
	if by == math.MinInt64 {
		by++
	}
	switch {
	case by > 0 && from < to:
		count = int((to-from-1)/by + 1)
	case by < 0 && from > to:
		count = int((from-to-1)/-by + 1)
	}
	return int(from), int(by), count, nil
}

func (rt *renderer) sliced(items []Value, bounds [3]Value) ([]Value, error) {
	start, step, n, err := sliceIndices(bounds, len(items))
	if err != nil {
		return nil, err
	}
	if err := rt.growItems(n); err != nil {
		return nil, err
	}
	if step == 1 {
		return items[start : start+n : start+n], nil
	}
	out := make([]Value, n)
	for i := range out {
		out[i] = items[start+i*step]
	}
	return out, nil
}

func (rt *renderer) slicedText(s String, bounds [3]Value) (Value, error) {
	length, err := rt.characters(s.Text)
	if err != nil {
		return nil, err
	}
	start, step, n, err := sliceIndices(bounds, length)
	if err != nil || n == 0 {
		return s.like(""), err
	}
	if err := rt.grow(len(s.Text)); err != nil {
		return nil, err
	}
	if step == 1 {
		if length == len(s.Text) {
			return s.like(s.Text[start : start+n]), nil
		}
		return s.like(substring(s.Text, start, start+n)), nil
	}
	runes := []rune(s.Text)
	out := make([]rune, n)
	for i := range out {
		out[i] = runes[start+i*step]
	}
	return s.like(string(out)), nil
}
