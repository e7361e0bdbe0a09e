package pattern

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/host/data/tokenizer/internal/ucd"
)

// controls are the escapes of single control characters.
var controls = map[rune]rune{
	't': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1B,
}

// escape translates a backslash and what belongs to it, outside a class.
func (t *translator) escape() error {
	if t.pos+1 >= len(t.in) {
		return errors.New("a backslash at the end")
	}
	c := t.in[t.pos+1]
	switch c {
	case 'A', 'z':
		t.write(`\` + string(c))
	case 'Z':
		t.write(`(?=\n?\z)`)
	case 'b', 'B':
		word, _ := shorthand('w', false)
		w := string(appendSet(nil, word, false))
		if c == 'b' {
			t.write("(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))")
		} else {
			t.write("(?:(?<=" + w + ")(?=" + w + ")|(?<!" + w + ")(?!" + w + "))")
		}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		// In a group of its own, so that a digit that follows stays apart.
		t.write(`(?:\` + string(c) + ")")
	default:
		set, single, err := t.escaped(false)
		if err != nil {
			return err
		}
		if set == nil {
			return t.literal(single)
		}
		t.out = appendSet(t.out, set, false)
		return nil
	}
	t.pos += 2
	return nil
}

// escaped reads an escape that stands for a set of characters, or for a single
// one (set is nil then); these mean the same inside a class and outside.
func (t *translator) escaped(inClass bool) (set runeSet, single rune, err error) {
	t.pos++ // the backslash
	if !t.more() {
		return nil, 0, errors.New("a backslash at the end")
	}
	c := t.in[t.pos]
	t.pos++
	if s, ok := shorthand(c, inClass); ok {
		return s, 0, nil
	}
	if r, ok := controls[c]; ok {
		return nil, r, nil
	}
	switch {
	case c == 'p' || c == 'P':
		set, err = t.property(c == 'P')
		return set, 0, err
	case c == 'x' && t.peek() == '{':
		text, err := t.braced()
		if err != nil {
			return nil, 0, err
		}
		return t.hex(text)
	case c == 'x':
		return t.hexDigits(2)
	case c == 'u':
		return t.hexDigits(4)
	case c < 0x80 && strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c):
		return nil, 0, fmt.Errorf(`the escape \%c is not supported`, c)
	}
	return nil, c, nil
}

func (t *translator) hexDigits(n int) (runeSet, rune, error) {
	end := min(t.pos+n, len(t.in))
	text := string(t.in[t.pos:end])
	t.pos = end
	return t.hex(text)
}

func (t *translator) hex(text string) (runeSet, rune, error) {
	v, err := strconv.ParseUint(text, 16, 32)
	if err != nil || v > 0x10FFFF || v >= 0xD800 && v < 0xE000 {
		return nil, 0, fmt.Errorf("%q is not the number of a character", text)
	}
	return nil, rune(v), nil
}

// braced reads {…} and returns what stands between the braces.
func (t *translator) braced() (string, error) {
	end := slices.Index(t.in[t.pos:], '}')
	if t.peek() != '{' || end < 0 {
		return "", errors.New("an escape without its braces")
	}
	text := string(t.in[t.pos+1 : t.pos+end])
	t.pos += end + 1
	return text, nil
}

func (t *translator) property(negated bool) (runeSet, error) {
	name, err := t.braced()
	if err != nil {
		return nil, err
	}
	bare := strings.TrimPrefix(name, "^")
	set, ok := property(bare)
	if !ok {
		return nil, fmt.Errorf(`the property \p{%s} is not supported; general categories are`, name)
	}
	if negated != (bare != name) {
		set = set.complement()
	}
	return set, nil
}

// class reads a character class after its opening bracket, to the closing one.
func (t *translator) class(depth int) (set runeSet, negated bool, err error) {
	if depth > maxNesting {
		return nil, false, errors.New("classes nested too deeply")
	}
	if t.peek() == '^' {
		t.pos++
		negated = true
	}
	var ranges []ucd.Range // of the part since the last &&
	var left runeSet       // of the parts before
	joined := false
	finish := func() runeSet {
		part := newRuneSet(ranges)
		if joined {
			part = left.intersect(part)
		}
		return part
	}
	for first := true; t.more(); first = false {
		switch {
		case t.peek() == ']' && !first:
			t.pos++
			return finish(), negated, nil
		case t.looking("&&"):
			t.pos += 2
			left, joined, ranges = finish(), true, nil
		default:
			more, err := t.classItem(depth)
			if err != nil {
				return nil, false, err
			}
			ranges = append(ranges, more...)
		}
	}
	return nil, false, errors.New("a class without its closing bracket")
}

// classItem reads one member of a class: a character, a range, or a set.
func (t *translator) classItem(depth int) ([]ucd.Range, error) {
	if t.looking("[:") {
		if set, ok, err := t.posix(); ok || err != nil {
			return set, err
		}
	}
	if t.peek() == '[' {
		t.pos++
		set, negated, err := t.class(depth + 1)
		if negated {
			set = set.complement()
		}
		return set, err
	}
	set, low, err := t.classChar()
	if err != nil || set != nil {
		return set, err
	}
	high := low
	if t.peek() == '-' && t.pos+1 < len(t.in) && t.in[t.pos+1] != ']' && t.in[t.pos+1] != '[' {
		t.pos++
		set, high, err = t.classChar()
		if err != nil {
			return nil, err
		}
		if set != nil {
			return nil, errors.New("a range that ends in a set of characters")
		}
		if high < low {
			return nil, fmt.Errorf("the range %q-%q runs backwards", low, high)
		}
	}
	return []ucd.Range{{First: low, Last: high}}, nil
}

func (t *translator) classChar() (runeSet, rune, error) {
	if t.peek() == '\\' {
		if t.pos+1 < len(t.in) && t.in[t.pos+1] == 'b' {
			t.pos += 2
			return nil, '\b', nil
		}
		return t.escaped(true)
	}
	c := t.in[t.pos]
	t.pos++
	return nil, c, nil
}

// posix reads [:name:] or [:^name:]; ok is false where none stands.
func (t *translator) posix() (set runeSet, ok bool, err error) {
	rest := string(t.in[t.pos+2 : min(len(t.in), t.pos+20)])
	name, _, found := strings.Cut(rest, ":]")
	if !found {
		return nil, false, nil
	}
	bare := strings.TrimPrefix(name, "^")
	set, known := bracket(bare)
	if !known {
		return nil, false, fmt.Errorf("the bracket [:%s:] is not supported", name)
	}
	if bare != name {
		set = set.complement()
	}
	t.pos += 2 + len([]rune(name)) + 2
	return set, true, nil
}
