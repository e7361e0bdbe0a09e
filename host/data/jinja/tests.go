package jinja

import "strings"

// A test is what "is" asks of a value.
type test func(rt *renderer, v Value, args callArguments) (bool, error)

// lookupTest is the test of that name, or nil.
func lookupTest(name string) test {
	switch name {
	case "==", "eq", "equalto":
		return comparing(name, "==")
	case "!=", "ne":
		return comparing(name, "!=")
	case "<", "lt", "lessthan":
		return comparing(name, "<")
	case "<=", "le":
		return comparing(name, "<=")
	case ">", "gt", "greaterthan":
		return comparing(name, ">")
	case ">=", "ge":
		return comparing(name, ">=")
	case "in":
		return comparing(name, "in")
	case "odd":
		return remainder(name, 2, 1)
	case "even":
		return remainder(name, 2, 0)
	case "divisibleby":
		return divisibleBy
	case "sameas":
		return func(_ *renderer, v Value, args callArguments) (bool, error) {
			bound, err := args.bind("the test sameas", 1, "other")
			if err != nil {
				return false, err
			}
			return same(v, bound[0]), nil
		}
	case "filter":
		return naming(name, func(s string) bool { return lookupFilter(s) != nil })
	case "test":
		return naming(name, func(s string) bool { return lookupTest(s) != nil })
	case "lower":
		return textTest(name, isLowerText)
	case "upper":
		return textTest(name, isUpperText)
	}
	if holds := lookupKindTest(name); holds != nil {
		return func(_ *renderer, v Value, args callArguments) (bool, error) {
			if _, err := args.bind("the test "+name, 0); err != nil {
				return false, err
			}
			return holds(v), nil
		}
	}
	return nil
}

// lookupKindTest are the tests of what kind of value it is.
func lookupKindTest(name string) func(Value) bool {
	switch name {
	case "defined":
		return func(v Value) bool { return !isUndefined(v) }
	case "undefined":
		return isUndefined
	case "none":
		return isNone
	case "boolean":
		return func(v Value) bool { _, ok := v.(Bool); return ok }
	case "true":
		return func(v Value) bool { return v == Value(Bool(true)) }
	case "false":
		return func(v Value) bool { return v == Value(Bool(false)) }
	case "integer":
		return isInteger
	case "float":
		return isFloat
	case "number":
		return func(v Value) bool { _, ok := asFloat(v); return ok }
	case "string":
		return func(v Value) bool { _, ok := v.(String); return ok }
	case "mapping":
		return func(v Value) bool { _, ok := v.(*Dict); return ok }
	case "sequence":
		return isSequence
	case "iterable":
		return isIterable
	case "callable":
		return isCallable
	case "escaped":
		return func(v Value) bool { s, ok := v.(String); return ok && s.safe }
	}
	return nil
}

func isInteger(v Value) bool {
	switch v.(type) {
	case Int, bigInt:
		return true
	}
	return false
}

func isSequence(v Value) bool {
	switch v.(type) {
	case String, *List, *Tuple, *Dict, *rangeValue, *undefined:
		return true
	}
	return false
}

func isIterable(v Value) bool {
	if _, ok := v.(*loopValue); ok {
		return true
	}
	_, err := iterate(v)
	return err == nil
}

func isCallable(v Value) bool {
	switch v.(type) {
	case *functionValue, *macroValue, *joinerValue, *loopValue, *undefined:
		return true
	}
	return false
}

// comparing is a comparison as a test.
func comparing(name, operator string) test {
	return func(rt *renderer, v Value, args callArguments) (bool, error) {
		bound, err := args.bind("the test "+name, 1, "other")
		if err != nil {
			return false, err
		}
		return rt.compare(operator, v, bound[0])
	}
}

// remainder is whether v % by is what it should be.
func remainder(name string, by, want int64) test {
	return func(rt *renderer, v Value, args callArguments) (bool, error) {
		if _, err := args.bind("the test "+name, 0); err != nil {
			return false, err
		}
		return rt.leaves(v, Int(by), want)
	}
}

func (rt *renderer) leaves(v, by Value, want int64) (bool, error) {
	rest, err := rt.binary("%", v, by)
	if err != nil {
		return false, err
	}
	return rt.equal(rest, Int(want))
}

func divisibleBy(rt *renderer, v Value, args callArguments) (bool, error) {
	bound, err := args.bind("the test divisibleby", 1, "num")
	if err != nil {
		return false, err
	}
	return rt.leaves(v, bound[0], 0)
}

// naming is whether a value is the name of something.
func naming(name string, known func(string) bool) test {
	return func(_ *renderer, v Value, args callArguments) (bool, error) {
		if _, err := args.bind("the test "+name, 0); err != nil {
			return false, err
		}
		if _, err := hashOf(v); err != nil {
			return false, err
		}
		s, ok := v.(String)
		return ok && known(s.Text), nil
	}
}

// textTest is a test of the value as a string.
func textTest(name string, holds func(string) bool) test {
	return func(rt *renderer, v Value, args callArguments) (bool, error) {
		if _, err := args.bind("the test "+name, 0); err != nil {
			return false, err
		}
		s, err := rt.str(v)
		return holds(strings.ToValidUTF8(s.Text, "")), err
	}
}
