package data

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/jinja"
)

// fields are the values of an object's keys. Those that are null are left out:
// tables exported as JSON have a null for each cell without a value.
type fields map[string]json.RawMessage

// parseObject reads a row of JSON as far as its keys.
func parseObject(data []byte) (fields, *Problem) {
	if kind := kindOf(data); kind != "an object" {
		p := problem(WrongType, "the row is %s; it must be an object", kind)
		if kind == "" {
			p = problem(Broken, "no JSON: it begins with %s", short(string(data[:min(len(data), 40)])))
		}
		return nil, p
	}
	var f fields
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, brokenJSON(data, err)
	}
	if loneSurrogate(data) {
		return nil, problem(Broken, `an escape \uD800 to \uDFFF that is half of a character`)
	}
	for key, value := range f {
		if kindOf(value) == "null" {
			delete(f, key)
		}
	}
	return f, nil
}

// brokenJSON says where JSON is broken.
func brokenJSON(data []byte, err error) *Problem {
	p := problem(Broken, "broken JSON: %v", err)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return p
	}
	at := min(int(syntax.Offset), len(data))
	if at == len(data) {
		return problem(Broken, "broken JSON: it ends too early (%v)", err).
			withHint("one row is one line in .jsonl; an array of rows goes into a .json file")
	}
	near := strings.ToValidUTF8(string(data[max(0, at-15):min(len(data), at+15)]), "")
	return problem(Broken, "broken JSON at byte %d, near %q: %v", at, near, err)
}

func (f fields) has(keys ...string) bool {
	for _, key := range keys {
		if _, ok := f[key]; !ok {
			return false
		}
	}
	return true
}

func (f fields) keys() []string {
	var keys []string
	for key := range f {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// text is the value of a key that must be a string.
func (f fields) text(key string) (string, *Problem) {
	var out string
	if kind := kindOf(f[key]); kind != "a string" {
		return "", problem(WrongType, "%q is %s; it must be a string", key, kind)
	}
	if err := json.Unmarshal(f[key], &out); err != nil {
		return "", problem(Broken, "%q: %v", key, err)
	}
	return out, nil
}

// optionalText is the value of a key that may be missing.
func (f fields) optionalText(key string) (string, *Problem) {
	if !f.has(key) {
		return "", nil
	}
	return f.text(key)
}

// value is the value of a key with its objects' keys in order; nil where it is
// missing.
func (f fields) value(key string) (jinja.Value, *Problem) {
	if !f.has(key) {
		return nil, nil
	}
	v, err := jinja.ParseJSON(f[key])
	if err != nil {
		return nil, problem(Broken, "%q: %v", key, err)
	}
	return v, nil
}

// kindOf names the kind of a JSON value by its first character.
func kindOf(data []byte) string {
	for _, c := range data {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '{':
			return "an object"
		case c == '[':
			return "a list"
		case c == '"':
			return "a string"
		case c == 't' || c == 'f':
			return "true or false"
		case c == 'n':
			return "null"
		case c == '-' || '0' <= c && c <= '9':
			return "a number"
		default:
			return ""
		}
	}
	return ""
}

// invalidUTF8 is the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// loneSurrogate reports whether sound JSON has an escape that is half of a
// character. Decoding would put U+FFFD in its place without a word.
func loneSurrogate(data []byte) bool {
	high := false // the escape just before is a first half
	for at := 0; at < len(data); at++ {
		unit := rune(-1)
		if data[at] == '\\' && at+1 < len(data) {
			at++
			if data[at] == 'u' && at+4 < len(data) {
				unit = hexadecimal(data[at+1 : at+5])
				at += 4
			}
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = unit >= 0xd800 && unit <= 0xdbff
	}
	return high
}

func hexadecimal(digits []byte) rune {
	n := rune(0)
	for _, c := range digits {
		n <<= 4
		switch {
		case c >= 'a':
			n |= rune(c-'a') + 10
		case c >= 'A':
			n |= rune(c-'A') + 10
		default:
			n |= rune(c - '0')
		}
	}
	return n
}
