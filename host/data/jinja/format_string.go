package jinja

import (
	"strconv"
	"strings"
)

// formatString is str.format: {} and {0} are positional arguments, {name} named
// ones, with .attribute and [item] after them, !r or !s, and :specification, which
// may hold fields itself.
func (rt *renderer) formatString(format String, args callArguments) (Value, error) {
	f := &stringFormat{rt: rt, args: args, safe: format.safe}
	s, err := f.fields(format.Text, 2)
	return format.like(s), err
}

type stringFormat struct {
	rt   *renderer
	args callArguments
	safe bool
	// next is the number of the next {}; numbered: {0} has been used.
	next     int
	numbered bool
}

// fields replaces the fields in a text; depth bounds fields inside fields.
func (f *stringFormat) fields(s string, depth int) (string, error) {
	if depth == 0 {
		return "", failf("a format's fields are nested too deep")
	}
	var out strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			i = len(s)
		}
		if err := f.rt.grow(i); err != nil {
			return "", err
		}
		out.WriteString(s[:i])
		s = s[i:]
		switch {
		case s == "":
		case len(s) > 1 && s[0] == s[1]:
			out.WriteByte(s[0])
			s = s[2:]
		case s[0] == '}':
			return "", failf("a single '}' stands in a format; write '}}'")
		default:
			end := fieldEnd(s)
			if end < 0 {
				return "", failf("a '{' of a format is not closed; write '{{' for the character")
			}
			value, err := f.field(s[1:end], depth)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			s = s[end+1:]
		}
	}
	return out.String(), nil
}

// fieldEnd is where the field that s begins with is closed, or -1.
func fieldEnd(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *stringFormat) field(s string, depth int) (string, error) {
	name, specification := s, ""
	conversion := byte(0)
	// A ":" or "!" inside [ ] belongs to the name.
	brackets := 0
scan:
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			brackets++
		case ']':
			brackets--
		case ':', '!':
			if brackets > 0 {
				continue
			}
			name = s[:i]
			rest := s[i:]
			if rest[0] == '!' {
				if len(rest) < 2 || len(rest) > 2 && rest[2] != ':' {
					return "", failf("expected a conversion and ':' after '!' in a format")
				}
				conversion, rest = rest[1], rest[2:]
			}
			specification = strings.TrimPrefix(rest, ":")
			break scan
		}
	}
	v, err := f.lookup(name)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(specification, "{}") {
		if specification, err = f.fields(specification, depth-1); err != nil {
			return "", err
		}
	}
	return f.convert(v, conversion, specification)
}

func (f *stringFormat) convert(v Value, conversion byte, specification string) (string, error) {
	switch conversion {
	case 0:
	case 's', 'r', 'a':
		s, err := f.rt.converted(v, conversion)
		if err != nil {
			return "", err
		}
		v = text(s)
	default:
		return "", failf("'!%c' is not a conversion of a format", conversion)
	}
	s, ok := v.(String)
	if ok && s.safe && f.safe {
		if specification != "" {
			return "", failf("markup cannot have a format")
		}
		return s.Text, nil
	}
	out, err := f.rt.format(v, specification)
	if err == nil && f.safe {
		out = escaped(text(out)).Text
	}
	return out, err
}

// lookup is the value of a field's name.
func (f *stringFormat) lookup(name string) (Value, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v, err := f.argument(name[:end])
	for rest := name[end:]; err == nil && rest != ""; {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			v, err = f.rt.attribute(v, rest[1:end+1])
			rest = rest[end+1:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			return nil, failf("a format's field '%s' cannot be read", shortened(name))
		}
		var key Value = text(rest[1:end])
		if n, convErr := strconv.Atoi(rest[1:end]); convErr == nil && isDecimal(rest[1]) {
			key = Int(n)
		}
		v, err = f.rt.item(v, key)
		rest = rest[end+1:]
	}
	return v, err
}

func (f *stringFormat) argument(name string) (Value, error) {
	if name == "" {
		if f.numbered {
			return nil, failf("a format mixes {} and {0}")
		}
		f.next++
		return f.positional(f.next - 1)
	}
	if n, err := strconv.Atoi(name); err == nil && isDecimal(name[0]) {
		if f.next > 0 {
			return nil, failf("a format mixes {} and {0}")
		}
		f.numbered = true
		return f.positional(n)
	}
	for i, given := range f.args.names {
		if given == name {
			return f.args.named[i], nil
		}
	}
	return nil, failf("a format's field '%s' has no argument", shortened(name))
}

func (f *stringFormat) positional(n int) (Value, error) {
	if n >= len(f.args.positional) {
		return nil, failf("a format needs more than its %d arguments", len(f.args.positional))
	}
	return f.args.positional[n], nil
}

// converted is str(v), repr(v) or ascii(v).
func (rt *renderer) converted(v Value, conversion byte) (string, error) {
	if conversion == 's' {
		s, err := rt.str(v)
		return s.Text, err
	}
	s, err := rt.repr(v)
	if conversion == 'r' || err != nil || isASCII(s) {
		return s, err
	}
	var out strings.Builder
	for _, r := range s {
		if r < 0x80 {
			out.WriteRune(r)
		} else {
			out.WriteString(numericEscape(r))
		}
	}
	return out.String(), rt.grow(out.Len())
}
