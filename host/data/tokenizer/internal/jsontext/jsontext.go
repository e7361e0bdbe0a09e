// Package jsontext reads the large parts of a tokenizer.json, its vocabulary
// and its merges, several times as fast as encoding/json, which serves for the
// small parts.
//
// It is stricter than encoding/json: a lone surrogate in a string is an error,
// as it is for the Python tokenizers library. It is not a general decoder:
// a [Reader] walks over the values of a text, and its caller says what is
// expected.
package jsontext

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects.
const maxDepth = 1000

// A Reader walks over a JSON text, which must be valid UTF-8.
type Reader struct {
	data []byte
	pos  int
	base int // offset of data in the file, for errors
}

// NewReader returns a reader of data, which stands at offset base of its file.
func NewReader(data []byte, base int) *Reader {
	return &Reader{data: data, base: base}
}

// Offset returns the offset in the file that the reader has reached.
func (r *Reader) Offset() int { return r.base + r.pos }

func (r *Reader) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", r.base+r.pos, fmt.Sprintf(format, args...))
}

// Peek skips white space and returns the next byte, 0 at the end.
func (r *Reader) Peek() byte {
	for ; r.pos < len(r.data); r.pos++ {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
		default:
			return r.data[r.pos]
		}
	}
	return 0
}

// Expect skips white space and the byte c.
func (r *Reader) Expect(c byte) error {
	if got := r.Peek(); got != c {
		if r.pos >= len(r.data) {
			return r.errorf("the text ends where %q is expected", c)
		}
		return r.errorf("%q where %q is expected", got, c)
	}
	r.pos++
	return nil
}

// End reports an error unless nothing but white space is left.
func (r *Reader) End() error {
	if c := r.Peek(); c != 0 || r.pos < len(r.data) {
		return r.errorf("%q after the value", c)
	}
	return nil
}

