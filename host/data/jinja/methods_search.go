package jinja

import (
	"strings"
	"unicode/utf8"
)

// lookupSearchMethod are the methods of strings that look for others in them, and
// those that lay a string out in a width.
func lookupSearchMethod(name string) stringMethod {
	switch name {
	case "startswith":
		return affix(name, strings.HasPrefix)
	case "endswith":
		return affix(name, strings.HasSuffix)
	case "find":
		return finding(name, strings.Index, false)
	case "rfind":
		return finding(name, strings.LastIndex, false)
	case "index":
		return finding(name, strings.Index, true)
	case "rindex":
		return finding(name, strings.LastIndex, true)
	case "count":
		return countText
	case "center":
		return padding(name, '^')
	case "ljust":
		return padding(name, '<')
	case "rjust":
		return padding(name, '>')
	case "zfill":
		return zfill
	case "expandtabs":
		return expandtabs
	}
	return nil
}

// window is the part of s from character start to character stop, as slices count
// them, and the number of characters before it. ok is false if start lies beyond
// the end, where Python finds not even an empty string.
func (rt *renderer) window(s string, start, stop Value) (part string, before int, ok bool, err error) {
	if start == nil && stop == nil {
		return s, 0, true, nil
	}
	n, err := rt.characters(s)
	if err != nil {
		return "", 0, false, err
	}
	from, to := 0, n
	if start != nil && !isNone(start) {
		if from, err = boundary(start, n); err != nil {
			return "", 0, false, err
		}
	}
	if stop != nil && !isNone(stop) {
		if to, err = boundary(stop, n); err != nil {
			return "", 0, false, err
		}
	}
	to = min(to, n)
	if from > to {
		return "", from, false, nil
	}
	return substring(s, from, to), from, true, nil
}

// boundary is a position in n characters, counted from the end if negative.
func boundary(v Value, n int) (int, error) {
	i, ok := asInt(v)
	if !ok {
		return 0, failf("a position in a string must be an integer, not a %s", v.typeName())
	}
	if i < 0 {
		i = max(i+int64(n), 0)
	}
	return int(min(i, int64(n)+1)), nil
}

// affix is startswith and endswith: one string or a tuple of them.
func affix(name string, has func(s, part string) bool) stringMethod {
	return func(rt *renderer, s String, args callArguments) (Value, error) {
		given, err := args.bind(name, 1, "/text", "/start", "/end")
		if err != nil {
			return nil, err
		}
		part, _, ok, err := rt.window(s.Text, given[1], given[2])
		if err != nil {
			return nil, err
		}
		parts := []Value{given[0]}
		if t, ok := given[0].(*Tuple); ok {
			parts = t.items
		}
		for _, p := range parts {
			p, isText := p.(String)
			if !isText {
				return nil, failf("%s() needs a string or a tuple of strings, not a %s", name, given[0].typeName())
			}
			if ok && has(part, p.Text) {
				return Bool(true), nil
			}
		}
		return Bool(false), nil
	}
}

// finding is find and its like; must makes not finding an error.
func finding(name string, index func(s, part string) int, must bool) stringMethod {
	return func(rt *renderer, s String, args callArguments) (Value, error) {
		given, err := args.bind(name, 1, "/text", "/start", "/end")
		if err != nil {
			return nil, err
		}
		wanted, ok := given[0].(String)
		if !ok {
			return nil, failf("%s() needs a string, not a %s", name, given[0].typeName())
		}
		part, before, ok, err := rt.window(s.Text, given[1], given[2])
		if err != nil {
			return nil, err
		}
		at := -1
		if ok {
			at = index(part, wanted.Text)
		}
		switch {
		case at >= 0:
			return Int(before + utf8.RuneCountInString(part[:at])), nil
		case must:
			return nil, failf("%s(): the string does not occur", name)
		}
		return Int(-1), nil
	}
}

func countText(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("count", 1, "/text", "/start", "/end")
	if err != nil {
		return nil, err
	}
	wanted, ok := given[0].(String)
	if !ok {
		return nil, failf("count() needs a string, not a %s", given[0].typeName())
	}
	part, _, ok, err := rt.window(s.Text, given[1], given[2])
	if err != nil || !ok {
		return Int(0), err
	}
	return Int(strings.Count(part, wanted.Text)), nil
}

// padding is center, ljust and rjust.
func padding(name string, align byte) stringMethod {
	return func(rt *renderer, s String, args callArguments) (Value, error) {
		given, err := args.bind(name, 1, "/width", "/fillchar")
		if err != nil {
			return nil, err
		}
		width, ok := asInt(given[0])
		if !ok {
			return nil, failf("the width of %s() must be an integer, not a %s", name, given[0].typeName())
		}
		fill := text(" ")
		if given[1] != nil {
			if fill, ok = given[1].(String); !ok || utf8.RuneCountInString(fill.Text) != 1 {
				return nil, failf("the fill of %s() must be one character", name)
			}
		}
		if s.safe && escaped(fill).Text != fill.Text {
			return nil, failf("the fill of %s() must be one character", name)
		}
		return rt.padded(s, width, fill.Text, align)
	}
}

func (rt *renderer) padded(s String, width int64, fill string, align byte) (Value, error) {
	if width > maxWidth {
		return nil, limitf("a width is more than %d", maxWidth)
	}
	n, err := rt.characters(s.Text)
	if err != nil {
		return nil, err
	}
	missing := max(int(width)-n, 0)
	left := 0
	switch align {
	case '>':
		left = missing
	case '^':
		// Python's rule for what does not divide evenly.
		left = missing/2 + missing&int(width)&1
	}
	if err := rt.grow(len(s.Text) + missing*len(fill)); err != nil {
		return nil, err
	}
	return s.like(strings.Repeat(fill, left) + s.Text + strings.Repeat(fill, missing-left)), nil
}

func zfill(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("zfill", 1, "/width")
	if err != nil {
		return nil, err
	}
	width, ok := asInt(given[0])
	if !ok {
		return nil, failf("the width of zfill() must be an integer, not a %s", given[0].typeName())
	}
	sign := ""
	if strings.HasPrefix(s.Text, "+") || strings.HasPrefix(s.Text, "-") {
		sign = s.Text[:1]
	}
	out, err := rt.padded(s.like(s.Text[len(sign):]), max(width, 0)-int64(len(sign)), "0", '>')
	if err != nil {
		return nil, err
	}
	return s.like(sign + out.(String).Text), nil
}

func expandtabs(rt *renderer, s String, args callArguments) (Value, error) {
	given, err := args.bind("expandtabs", 0, "tabsize")
	if err != nil {
		return nil, err
	}
	size := int64(8)
	if given[0] != nil {
		var ok bool
		if size, ok = asInt(given[0]); !ok || size > maxWidth {
			return nil, failf("the size of a tab must be an integer up to %d", maxWidth)
		}
	}
	var out strings.Builder
	column := int64(0)
	for _, r := range s.Text {
		switch r {
		case '\t':
			if size > 0 {
				n := size - column%size
				if err := rt.grow(int(n)); err != nil {
					return nil, err
				}
				out.WriteString(strings.Repeat(" ", int(n)))
				column += n
			}
			continue
		case '\n', '\r':
			column = -1
		}
		column++
		out.WriteRune(r)
	}
	return s.like(out.String()), rt.grow(len(s.Text))
}
