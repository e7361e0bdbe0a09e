package jinja

import "unicode/utf8"

// An iterator gives items one at a time; ok is false after the last.
type iterator interface {
	next(rt *renderer) (v Value, ok bool, err error)
}

// iteratorFunc is a function as an iterator.
type iteratorFunc func(rt *renderer) (Value, bool, error)

func (f iteratorFunc) next(rt *renderer) (Value, bool, error) { return f(rt) }

// sliceIterator gives the items of a slice.
type sliceIterator struct {
	items []Value
	at    int
}

func (s *sliceIterator) next(*renderer) (Value, bool, error) {
	if s.at == len(s.items) {
		return nil, false, nil
	}
	s.at++
	return s.items[s.at-1], true, nil
}

// iterate begins to go through v.
func iterate(v Value) (iterator, error) {
	switch v := v.(type) {
	case *List:
		return &sliceIterator{items: v.items}, nil
	case *Tuple:
		return &sliceIterator{items: v.items}, nil
	case String:
		return charactersOf(v), nil
	case *Dict:
		return entriesOf(v, viewKeys), nil
	case *viewValue:
		return entriesOf(v.dict, v.kind), nil
	case *rangeValue:
		return numbersOf(v), nil
	case *iteratorValue:
		return v.source, nil
	case *undefined:
		return &sliceIterator{}, nil
	}
	return nil, failf("'%s' object is not iterable", v.typeName())
}

func charactersOf(s String) iterator {
	rest := s.Text
	return iteratorFunc(func(*renderer) (Value, bool, error) {
		if rest == "" {
			return nil, false, nil
		}
		_, n := utf8.DecodeRuneInString(rest)
		c := text(rest[:n])
		rest = rest[n:]
		return c, true, nil
	})
}

func entriesOf(d *Dict, kind viewKind) iterator {
	at := 0
	return iteratorFunc(func(*renderer) (Value, bool, error) {
		if at == len(d.entries) {
			return nil, false, nil
		}
		at++
		return d.entries[at-1].as(kind), true, nil
	})
}

// as is the entry as a view of the kind gives it.
func (e entry) as(kind viewKind) Value {
	switch kind {
	case viewKeys:
		return e.key
	case viewValues:
		return e.value
	default:
		return NewTuple(e.key, e.value)
	}
}

func numbersOf(r *rangeValue) iterator {
	at := 0
	return iteratorFunc(func(*renderer) (Value, bool, error) {
		if at == r.length {
			return nil, false, nil
		}
		at++
		return r.number(at - 1), true, nil
	})
}

// number is the i-th number of a range.
func (r *rangeValue) number(i int) Value { return Int(r.start + int64(i)*r.step) }

// items are all items of v. The slice may be v's own: it must not be changed.
func (rt *renderer) items(v Value) ([]Value, error) {
	switch v := v.(type) {
	case *List:
		return v.items, rt.step(len(v.items) / 8)
	case *Tuple:
		return v.items, rt.step(len(v.items) / 8)
	}
	it, err := iterate(v)
	if err != nil {
		return nil, err
	}
	return rt.drain(it)
}

// drain is what is left of an iterator.
func (rt *renderer) drain(it iterator) ([]Value, error) {
	var out []Value
	for {
		v, ok, err := it.next(rt)
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		if err := rt.growItems(1); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// fresh are all items of v in a slice of their own.
func (rt *renderer) fresh(v Value) ([]Value, error) {
	items, err := rt.items(v)
	if err != nil {
		return nil, err
	}
	if err := rt.growItems(len(items)); err != nil {
		return nil, err
	}
	return append(make([]Value, 0, len(items)), items...), nil
}

// length is len(v).
func (rt *renderer) length(v Value) (int, error) {
	switch v := v.(type) {
	case String:
		return rt.characters(v.Text)
	case *List:
		return len(v.items), nil
	case *Tuple:
		return len(v.items), nil
	case *Dict:
		return v.Len(), nil
	case *viewValue:
		return v.dict.Len(), nil
	case *rangeValue:
		return v.length, nil
	case *undefined:
		return 0, nil
	case *loopValue:
		return v.length(rt)
	}
	return 0, failf("object of type '%s' has no len()", v.typeName())
}

// characters is the number of characters of s.
func (rt *renderer) characters(s string) (int, error) {
	if err := rt.step(len(s) / 64); err != nil {
		return 0, err
	}
	return utf8.RuneCountInString(s), nil
}

// generator is a one-pass iterator as Python's generators are.
func generator(name string, next iteratorFunc) Value {
	done := false
	return &iteratorValue{name: name, source: iteratorFunc(func(rt *renderer) (Value, bool, error) {
		if done {
			return nil, false, nil
		}
		if err := rt.step(1); err != nil {
			return nil, false, err
		}
		// A generator may stand on another, and that on a third.
		if err := rt.enter(); err != nil {
			return nil, false, err
		}
		defer rt.leave()
		v, ok, err := next(rt)
		done = done || !ok || err != nil
		return v, ok, err
	})}
}
