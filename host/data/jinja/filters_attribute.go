package jinja

import (
	"strconv"
	"strings"
)

// attributeGetter takes what a filter's attribute argument names from an item.
type attributeGetter func(rt *renderer, item Value) (Value, error)

// getter is the getter for an attribute: a path with dots, whose parts that are
// digits are indices, or an index; nil and None are the item itself. other, if not
// nil or None, stands in where there is nothing.
func getter(attribute, other Value) attributeGetter {
	parts := attributePath(attribute)
	return func(rt *renderer, item Value) (Value, error) {
		for _, part := range parts {
			var err error
			if item, err = rt.item(item, part); err != nil {
				return nil, err
			}
			if other != nil && !isNone(other) && isUndefined(item) {
				item = other
			}
		}
		return item, nil
	}
}

func attributePath(attribute Value) []Value {
	switch a := attribute.(type) {
	case nil, None:
		return nil
	case String:
		var parts []Value
		for _, part := range strings.Split(a.Text, ".") {
			if n, err := strconv.Atoi(part); err == nil && isDecimal(part[0]) {
				parts = append(parts, Int(n))
			} else {
				parts = append(parts, text(part))
			}
		}
		return parts
	}
	return []Value{attribute}
}

// folded is a getter whose strings are in lowercase unless case counts.
func folded(get attributeGetter, caseSensitive bool) attributeGetter {
	if caseSensitive {
		return get
	}
	return func(rt *renderer, item Value) (Value, error) {
		v, err := get(rt, item)
		if s, ok := v.(String); ok && err == nil {
			if err := rt.grow(len(s.Text)); err != nil {
				return nil, err
			}
			return s.like(lower(s.Text)), nil
		}
		return v, err
	}
}

// sortKeys is the getter for sort: the list of the attributes between commas.
func sortKeys(attribute Value, caseSensitive bool) attributeGetter {
	paths := []Value{attribute}
	if s, ok := attribute.(String); ok {
		paths = nil
		for _, path := range strings.Split(s.Text, ",") {
			paths = append(paths, text(path))
		}
	}
	getters := make([]attributeGetter, len(paths))
	for i, path := range paths {
		getters[i] = folded(getter(path, nil), caseSensitive)
	}
	return func(rt *renderer, item Value) (Value, error) {
		keys := make([]Value, len(getters))
		for i, get := range getters {
			var err error
			if keys[i], err = get(rt, item); err != nil {
				return nil, err
			}
		}
		return NewList(keys...), rt.growItems(len(keys))
	}
}
