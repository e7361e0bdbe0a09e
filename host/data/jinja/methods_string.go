package jinja

import (
	"strings"
	"unicode"
)

// stringMethod is a method of strings.
type stringMethod func(rt *renderer, s String, args callArguments) (Value, error)

// method is the method of that name, bound to s, or nil.
func (s String) method(name string) Value {
	m := lookupStringMethod(name)
	if m == nil {
		return nil
	}
	return &functionValue{name, func(rt *renderer, args callArguments) (Value, error) {
		if err := rt.step(len(s.Text) / 64); err != nil {
			return nil, err
		}
		return m(rt, s, args)
	}}
}

func lookupStringMethod(name string) stringMethod {
	switch name {
	case "upper":
		return mapped(name, upper)
	case "lower":
		return mapped(name, lower)
	case "capitalize":
		return mapped(name, capitalize)
	case "title":
		return mapped(name, titleWords)
	case "swapcase":
		return mapped(name, swapcase)
	case "casefold":
		return mapped(name, casefold)
	case "strip":
		return stripping(name, true, true)
	case "lstrip":
		return stripping(name, true, false)
	case "rstrip":
		return stripping(name, false, true)
	case "split":
		return split
	case "rsplit":
		return rsplit
	case "splitlines":
		return splitlines
	case "partition":
		return partition
	case "rpartition":
		return rpartition
	case "join":
		return join
	case "replace":
		return replace
	case "removeprefix":
		return removing(name, strings.TrimPrefix)
	case "removesuffix":
		return removing(name, strings.TrimSuffix)
	case "format":
		return func(rt *renderer, s String, args callArguments) (Value, error) { return rt.formatString(s, args) }
	case "format_map":
		return formatMap
	case "encode", "translate", "maketrans":
		return func(*renderer, String, callArguments) (Value, error) {
			return nil, unsupportedf("the string method %s is not supported", name)
		}
	}
	if m := lookupSearchMethod(name); m != nil {
		return m
	}
	return lookupPredicate(name)
}

// mapped is a method without arguments.
func mapped(name string, f func(string) string) stringMethod {
	return func(rt *renderer, s String, args callArguments) (Value, error) {
		if _, err := args.bind(name, 0); err != nil {
			return nil, err
		}
		if err := rt.grow(3 * len(s.Text)); err != nil {
			return nil, err
		}
		return s.like(f(s.Text)), nil
	}
}

// stripping is strip and its like: white space, or the characters of a string.
func stripping(name string, left, right bool) stringMethod {
	return func(_ *renderer, s String, args callArguments) (Value, error) {
		given, err := args.bind(name, 0, "/chars")
		if err != nil {
			return nil, err
		}
		return strip(s, given[0], left, right)
	}
}

func strip(s String, characters Value, left, right bool) (Value, error) {
	drop := isSpace
	switch c := characters.(type) {
	case nil, None:
	case String:
		drop = func(r rune) bool { return strings.ContainsRune(c.Text, r) }
	default:
		return nil, failf("the characters to strip must be a string or None, not a %s", c.typeName())
	}
	out := s.Text
	if left {
		out = strings.TrimLeftFunc(out, drop)
	}
	if right {
		out = strings.TrimRightFunc(out, drop)
	}
	return s.like(out), nil
}

// removing is removeprefix and removesuffix.
func removing(name string, f func(s, part string) string) stringMethod {
	return func(_ *renderer, s String, args callArguments) (Value, error) {
		part, err := oneText(name, args)
		if err != nil {
			return nil, err
		}
		return s.like(f(s.Text, part)), nil
	}
}

// oneText is the single argument of a method that takes a string.
func oneText(name string, args callArguments) (string, error) {
	given, err := args.bind(name, 1, "/text")
	if err != nil {
		return "", err
	}
	s, ok := given[0].(String)
	if !ok {
		return "", failf("%s() needs a string, not a %s", name, given[0].typeName())
	}
	return s.Text, nil
}

// texts are the strings of a split, of the kind of s.
func (rt *renderer) texts(s String, parts []string) (Value, error) {
	if err := rt.growItems(len(parts)); err != nil {
		return nil, err
	}
	out := make([]Value, len(parts))
	for i, part := range parts {
		out[i] = s.like(part)
	}
	return NewList(out...), nil
}

// splitArguments are the separator, "" for white space, and the most splits, -1
// for any number.
func splitArguments(name string, args callArguments) (string, int, error) {
	given, err := args.bind(name, 0, "sep", "maxsplit")
	if err != nil {
		return "", 0, err
	}
	limit := -1
	if given[1] != nil {
		n, ok := asInt(given[1])
		if !ok {
			return "", 0, failf("the number of splits must be an integer, not a %s", given[1].typeName())
		}
		if n >= 0 && n < 1<<31 {
			limit = int(n)
		}
	}
	switch separator := given[0].(type) {
	case nil, None:
		return "", limit, nil
	case String:
		if separator.Text == "" {
			return "", 0, failf("%s() cannot split at an empty string", name)
		}
		return separator.Text, limit, nil
	default:
		return "", 0, failf("%s() needs a string or None to split at, not a %s", name, separator.typeName())
	}
}

func split(rt *renderer, s String, args callArguments) (Value, error) {
	separator, limit, err := splitArguments("split", args)
	if err != nil {
		return nil, err
	}
	if separator == "" {
		return rt.texts(s, splitFields(s.Text, limit))
	}
	if limit >= 0 {
		limit++
	}
	return rt.texts(s, strings.SplitN(s.Text, separator, limit))
}

