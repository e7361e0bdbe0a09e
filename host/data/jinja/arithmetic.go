package jinja

import (
	"math"
	"math/big"
	"strings"
)

// unary is -a, +a or not a.
func unary(operator string, a Value) (Value, error) {
	if operator == "not" {
		return Bool(!truth(a)), nil
	}
	if u, ok := a.(*undefined); ok {
		return nil, u.fail()
	}
	if n, ok := asInt(a); ok {
		if operator == "-" {
			if n == math.MinInt64 {
				return nil, overflow()
			}
			n = -n
		}
		return Int(n), nil
	}
	switch v := a.(type) {
	case Float:
		if operator == "-" {
			v = -v
		}
		return v, nil
	case bigInt:
		if operator == "-" {
			return integer(new(big.Int).Neg(v.value)), nil
		}
		return v, nil
	}
	return nil, failf("unary %s does not work on a %s", operator, a.typeName())
}

func overflow() error {
	return failf("an integer is beyond 64 bits, which is as far as they are computed with here")
}

// binary is a operator b.
func (rt *renderer) binary(operator string, a, b Value) (Value, error) {
	if s, ok := a.(String); ok && operator == "%" {
		return rt.percent(s, b)
	}
	for _, v := range []Value{a, b} {
		if u, ok := v.(*undefined); ok {
			return nil, u.fail()
		}
	}
	if v, err := numeric(operator, a, b); v != nil || err != nil {
		return v, err
	}
	switch operator {
	case "+":
		if v, err := rt.add(a, b); v != nil || err != nil {
			return v, err
		}
	case "*":
		if n, ok := asInt(b); ok {
			if v, err := rt.repeat(a, n); v != nil || err != nil {
				return v, err
			}
		}
		if n, ok := asInt(a); ok {
			if v, err := rt.repeat(b, n); v != nil || err != nil {
				return v, err
			}
		}
	}
	return nil, failf("'%s' does not work on a %s and a %s", operator, a.typeName(), b.typeName())
}

// add joins strings, lists and tuples; nil for other values.
func (rt *renderer) add(a, b Value) (Value, error) {
	switch x := a.(type) {
	case String:
		if y, ok := b.(String); ok {
			return rt.addText(x, y)
		}
	case *List:
		if y, ok := b.(*List); ok {
			items, err := rt.chained(x.items, y.items)
			return NewList(items...), err
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			items, err := rt.chained(x.items, y.items)
			return NewTuple(items...), err
		}
	}
	return nil, nil
}

// addText joins two strings; if one is markup, the other is escaped.
func (rt *renderer) addText(a, b String) (Value, error) {
	if a.safe != b.safe {
		a, b = escaped(a), escaped(b)
	}
	if err := rt.grow(len(a.Text) + len(b.Text)); err != nil {
		return nil, err
	}
	out := joined(a, b)
	out.safe = a.safe
	return out, nil
}

func (rt *renderer) chained(a, b []Value) ([]Value, error) {
	if err := rt.growItems(len(a) + len(b)); err != nil {
		return nil, err
	}
	return append(append(make([]Value, 0, len(a)+len(b)), a...), b...), nil
}

// repeat is v n times over, for strings, lists and tuples; nil for other values.
func (rt *renderer) repeat(v Value, n int64) (Value, error) {
	count := int(min(max(n, 0), math.MaxInt32))
	switch v := v.(type) {
	case String:
		s, err := rt.repeatText(v.Text, count)
		return v.like(s), err
	case *List:
		items, err := rt.repeatItems(v.items, count)
		return NewList(items...), err
	case *Tuple:
		items, err := rt.repeatItems(v.items, count)
		return NewTuple(items...), err
	}
	return nil, nil
}

func (rt *renderer) repeatText(s string, count int) (string, error) {
	size, err := rt.repeated(len(s), count)
	if err == nil {
		err = rt.grow(size)
	}
	if err != nil || size == 0 {
		return "", err
	}
	return strings.Repeat(s, count), nil
}

func (rt *renderer) repeatItems(items []Value, count int) ([]Value, error) {
	size, err := rt.repeated(len(items)*valueBytes, count)
	if err == nil {
		err = rt.growItems(size / valueBytes)
	}
	if err != nil || size == 0 {
		return nil, err
	}
	out := make([]Value, 0, len(items)*count)
	for ; count > 0; count-- {
		out = append(out, items...)
	}
	return out, nil
}

