package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// percent is format % value, as in C: %s, %r, %d, %x, %f and their like, with
// flags, width and precision. The arguments are a tuple's items, one value, or for
// %(name)s the entries of a dict.
func (rt *renderer) percent(format String, value Value) (Value, error) {
	p := &percentFormat{rt: rt, format: format, rest: format.Text, value: value, args: []Value{value}}
	if t, ok := value.(*Tuple); ok {
		p.args = t.items
	}
	p.dict, _ = value.(*Dict)
	if err := p.run(); err != nil {
		return nil, err
	}
	return format.like(p.out.String()), nil
}

type percentFormat struct {
	rt     *renderer
	format String
	rest   string
	value  Value
	args   []Value
	used   int
	dict   *Dict
	out    strings.Builder
}

func (p *percentFormat) run() error {
	for {
		i := strings.IndexByte(p.rest, '%')
		if i < 0 {
			break
		}
		if err := p.emit(p.rest[:i]); err != nil {
			return err
		}
		p.rest = p.rest[i+1:]
		if err := p.directive(); err != nil {
			return err
		}
	}
	if err := p.emit(p.rest); err != nil {
		return err
	}
	if p.used < len(p.args) && !mayGoUnused(p.value) {
		return failf("a format with %% uses %d of %d arguments", p.used, len(p.args))
	}
	return nil
}

// mayGoUnused is whether Python lets a value on the right of % go unused: what can
// be subscripted may.
func mayGoUnused(v Value) bool {
	switch v.(type) {
	case *Dict, *List, *rangeValue, *undefined:
		return true
	}
	return false
}

func (p *percentFormat) emit(s string) error {
	if err := p.rt.grow(len(s)); err != nil {
		return err
	}
	p.out.WriteString(s)
	return nil
}

// directive reads and writes what follows a "%".
func (p *percentFormat) directive() error {
	if strings.HasPrefix(p.rest, "%") {
		p.rest = p.rest[1:]
		return p.emit("%")
	}
	var spec formatSpec
	value, err := p.named()
	if err != nil {
		return err
	}
	p.flags(&spec)
	if spec.width, err = p.size(); err != nil {
		return err
	}
	spec.precision = -1
	if strings.HasPrefix(p.rest, ".") {
		p.rest = p.rest[1:]
		if spec.precision, err = p.size(); err != nil {
			return err
		}
	}
	p.rest = strings.TrimLeft(p.rest, "hlL")
	if p.rest == "" {
		return failf("a format ends inside a %% directive")
	}
	verb, n := utf8.DecodeRuneInString(p.rest)
	p.rest = p.rest[n:]
	if value == nil {
		if p.used == len(p.args) || p.dict != nil && p.used > 0 {
			return failf("a format with %% has more directives than its %d arguments", len(p.args))
		}
		value = p.args[p.used]
		p.used++
	}
	s, err := p.convert(verb, value, &spec)
	if err != nil {
		return err
	}
	if p.format.safe {
		s = escaped(text(s)).Text
	}
	return p.emit(s)
}

// named is the value of a "(name)", or nil.
func (p *percentFormat) named() (Value, error) {
	if !strings.HasPrefix(p.rest, "(") {
		return nil, nil
	}
	end := strings.IndexByte(p.rest, ')')
	if end < 0 {
		return nil, failf("a %%(name) directive is not closed")
	}
	name := p.rest[1:end]
	p.rest = p.rest[end+1:]
	if p.dict == nil {
		return nil, failf("a %%(name) directive needs a dict on the right of %%")
	}
	v, ok := p.dict.Get(name)
	if !ok {
		return nil, failf("the dict has no key '%s' for a %%(name) directive", shortened(name))
	}
	return v, nil
}

func (p *percentFormat) flags(spec *formatSpec) {
	for p.rest != "" {
		switch p.rest[0] {
		case '-':
			spec.align = '<'
		case '+':
			spec.sign = '+'
		case ' ':
			if spec.sign == 0 {
				spec.sign = ' '
			}
		case '0':
			spec.zero = true
		case '#':
			spec.alternate = true
		default:
			return
		}
		p.rest = p.rest[1:]
	}
}