func rsplit(rt *renderer, s String, args callArguments) (Value, error) {
	separator, limit, err := splitArguments("rsplit", args)
	if err != nil {
		return nil, err
	}
	if separator == "" {
		return rt.texts(s, splitFieldsRight(s.Text, limit))
	}
	return rt.texts(s, splitRight(s.Text, separator, limit))
}

func splitlines(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("splitlines", 0, "keepends")
	if err != nil {
		return nil, err
	}
	return rt.texts(s, splitLines(s.Text, given[0] != nil && truth(given[0])))
}

func partition(_ *renderer, s String, args callArguments) (Value, error) {
	separator, err := oneText("partition", args)
	if err != nil || separator == "" {
		return nil, orEmpty(err, "partition")
	}
	i := strings.Index(s.Text, separator)
	if i < 0 {
		return NewTuple(s, s.like(""), s.like("")), nil
	}
	return NewTuple(s.like(s.Text[:i]), s.like(separator), s.like(s.Text[i+len(separator):])), nil
}

func rpartition(_ *renderer, s String, args callArguments) (Value, error) {
	separator, err := oneText("rpartition", args)
	if err != nil || separator == "" {
		return nil, orEmpty(err, "rpartition")
	}
	i := strings.LastIndex(s.Text, separator)
	if i < 0 {
		return NewTuple(s.like(""), s.like(""), s), nil
	}
	return NewTuple(s.like(s.Text[:i]), s.like(separator), s.like(s.Text[i+len(separator):])), nil
}

func orEmpty(err error, name string) error {
	if err != nil {
		return err
	}
	return failf("%s() cannot split at an empty string", name)
}

func join(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("join", 1, "/iterable")
	if err != nil {
		return nil, err
	}
	items, err := rt.items(given[0])
	if err != nil {
		return nil, err
	}
	var out output
	for i, item := range items {
		part, ok := item.(String)
		if !ok && !s.safe {
			return nil, failf("join() needs strings; item %d is a %s", i, item.typeName())
		}
		if !ok {
			if part, err = rt.str(item); err != nil {
				return nil, err
			}
		}
		if s.safe {
			part = escaped(part)
		}
		if i > 0 {
			out.text.WriteString(s.Text)
		}
		if err := rt.grow(len(part.Text) + len(s.Text)); err != nil {
			return nil, err
		}
		out.write(part)
	}
	joined := out.captured()
	joined.safe = s.safe
	return joined, nil
}

func replace(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("replace", 2, "/old", "/new", "/count")
	if err != nil {
		return nil, err
	}
	before, okBefore := given[0].(String)
	after, okAfter := given[1].(String)
	if !okBefore || !okAfter {
		return nil, failf("replace() needs two strings, not a %s and a %s", given[0].typeName(), given[1].typeName())
	}
	count := int64(-1)
	if given[2] != nil {
		var ok bool
		if count, ok = asInt(given[2]); !ok {
			return nil, failf("the count of replace() must be an integer, not a %s", given[2].typeName())
		}
	}
	if s.safe {
		after = escaped(after)
	}
	out, err := rt.replaced(s.Text, before.Text, after.Text, count)
	return s.like(out), err
}

// replaced is s with the first count occurrences replaced, all if it is negative.
func (rt *renderer) replaced(s, before, after string, count int64) (string, error) {
	n := strings.Count(s, before)
	if count >= 0 && int64(n) > count {
		n = int(count)
	}
	size, err := rt.repeated(len(after), n)
	if err == nil {
		err = rt.grow(len(s) + size)
	}
	if err != nil {
		return "", err
	}
	return strings.Replace(s, before, after, n), nil
}

func formatMap(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("format_map", 1, "/mapping")
	if err != nil {
		return nil, err
	}
	d, ok := given[0].(*Dict)
	if !ok {
		return nil, failf("format_map() needs a dict, not a %s", given[0].typeName())
	}
	var named callArguments
	for key, value := range d.All {
		named.names = append(named.names, key)
		named.named = append(named.named, value)
	}
	if err := rt.growItems(len(named.names)); err != nil {
		return nil, err
	}
	return rt.formatString(s, named)
}

// lookupPredicate are the methods that tell something about all characters.
func lookupPredicate(name string) stringMethod {
	every := func(holds func(rune) bool) func(string) bool {
		return func(s string) bool {
			return s != "" && strings.IndexFunc(s, func(r rune) bool { return !holds(r) }) < 0
		}
	}
	var holds func(string) bool
	switch name {
	case "isspace":
		holds = every(isSpace)
	case "isalpha":
		holds = every(unicode.IsLetter)
	case "isdecimal":
		holds = every(unicode.IsDigit)
	case "isdigit":
		holds = every(isDigit)
	case "isnumeric":
		holds = every(isNumeric)
	case "isalnum":
		holds = every(func(r rune) bool { return unicode.IsLetter(r) || isNumeric(r) })
	case "isascii":
		holds = isASCII
	case "isprintable":
		holds = func(s string) bool { return s == "" || every(unicode.IsPrint)(s) }
	case "isidentifier":
		holds = isIdentifier
	case "islower":
		holds = isLowerText
	case "isupper":
		holds = isUpperText
	case "istitle":
		holds = isTitleText
	default:
		return nil
	}
	return func(_ *renderer, s String, args callArguments) (Value, error) {
		if _, err := args.bind(name, 0); err != nil {
			return nil, err
		}
		return Bool(holds(s.Text)), nil
	}
}