// numeric is arithmetic on two numbers; nil when one is none.
func numeric(operator string, a, b Value) (Value, error) {
	x, okX := asInt(a)
	y, okY := asInt(b)
	if okX && okY {
		return integers(operator, x, y)
	}
	f, okX := asFloat(a)
	g, okY := asFloat(b)
	if !okX || !okY {
		return nil, nil
	}
	_, bigA := a.(bigInt)
	_, bigB := b.(bigInt)
	if bigA && !isFloat(b) || bigB && !isFloat(a) {
		return nil, overflow()
	}
	return floats(operator, f, g)
}

func isFloat(v Value) bool {
	_, ok := v.(Float)
	return ok
}

// asFloat is a number as a float.
func asFloat(v Value) (float64, bool) {
	switch v := v.(type) {
	case Float:
		return float64(v), true
	case bigInt:
		f, _ := new(big.Float).SetInt(v.value).Float64()
		return f, true
	}
	n, ok := asInt(v)
	return float64(n), ok
}

func divisionByZero() error { return failf("division by zero") }

func integers(operator string, a, b int64) (Value, error) {
	switch operator {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return Int(c), nil
		}
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return Int(c), nil
		}
	case "*":
		if c, ok := multiply(a, b); ok {
			return Int(c), nil
		}
	case "/":
		if b == 0 {
			return nil, divisionByZero()
		}
		q, _ := new(big.Rat).SetFrac64(a, b).Float64()
		return Float(q), nil
	case "//":
		if b == 0 {
			return nil, divisionByZero()
		}
		if a != math.MinInt64 || b != -1 {
			return Int(floorDivide(a, b)), nil
		}
	case "%":
		if b == 0 {
			return nil, divisionByZero()
		}
		if b == -1 {
			return Int(0), nil
		}
		return Int(a - b*floorDivide(a, b)), nil
	case "**":
		if b < 0 {
			return floats(operator, float64(a), float64(b))
		}
		if c, ok := power(a, b); ok {
			return Int(c), nil
		}
	}
	return nil, overflow()
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func multiply(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	if a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		return 0, false
	}
	return c, c/b == a
}

func power(a, b int64) (int64, bool) {
	switch a {
	case 0, 1:
		if b == 0 {
			return 1, true
		}
		return a, true
	case -1:
		return 1 - 2*(b%2), true
	}
	result := int64(1)
	for ; b > 0; b-- {
		var ok bool
		if result, ok = multiply(result, a); !ok {
			return 0, false
		}
	}
	return result, true
}

func floats(operator string, a, b float64) (Value, error) {
	switch operator {
	case "+":
		return Float(a + b), nil
	case "-":
		return Float(a - b), nil
	case "*":
		return Float(a * b), nil
	case "**":
		return floatPower(a, b)
	}
	if b == 0 {
		return nil, divisionByZero()
	}
	switch operator {
	case "/":
		return Float(a / b), nil
	case "//":
		q, _ := floatDivmod(a, b)
		return Float(q), nil
	default:
		_, r := floatDivmod(a, b)
		return Float(r), nil
	}
}

// floatDivmod is a // b and a % b: the remainder has the sign of b.
func floatDivmod(a, b float64) (float64, float64) {
	r := math.Mod(a, b)
	q := (a - r) / b
	if r != 0 {
		if (b < 0) != (r < 0) {
			r += b
			q--
		}
	} else {
		r = math.Copysign(0, b)
	}
	if q == 0 {
		return math.Copysign(0, a/b), r
	}
	floor := math.Floor(q)
	if q-floor > 0.5 {
		floor++
	}
	return floor, r
}

func floatPower(a, b float64) (Value, error) {
	switch {
	case a == 0 && b < 0:
		return nil, failf("zero cannot be raised to a negative power")
	case a < 0 && b != math.Trunc(b) && !math.IsInf(b, 0) && !math.IsInf(a, 0) && !math.IsNaN(b):
		return nil, unsupportedf("a negative number to a fractional power is a complex number, which is not supported")
	}
	c := math.Pow(a, b)
	if math.IsInf(c, 0) && !math.IsInf(a, 0) && !math.IsInf(b, 0) {
		return nil, failf("the result of ** is too large for a float")
	}
	return Float(c), nil
}
