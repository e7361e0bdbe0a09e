package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// literal reads a number, name or string at the start of rest, if one is there.
func (l *lexer) literal(rest string) (bool, error) {
	c := rest[0]
	switch {
	case c >= '0' && c <= '9':
		return true, l.number(rest)
	case c == '\'' || c == '"':
		n := quotedLength(rest)
		if n == 0 {
			return true, syntaxError(l.line, "a string is not closed")
		}
		value, err := unescape(rest[1 : n-1])
		if err != nil {
			return true, syntaxError(l.line, err.Error())
		}
		l.emit(tokenString, value)
		l.take(n)
		return true, nil
	}
	n := nameLength(rest)
	if n == 0 {
		return false, nil
	}
	if !isIdentifier(rest[:n]) {
		return true, syntaxError(l.line, "'"+rest[:n]+"' is not a name")
	}
	l.emit(tokenName, rest[:n])
	l.take(n)
	return true, nil
}

// nameLength is the length of the letters, digits, marks and underscores that s
// begins with.
func nameLength(s string) int {
	for i, r := range s {
		if !isNamePart(r) && !unicode.Is(unicode.No, r) {
			return i
		}
	}
	return len(s)
}

// isNamePart is a character that identifiers may have after their first.
func isNamePart(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc, unicode.Other_ID_Start, unicode.Other_ID_Continue)
}

// isIdentifier is str.isidentifier.
func isIdentifier(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	if first != '_' && !unicode.In(first, unicode.L, unicode.Nl, unicode.Other_ID_Start) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !isNamePart(r) }) < 0
}

// quotedLength is the length of the quoted string at the start of s, quotes
// included, or 0.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return 0
}

// number reads an integer or float. After a dot only an integer can stand:
// x.0.1 is two subscripts.
func (l *lexer) number(rest string) error {
	if l.pos == 0 || l.source[l.pos-1] != '.' {
		if n := floatLength(rest); n > 0 {
			f, err := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64)
			if err != nil && f == 0 {
				return syntaxError(l.line, "the number "+rest[:n]+" cannot be read")
			}
			l.tokens = append(l.tokens, token{kind: tokenFloat, line: l.line, float: f})
			l.take(n)
			return nil
		}
	}
	n := integerLength(rest)
	if n > maxDigits {
		return syntaxError(l.line, "a number has more than "+strconv.Itoa(maxDigits)+" digits")
	}
	value, ok := new(big.Int).SetString(strings.ReplaceAll(rest[:n], "_", ""), 0)
	if !ok {
		return syntaxError(l.line, "the number "+rest[:n]+" cannot be read")
	}
	l.tokens = append(l.tokens, token{kind: tokenInteger, line: l.line, integer: value})
	l.take(n)
	return nil
}

// maxDigits bounds integers, written or read; Python's own limit is the same.
const maxDigits = 4300

// digitsLength is the length of digits, between which single underscores may
// stand, at the start of s.
func digitsLength(s string, digit func(byte) bool) int {
	n := 0
	for n < len(s) {
		switch {
		case digit(s[n]):
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && digit(s[n+1]):
			n += 2
		default:
			return n
		}
	}
	return n
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }

// floatLength is the length of a float at the start of s, or 0: digits, then a
// fraction, an exponent or both.
func floatLength(s string) int {
	n := digitsLength(s, isDecimal)
	fraction := false
	if n < len(s) && s[n] == '.' {
		if d := digitsLength(s[n+1:], isDecimal); d > 0 {
			n += 1 + d
			fraction = true
		}
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := digitsLength(s[e:], isDecimal); d > 0 {
			return e + d
		}
	}
	if fraction {
		return n
	}
	return 0
}

// integerLength is the length of an integer at the start of s, which begins with
// a digit: decimal without leading zeros, or 0b, 0o, 0x.
func integerLength(s string) int {
	if s[0] != '0' {
		return digitsLength(s, isDecimal)
	}
	if len(s) > 2 {
		var digit func(byte) bool
		switch s[1] | 0x20 {
		case 'b':
			digit = func(c byte) bool { return c == '0' || c == '1' }
		case 'o':
			digit = func(c byte) bool { return c >= '0' && c <= '7' }
		case 'x':
			digit = func(c byte) bool { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
		}
		if digit != nil {
			body := s[2:]
			skip := 0
			if body[0] == '_' {
				skip = 1
			}
			if n := digitsLength(body[skip:], digit); n > 0 {
				return 2 + skip + n
			}
		}
	}
	return digitsLength(s, func(c byte) bool { return c == '0' })
}

// escapes are the escapes of one character.
const escapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// unescape is the value of a string literal's body, with Python's escapes. An
// unknown escape stands for itself, backslash included.
func unescape(body string) (string, error) {
	if strings.IndexByte(body, '\\') < 0 {
		return body, nil
	}
	var out strings.Builder
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			out.WriteByte(body[i])
			i++
			continue
		}
		n, err := unescapeOne(&out, body[i+1:])
		if err != nil {
			return "", err
		}
		i += 1 + n
	}
	return out.String(), nil
}

// unescapeOne writes what the escape means whose text after the backslash s
// begins with, and returns its length.
func unescapeOne(out *strings.Builder, s string) (int, error) {
	c := s[0]
	if c == '\n' {
		return 1, nil
	}
	if i := strings.IndexByte(escapes, c); i >= 0 && i%2 == 0 {
		out.WriteByte(escapes[i+1])
		return 1, nil
	}
	switch {
	case c >= '0' && c <= '7':
		n := 1
		for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		value, _ := strconv.ParseUint(s[:n], 8, 32)
		out.WriteRune(rune(value))
		return n, nil
	case c == 'x':
		return hexEscape(out, s, 2)
	case c == 'u':
		return hexEscape(out, s, 4)
	case c == 'U':
		return hexEscape(out, s, 8)
	case c == 'N':
		return 0, unsupportedf(`the escape \N{…} of a string is not supported: write the character, or \u with its number`)
	case c >= utf8.RuneSelf:
		// Python first writes the character as an escape of its own, whose
		// backslash the one before it then escapes.
		r, n := utf8.DecodeRuneInString(s)
		out.WriteByte('\\')
		out.WriteString(numericEscape(r)[1:])
		return n, nil
	}
	out.WriteByte('\\')
	return 0, nil
}

// numericEscape is \xNN, \uNNNN or \UNNNNNNNN, the shortest that holds r.
func numericEscape(r rune) string {
	digits := strconv.FormatInt(int64(r), 16)
	switch {
	case r < 0x100:
		return `\x` + strings.Repeat("0", 2-len(digits)) + digits
	case r < 0x10000:
		return `\u` + strings.Repeat("0", 4-len(digits)) + digits
	default:
		return `\U` + strings.Repeat("0", 8-len(digits)) + digits
	}
}

func hexEscape(out *strings.Builder, s string, digits int) (int, error) {
	if len(s) < 1+digits {
		return 0, failf(`the escape \%s of a string needs %d digits`, s[:1], digits)
	}
	value, err := strconv.ParseUint(s[1:1+digits], 16, 32)
	if err != nil {
		return 0, failf(`the escape \%s of a string needs %d digits`, s[:1], digits)
	}
	if value > unicode.MaxRune || !utf8.ValidRune(rune(value)) {
		return 0, failf(`the escape \%s of a string is no character`, s[:1+digits])
	}
	out.WriteRune(rune(value))
	return 1 + digits, nil
}
