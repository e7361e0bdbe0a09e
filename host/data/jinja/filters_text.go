package jinja

import (
	"strings"
	"unicode"
)

// lookupTextFilter are the filters of strings.
func lookupTextFilter(name string) filter {
	switch name {
	case "string":
		return textFilter(name, func(s String) String { return s })
	case "upper":
		return textFilter(name, func(s String) String { return s.like(upper(s.Text)) })
	case "lower":
		return textFilter(name, func(s String) String { return s.like(lower(s.Text)) })
	case "capitalize":
		return textFilter(name, func(s String) String { return s.like(capitalize(s.Text)) })
	case "title":
		return textFilter(name, func(s String) String { return text(titleFilter(s.Text)) })
	case "safe":
		return textFilter(name, func(s String) String { return String{Text: s.Text, safe: true} })
	case "escape", "e":
		return textFilter(name, escaped)
	case "forceescape":
		return textFilter(name, func(s String) String { return escaped(text(s.Text)) })
	case "striptags":
		return textFilter(name, func(s String) String { return text(stripTags(s.Text)) })
	case "wordcount":
		return wordcountFilter
	case "trim":
		return trimFilter
	case "replace":
		return replaceFilter
	case "join":
		return joinFilter
	case "format":
		return formatFilter
	case "indent":
		return indentFilter
	case "center":
		return centerFilter
	case "truncate":
		return truncateFilter
	case "wordwrap":
		return wordwrapFilter
	case "urlencode":
		return urlencodeFilter
	case "xmlattr":
		return xmlattrFilter
	}
	return nil
}

// textFilter is a filter without arguments on the value as a string.
func textFilter(name string, f func(String) String) filter {
	return func(rt *renderer, v Value, args callArguments) (Value, error) {
		if _, err := given(name, 0, args); err != nil {
			return nil, err
		}
		s, err := rt.softText(v)
		if err != nil {
			return nil, err
		}
		if err := rt.grow(6 * len(s.Text)); err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

// titleFilter makes the first character of every word uppercase, the rest
// lowercase; words begin after white space, "-", "(", "{", "[" and "<".
func titleFilter(s string) string {
	var out strings.Builder
	for s != "" {
		end := strings.IndexFunc(s, breaksWord)
		if end == 0 {
			end = strings.IndexFunc(s, func(r rune) bool { return !breaksWord(r) })
		}
		if end < 0 {
			end = len(s)
		}
		word := s[:end]
		n := byteOffset(word, 1)
		out.WriteString(upper(word[:n]) + lower(word[n:]))
		s = s[end:]
	}
	return out.String()
}

func breaksWord(r rune) bool {
	return isSpace(r) || strings.ContainsRune("-({[<", r)
}

// isWord is a character of words for wordcount: letters, digits, underscore.
func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || isNumeric(r)
}

func wordcountFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("wordcount", 0, args); err != nil {
		return nil, err
	}
	s, err := rt.softText(v)
	n := 0
	inWord := false
	for _, r := range s.Text {
		if isWord(r) && !inWord {
			n++
		}
		inWord = isWord(r)
	}
	return Int(n), err
}

func trimFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("trim", 0, args, "chars")
	if err != nil {
		return nil, err
	}
	s, err := rt.softText(v)
	if err != nil {
		return nil, err
	}
	return strip(s, bound[0], true, true)
}

func replaceFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("replace", 2, args, "old", "new", "count")
	if err != nil {
		return nil, err
	}
	var parts [3]String
	for i, part := range []Value{v, bound[0], bound[1]} {
		if parts[i], err = rt.str(part); err != nil {
			return nil, err
		}
	}
	if bound[2] != nil && isNone(bound[2]) {
		bound[2] = nil
	}
	n, err := count("the count of replace", bound[2], -1)
	if err != nil {
		return nil, err
	}
	s, err := rt.replaced(parts[0].Text, parts[1].Text, parts[2].Text, n)
	return text(s), err
}

func joinFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("join", 0, args, "d", "attribute")
	if err != nil {
		return nil, err
	}
	separator := text("")
	if bound[0] != nil {
		if separator, err = rt.str(bound[0]); err != nil {
			return nil, err
		}
	}
	get := getter(bound[1], nil)
	it, err := iterate(v)
	if err != nil {
		return nil, err
	}
	var out output
	for first := true; ; first = false {
		item, ok, err := it.next(rt)
		if err != nil || !ok {
			return out.captured(), err
		}
		if item, err = get(rt, item); err != nil {
			return nil, err
		}
		s, err := rt.str(item)
		if err != nil {
			return nil, err
		}
		if err := rt.grow(len(s.Text) + len(separator.Text)); err != nil {
			return nil, err
		}
		if err := rt.step(1); err != nil {
			return nil, err
		}
		if !first {
			out.write(separator)
		}
		out.write(s)
	}
}

func formatFilter(rt *renderer, v Value, args callArguments) (Value, error) {
	if len(args.positional) > 0 && len(args.names) > 0 {
		return nil, failf("format takes positional arguments or named ones, not both")
	}
	s, err := rt.softText(v)
	if err != nil {
		return nil, err
	}
	if len(args.names) == 0 {
		return rt.percent(s, NewTuple(args.positional...))
	}
	named := NewDict()
	for i, name := range args.names {
		named.Set(name, args.named[i])
	}
	return rt.percent(s, named)
}
