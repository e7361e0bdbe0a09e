package pattern

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what a tokenizer file may hold.
const (
	maxExpression = 1 << 15 // runes
	maxNesting    = 100
)

// translate turns an expression of Oniguruma's syntax into one of regexp2's,
// with character classes and assertions spelled out, since the two engines'
// own differ.
func translate(expr string) (string, error) {
	t := &translator{in: []rune(expr)}
	if len(t.in) > maxExpression {
		return "", fmt.Errorf("the pattern has %d characters; the limit is %d", len(t.in), maxExpression)
	}
	err := t.alternation(0)
	if err == nil && t.more() {
		err = errors.New("a closing parenthesis without its opening one")
	}
	if err != nil {
		return "", fmt.Errorf("at character %d: %w", t.pos+1, err)
	}
	return string(t.out), nil
}

type translator struct {
	in  []rune
	pos int
	out []rune
	// Options that the group under translation has in force.
	dotAll, fold bool
	// The last literal under fold, and where its translation ended.
	before    rune
	beforeEnd int
}

func (t *translator) more() bool { return t.pos < len(t.in) }

func (t *translator) peek() rune {
	if !t.more() {
		return -1
	}
	return t.in[t.pos]
}

func (t *translator) looking(s string) bool {
	return strings.HasPrefix(string(t.in[t.pos:min(t.pos+len(s), len(t.in))]), s)
}

func (t *translator) write(s string) { t.out = append(t.out, []rune(s)...) }

// alternation translates up to the end of the group, whose parenthesis it
// leaves, or of the expression.
func (t *translator) alternation(depth int) error {
	if depth > maxNesting {
		return errors.New("groups nested too deeply")
	}
	for t.more() {
		switch t.peek() {
		case ')':
			return nil
		case '|':
			t.pos++
			t.write("|")
			continue
		}
		start := len(t.out)
		atom, err := t.atom(depth)
		if err != nil {
			return err
		}
		if err := t.quantifiers(start, atom); err != nil {
			return err
		}
	}
	return nil
}

// atom translates one item; it reports whether a quantifier may follow it.
func (t *translator) atom(depth int) (bool, error) {
	c := t.peek()
	switch c {
	case '(':
		return t.group(depth)
	case '[':
		t.pos++
		set, negated, err := t.class(0)
		if err != nil {
			return false, err
		}
		if t.fold {
			set = set.folded()
		}
		t.out = appendSet(t.out, set, negated)
		return true, nil
	case '\\':
		return true, t.escape()
	case '*', '+', '?':
		return false, fmt.Errorf("%q has nothing to repeat", c)
	}
	t.pos++
	switch c {
	case '.':
		if t.dotAll {
			t.write(`[\s\S]`)
		} else {
			t.write(`[^\n]`)
		}
	case '^':
		t.write(`(?:\A|(?<=\n)(?!\z))`)
	case '$':
		t.write(`(?=\n|\z)`)
	default:
		return true, t.literal(c)
	}
	return true, nil
}

// literal writes a character.
func (t *translator) literal(c rune) error {
	if !t.fold {
		t.out = appendRune(t.out, c)
		return nil
	}
	// Oniguruma also takes a ligature for its letters, and the other way round.
	letters := strings.ToLower(string(c))
	if t.before != 0 && t.beforeEnd == len(t.out) {
		letters = strings.ToLower(string(t.before)) + letters
	}
	switch {
	case strings.ContainsRune(ligatures, c), strings.HasSuffix(letters, "ss"), strings.HasSuffix(letters, "st"),
		strings.HasSuffix(letters, "ff"), strings.HasSuffix(letters, "fi"), strings.HasSuffix(letters, "fl"):
		return fmt.Errorf("%q matches a ligature or its letters under (?i), which is not supported", letters)
	}
	t.out = appendSet(t.out, runeSet{{First: c, Last: c}}.folded(), false)
	t.before, t.beforeEnd = c, len(t.out)
	return nil
}

// ligatures are characters that fold to more than one.
const ligatures = "\u00df\u0130\u0149\u01f0\u0390\u03b0\u0587\u1e96\u1e97\u1e98\u1e99\u1e9a\u1e9e" +
	"\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06\ufb13\ufb14\ufb15\ufb16\ufb17"

