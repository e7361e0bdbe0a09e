// Package strictjson reads JSON as the headers of weight files need it read:
// object members in order, duplicate keys refused, integers exact and
// non-negative. A caller walks the document with a [Reader]; nothing is kept but
// what it keeps itself.
//
// It is not for decoding into Go structs.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// A Reader walks a JSON document from front to back.
type Reader struct {
	decoder *json.Decoder
}

// NewReader reads data, which must be valid UTF-8.
func NewReader(data []byte) (*Reader, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return &Reader{decoder: d}, nil
}

// Object reads an object, calling member for each key: member must read the
// value. A key that repeats is an error.
func (r *Reader) Object(member func(key string) error) error {
	if err := r.delimiter('{', "an object"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.decoder.More() {
		token, err := r.token()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return r.unexpected(token, "a key")
		}
		if seen[key] {
			return fmt.Errorf("key %q stands twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return r.delimiter('}', "the end of an object")
}

// String reads a string.
func (r *Reader) String() (string, error) {
	token, err := r.token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", r.unexpected(token, "a string")
	}
	return s, nil
}

// Uints reads an array of integers that are not negative and fit an int.
func (r *Reader) Uints() ([]int, error) {
	if err := r.delimiter('[', "an array"); err != nil {
		return nil, err
	}
	numbers := []int{}
	for r.decoder.More() {
		token, err := r.token()
		if err != nil {
			return nil, err
		}
		number, ok := token.(json.Number)
		if !ok {
			return nil, r.unexpected(token, "a number")
		}
		n, err := strconv.ParseUint(number.String(), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%s is no integer from 0 to %d", number, uint64(1)<<(strconv.IntSize-1)-1)
		}
		numbers = append(numbers, int(n))
	}
	return numbers, r.delimiter(']', "the end of an array")
}

// Skip passes over a value of any kind.
func (r *Reader) Skip() error {
	var value json.RawMessage
	return noEOF(r.decoder.Decode(&value))
}

// End fails where anything but white space is left.
func (r *Reader) End() error {
	token, err := r.decoder.Token()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.unexpected(token, "nothing more")
}

func (r *Reader) delimiter(want json.Delim, what string) error {
	token, err := r.token()
	if err != nil {
		return err
	}
	if token != want {
		return r.unexpected(token, what)
	}
	return nil
}

func (r *Reader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	return token, noEOF(err)
}

func (r *Reader) unexpected(token json.Token, what string) error {
	kind := fmt.Sprintf("%v", token)
	switch token := token.(type) {
	case nil:
		kind = "null"
	case string:
		kind = fmt.Sprintf("the string %.40q", token)
	}
	return fmt.Errorf("at byte %d: %s where %s must stand", r.decoder.InputOffset(), kind, what)
}

// noEOF makes the end of the input, which no caller expects, say what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
