package jinja

import (
	"math"
	"math/big"
	"strings"
)

// equal is a == b. Numbers of all kinds compare by value, lists and dicts by what
// they hold, and a value of another kind is merely not equal.
func (rt *renderer) equal(a, b Value) (bool, error) {
	if err := rt.step(1); err != nil {
		return false, err
	}
	if order, ok := compareNumbers(a, b); ok {
		return order == 0, nil
	}
	switch a := a.(type) {
	case None:
		return isNone(b), nil
	case *undefined:
		return isUndefined(b), nil
	case String:
		s, ok := b.(String)
		return ok && a.Text == s.Text, rt.step(len(a.Text) / 64)
	case *List:
		if l, ok := b.(*List); ok {
			return rt.equalItems(a.items, l.items)
		}
		return false, nil
	case *Tuple:
		if t, ok := b.(*Tuple); ok {
			return rt.equalItems(a.items, t.items)
		}
		return false, nil
	case *Dict:
		if d, ok := b.(*Dict); ok {
			return rt.equalDicts(a, d)
		}
		return false, nil
	case *rangeValue:
		r, ok := b.(*rangeValue)
		same := ok && a.length == r.length &&
			(a.length == 0 || a.start == r.start && (a.length == 1 || a.step == r.step))
		return same, nil
	case Bool, Int, Float, bigInt:
		return false, nil
	}
	return a == b, nil
}

func (rt *renderer) equalItems(a, b []Value) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	i, err := rt.firstDifference(a, b)
	return i == len(a), err
}

// firstDifference is the index of the first items that differ.
func (rt *renderer) firstDifference(a, b []Value) (int, error) {
	n := min(len(a), len(b))
	err := rt.enter()
	if err != nil {
		return 0, err
	}
	defer rt.leave()
	for i := 0; i < n; i++ {
		same, err := rt.equal(a[i], b[i])
		if err != nil || !same {
			return i, err
		}
	}
	return n, nil
}

func (rt *renderer) equalDicts(a, b *Dict) (bool, error) {
	if a.Len() != b.Len() {
		return false, nil
	}
	if err := rt.enter(); err != nil {
		return false, err
	}
	defer rt.leave()
	for _, e := range a.entries {
		other, ok := b.find(e.hash)
		if !ok {
			return false, nil
		}
		same, err := rt.equal(e.value, other)
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// unordered is the order of numbers of which one is not a number.
const unordered = 2

// compareNumbers is the order of two numbers: -1, 0, 1, or unordered; ok is false
// when one is no number.
func compareNumbers(a, b Value) (order int, ok bool) {
	x, okX := asInt(a)
	y, okY := asInt(b)
	if okX && okY {
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, true
	}
	left, okX := asBig(a)
	right, okY := asBig(b)
	if !okX || !okY {
		return 0, false
	}
	if left == nil || right == nil {
		return unordered, true
	}
	return left.Cmp(right), true
}

// asBig is a number exactly; nil for one that is not a number.
func asBig(v Value) (*big.Float, bool) {
	switch v := v.(type) {
	case Int:
		return new(big.Float).SetInt64(int64(v)), true
	case Bool:
		n, _ := asInt(v)
		return new(big.Float).SetInt64(n), true
	case bigInt:
		return new(big.Float).SetInt(v.value), true
	case Float:
		if math.IsNaN(float64(v)) {
			return nil, true
		}
		return new(big.Float).SetFloat64(float64(v)), true
	}
	return nil, false
}

// compare is a comparison operator.
func (rt *renderer) compare(operator string, a, b Value) (bool, error) {
	switch operator {
	case "==":
		return rt.equal(a, b)
	case "!=":
		same, err := rt.equal(a, b)
		return !same, err
	case "in":
		return rt.in(a, b)
	case "not in":
		in, err := rt.in(a, b)
		return !in, err
	}
	order, err := rt.order(operator, a, b)
	if err != nil || order == unordered {
		return false, err
	}
	return holds(operator, order), nil
}

func holds(operator string, order int) bool {
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

// order is how a and b stand to each other; values of kinds that have no order
// among each other are an error.
func (rt *renderer) order(operator string, a, b Value) (int, error) {
	if err := rt.step(1); err != nil {
		return 0, err
	}
	if order, ok := compareNumbers(a, b); ok {
		return order, nil
	}
	switch x := a.(type) {
	case *undefined:
		return 0, x.fail()
	case String:
		if y, ok := b.(String); ok {
			return strings.Compare(x.Text, y.Text), rt.step(min(len(x.Text), len(y.Text)) / 64)
		}
	case *List:
		if y, ok := b.(*List); ok {
			return rt.orderItems(operator, x.items, y.items)
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return rt.orderItems(operator, x.items, y.items)
		}
	}
	if u, ok := b.(*undefined); ok {
		return 0, u.fail()
	}
	return 0, failf("'%s' is not supported between a %s and a %s", operator, a.typeName(), b.typeName())
}

// orderItems is the order of the first items that differ, or of the lengths.
func (rt *renderer) orderItems(operator string, a, b []Value) (int, error) {
	i, err := rt.firstDifference(a, b)
	if err != nil {
		return 0, err
	}
	if i < len(a) && i < len(b) {
		if err := rt.enter(); err != nil {
			return 0, err
		}
		defer rt.leave()
		return rt.order(operator, a[i], b[i])
	}
	return compareLengths(len(a), len(b)), nil
}

func compareLengths(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// in is whether b holds a.
func (rt *renderer) in(a, b Value) (bool, error) {
	switch b := b.(type) {
	case String:
		s, ok := a.(String)
		if !ok {
			return false, failf("'in' a string needs a string on its left, not a %s", a.typeName())
		}
		return strings.Contains(b.Text, s.Text), rt.step(len(b.Text) / 64)
	case *Dict:
		_, ok, err := b.lookup(a)
		return ok, err
	case *viewValue:
		if b.kind == viewKeys {
			_, ok, err := b.dict.lookup(a)
			return ok, err
		}
	case *rangeValue:
		return rt.inRange(a, b)
	}
	it, err := iterate(b)
	if err != nil {
		return false, failf("'in' needs something to look into on its right, not a %s", b.typeName())
	}
	for {
		v, ok, err := it.next(rt)
		if err != nil || !ok {
			return false, err
		}
		same, err := rt.equal(v, a)
		if err != nil || same {
			return same, err
		}
	}
}

// inRange is whether a is a number of the range.
func (rt *renderer) inRange(a Value, r *rangeValue) (bool, error) {
	if f, ok := a.(Float); ok && float64(f) == math.Trunc(float64(f)) && math.Abs(float64(f)) < 1<<53 {
		a = Int(f)
	}
	n, ok := asInt(a)
	if !ok || r.length == 0 {
		return false, nil
	}
	last := r.start + int64(r.length-1)*r.step
	if n < min(r.start, last) || n > max(r.start, last) {
		return false, nil
	}
	return (n-r.start)%r.step == 0, nil
}

// same is whether a and b are one object, as far as a template can know: equal
// constants of one kind are, two lists only if one was made from the other's name.
func same(a, b Value) bool {
	switch a := a.(type) {
	case String:
		s, ok := b.(String)
		return ok && a.Text == s.Text && a.safe == s.safe
	case bigInt:
		return false
	case *undefined:
		return false
	}
	return a == b
}