// quantifiers translates what repeats the atom at t.out[start:].
func (t *translator) quantifiers(start int, atom bool) error {
	for repeated := false; ; repeated = true {
		text, braced, ok, err := t.quantifier()
		if err != nil || !ok {
			return err
		}
		if !atom {
			return errors.New("a quantifier has nothing to repeat")
		}
		if repeated {
			t.wrap(start, "(?:")
		}
		t.write(text)
		switch {
		case t.peek() == '+' && !braced:
			t.pos++
			t.wrap(start, "(?>")
		case t.peek() == '?':
			t.pos++
			if braced && !strings.Contains(text, ",") {
				t.wrap(start, "(?:") // {n}? is an optional {n}
			}
			t.write("?")
		}
	}
}

func (t *translator) wrap(start int, open string) {
	t.out = slices.Insert(t.out, start, []rune(open)...)
	t.out = append(t.out, ')')
}

// quantifier reads one quantifier, without the sign of laziness or possession.
func (t *translator) quantifier() (text string, braced, ok bool, err error) {
	switch c := t.peek(); c {
	case '*', '+', '?':
		t.pos++
		return string(c), false, true, nil
	case '{':
	default:
		return "", false, false, nil
	}
	end := slices.Index(t.in[t.pos:], '}')
	if end < 0 {
		return "", false, false, nil
	}
	low, high, comma := strings.Cut(string(t.in[t.pos+1:t.pos+end]), ",")
	if low == "" && comma && high != "" {
		low = "0"
	}
	if !isNumber(low) || high != "" && !isNumber(high) {
		return "", false, false, nil // a literal brace
	}
	const most = 100000 // Oniguruma's limit
	for _, s := range []string{low, high} {
		if n, err := strconv.Atoi(s); s != "" && (err != nil || n > most) {
			return "", false, false, fmt.Errorf("a repetition of %s; the limit is %d", s, most)
		}
	}
	t.pos += end + 1
	text = "{" + low
	if comma {
		text += "," + high
	}
	return text + "}", true, true, nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// group translates from an opening parenthesis to its closing one.
func (t *translator) group(depth int) (bool, error) {
	dotAll, fold := t.dotAll, t.fold
	for _, open := range []string{"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"} {
		if t.looking(open) {
			t.pos += len(open)
			t.write(open)
			return true, t.groupBody(depth, dotAll, fold)
		}
	}
	switch {
	case t.looking("(?#"):
		end := slices.Index(t.in[t.pos:], ')')
		if end < 0 {
			return false, errors.New("a comment without its closing parenthesis")
		}
		t.pos += end + 1
		return false, nil
	case t.looking("(?"):
		return t.options(depth)
	case t.looking("(*"):
		return false, errors.New("callouts are not supported")
	}
	t.pos++
	t.write("(")
	return true, t.groupBody(depth, dotAll, fold)
}

func (t *translator) groupBody(depth int, dotAll, fold bool) error {
	if err := t.alternation(depth + 1); err != nil {
		return err
	}
	if !t.more() {
		return errors.New("a group without its closing parenthesis")
	}
	t.pos++
	t.write(")")
	t.dotAll, t.fold = dotAll, fold
	return nil
}

// options translates (?imx-imx:…), and (?imx-imx) which holds to the end of
// the group around it.
func (t *translator) options(depth int) (bool, error) {
	dotAll, fold := t.dotAll, t.fold
	t.pos += 2
	on := true
	for t.more() {
		c := t.in[t.pos]
		t.pos++
		switch c {
		case '-':
			on = false
		case 'i':
			t.fold = on
		case 'm':
			t.dotAll = on
		case ':':
			t.write("(?:")
			return true, t.groupBody(depth, dotAll, fold)
		case ')':
			// What follows in this group, all its alternatives together, is in
			// the option's scope.
			t.write("(?:")
			if err := t.alternation(depth + 1); err != nil {
				return false, err
			}
			t.write(")")
			t.dotAll, t.fold = dotAll, fold
			return false, nil
		default:
			return false, fmt.Errorf("(?%c is not supported", c)
		}
	}
	return false, errors.New("options without their closing parenthesis")
}