// size is a width or precision: a number, "*" for the next argument, or nothing.
func (p *percentFormat) size() (int, error) {
	if strings.HasPrefix(p.rest, "*") {
		p.rest = p.rest[1:]
		if p.used == len(p.args) {
			return 0, failf("a format with %% has too few arguments")
		}
		n, ok := asInt(p.args[p.used])
		p.used++
		if !ok || n < 0 || n > maxWidth {
			return 0, failf("a width or precision given by * must be an integer from 0 to %d", maxWidth)
		}
		return int(n), nil
	}
	n := 0
	for n < len(p.rest) && isDecimal(p.rest[n]) {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	size, err := strconv.Atoi(p.rest[:n])
	if err != nil || size > maxWidth {
		return 0, limitf("a width or precision in a format is more than %d", maxWidth)
	}
	p.rest = p.rest[n:]
	return size, nil
}

// convert is a value as a directive's letter writes it.
func (p *percentFormat) convert(verb rune, v Value, spec *formatSpec) (string, error) {
	switch verb {
	case 's', 'r', 'a':
		s, err := p.rt.converted(v, byte(verb))
		if err != nil {
			return "", err
		}
		spec.zero = false
		return p.rt.padText(s, spec)
	case 'd', 'i', 'u':
		n, err := wholeNumber(v)
		if err != nil {
			return "", err
		}
		return p.rt.cInteger(n, 'd', spec)
	case 'x', 'X', 'o':
		if _, ok := asInt(v); !ok {
			return "", failf("%%%c needs an integer, not a %s", verb, v.typeName())
		}
		return p.rt.cInteger(v, byte(verb), spec)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		f, ok := asFloat(v)
		if !ok {
			if u, ok := v.(*undefined); ok {
				return "", u.fail()
			}
			return "", failf("%%%c needs a number, not a %s", verb, v.typeName())
		}
		if spec.align == '<' {
			spec.zero = false
		}
		spec.kind = byte(verb)
		return p.rt.formatFloat(f, spec)
	case 'c':
		c, err := character(v)
		if err != nil {
			return "", err
		}
		spec.precision, spec.zero = -1, false
		return p.rt.padText(c, spec)
	}
	return "", failf("a format has an unknown directive %%%c", verb)
}

// wholeNumber is a number without its fraction.
func wholeNumber(v Value) (Value, error) {
	switch v := v.(type) {
	case Float:
		if n, ok := floatToInteger(float64(v)); ok {
			return n, nil
		}
		return nil, failf("%s is not an integer", reprFloat(float64(v)))
	case bigInt:
		return v, nil
	case *undefined:
		return nil, v.fail()
	}
	if n, ok := asInt(v); ok {
		return Int(n), nil
	}
	return nil, failf("%%d needs a number, not a %s", v.typeName())
}

// character is one character: a string of one, or its number.
func character(v Value) (string, error) {
	if s, ok := v.(String); ok && utf8.RuneCountInString(s.Text) == 1 {
		return s.Text, nil
	}
	if n, ok := asInt(v); ok && n >= 0 && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
		return string(rune(n)), nil
	}
	return "", failf("%%c needs a character or its number")
}

// cInteger is an integer with a C-like directive, in which a precision is the
// least number of digits.
func (rt *renderer) cInteger(v Value, kind byte, spec *formatSpec) (string, error) {
	digits, negative := integerDigits(v, kind)
	if n := spec.precision - len(digits); n > 0 {
		digits = strings.Repeat("0", n) + digits
	}
	prefix := ""
	if spec.alternate && kind != 'd' {
		prefix = "0" + string(kind)
	}
	if spec.align == '<' {
		spec.zero = false
	}
	if spec.zero {
		spec.align, spec.fill = '=', "0"
	}
	return rt.padNumber(signOf(negative, spec.sign)+prefix, digits, spec)
}