// Object calls field for each key, with the reader before its value, which
// field must read.
func (r *Reader) Object(field func(key []byte) error) error {
	if err := r.Expect('{'); err != nil {
		return err
	}
	var key []byte
	return r.members('}', func() error {
		var err error
		if key, err = r.AppendString(key[:0]); err != nil {
			return err
		}
		if err := r.Expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// Array calls element for each element, which it must read.
func (r *Reader) Array(element func() error) error {
	if err := r.Expect('['); err != nil {
		return err
	}
	return r.members(']', element)
}

func (r *Reader) members(closing byte, member func() error) error {
	if r.Peek() == closing {
		r.pos++
		return nil
	}
	for {
		if err := member(); err != nil {
			return err
		}
		if r.Peek() == closing {
			r.pos++
			return nil
		}
		if err := r.Expect(','); err != nil {
			return err
		}
	}
}

// Int32 reads an integer from 0 to 2³¹-1.
func (r *Reader) Int32() (int32, error) {
	r.Peek()
	start := r.pos
	v := int64(0)
	for ; r.pos < len(r.data) && '0' <= r.data[r.pos] && r.data[r.pos] <= '9'; r.pos++ {
		v = v*10 + int64(r.data[r.pos]-'0')
		if v > 1<<31-1 {
			return 0, r.errorf("a number beyond 2147483647")
		}
	}
	digits := r.pos - start
	if digits == 0 || digits > 1 && r.data[start] == '0' {
		return 0, r.errorf("not a whole number of 0 or more")
	}
	if r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '.', 'e', 'E':
			return 0, r.errorf("not a whole number of 0 or more")
		}
	}
	return int32(v), nil
}

// AppendString reads a string and appends its text to dst.
func (r *Reader) AppendString(dst []byte) ([]byte, error) {
	if c := r.Peek(); c != '"' {
		return dst, r.errorf("a string is expected")
	}
	r.pos++
	for {
		start := r.pos
		for r.pos < len(r.data) && r.data[r.pos] != '"' && r.data[r.pos] != '\\' && r.data[r.pos] >= ' ' {
			r.pos++
		}
		dst = append(dst, r.data[start:r.pos]...)
		if r.pos >= len(r.data) {
			return dst, r.errorf("a string without its closing quote")
		}
		switch r.data[r.pos] {
		case '"':
			r.pos++
			return dst, nil
		case '\\':
			var err error
			if dst, err = r.appendEscape(dst); err != nil {
				return dst, err
			}
		default:
			return dst, r.errorf("a control character in a string")
		}
	}
}

func (r *Reader) appendEscape(dst []byte) ([]byte, error) {
	r.pos++
	if r.pos >= len(r.data) {
		return dst, r.errorf("a string without its closing quote")
	}
	c := r.data[r.pos]
	r.pos++
	switch c {
	case '"', '\\', '/':
		return append(dst, c), nil
	case 'b':
		return append(dst, '\b'), nil
	case 'f':
		return append(dst, '\f'), nil
	case 'n':
		return append(dst, '\n'), nil
	case 'r':
		return append(dst, '\r'), nil
	case 't':
		return append(dst, '\t'), nil
	case 'u':
	default:
		return dst, r.errorf("unknown escape \\%c", c)
	}
	char, err := r.hex4()
	if err != nil {
		return dst, err
	}
	if utf16.IsSurrogate(char) {
		low := rune(-1)
		if r.pos+1 < len(r.data) && r.data[r.pos] == '\\' && r.data[r.pos+1] == 'u' {
			r.pos += 2
			if low, err = r.hex4(); err != nil {
				return dst, err
			}
		}
		if char = utf16.DecodeRune(char, low); char == utf8.RuneError {
			return dst, r.errorf("half of a surrogate pair in a string")
		}
	}
	return utf8.AppendRune(dst, char), nil
}

func (r *Reader) hex4() (rune, error) {
	if r.pos+4 > len(r.data) {
		return 0, r.errorf("a string without its closing quote")
	}
	v, err := strconv.ParseUint(string(r.data[r.pos:r.pos+4]), 16, 16)
	if err != nil {
		return 0, r.errorf("%q is not four hexadecimal digits", r.data[r.pos:r.pos+4])
	}
	r.pos += 4
	return rune(v), nil
}

// Value skips the next value and returns its text and the offset where it
// stands in the file. It checks only what finding the end takes: brackets
// match and strings end.
func (r *Reader) Value() (text []byte, offset int, err error) {
	r.Peek()
	start := r.pos
	var open []byte
	for {
		c := r.Peek()
		switch {
		case r.pos >= len(r.data):
			return nil, 0, r.errorf("the text ends within a value")
		case c == '"':
			if err := r.skipString(); err != nil {
				return nil, 0, err
			}
		case c == '{' || c == '[':
			if len(open) == maxDepth {
				return nil, 0, r.errorf("values nested more than %d deep", maxDepth)
			}
			open = append(open, c+2) // the closing bracket: {} and [] are two apart
			r.pos++
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, 0, r.errorf("%q without its opening bracket", c)
			}
			open = open[:len(open)-1]
			r.pos++
		case (c == ',' || c == ':') && len(open) > 0:
			r.pos++
			continue
		default:
			if !r.skipScalar() {
				return nil, 0, r.errorf("%q where a value is expected", c)
			}
		}
		if len(open) == 0 {
			return r.data[start:r.pos], r.base + start, nil
		}
	}
}

func (r *Reader) skipString() error {
	for r.pos++; r.pos < len(r.data); r.pos++ {
		switch r.data[r.pos] {
		case '"':
			r.pos++
			return nil
		case '\\':
			r.pos++
		}
	}
	return r.errorf("a string without its closing quote")
}

// skipScalar skips a number or a name; it reports whether one stood there.
func (r *Reader) skipScalar() bool {
	start := r.pos
	for ; r.pos < len(r.data); r.pos++ {
		switch c := r.data[r.pos]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '+', c == '.':
		default:
			return r.pos > start
		}
	}
	return r.pos > start
}
