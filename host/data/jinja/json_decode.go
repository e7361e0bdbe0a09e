package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
)

// maxJSONDepth is how deep the JSON given to ParseJSON may nest.
const maxJSONDepth = 200

// ParseJSON is a JSON text as a value. Objects keep the order of their keys; of a
// key that stands twice the last value counts, in the place of the first. Integers
// are kept exactly; a number with a point or an exponent is a float. What cannot
// be read is an error with its byte offset.
func ParseJSON(data []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decodeJSON(d, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("JSON at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("JSON at byte %d: more text after the value", d.InputOffset())
	}
	return v, nil
}

func decodeJSON(d *json.Decoder, depth int) (Value, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return text(t), nil
	case bool:
		return Bool(t), nil
	case nil:
		return None{}, nil
	case json.Number:
		return decodeNumber(string(t))
	case json.Delim:
		if depth == maxJSONDepth {
			return nil, fmt.Errorf("nested more than %d levels deep", maxJSONDepth)
		}
		if t == '[' {
			return decodeList(d, depth+1)
		}
		return decodeObject(d, depth+1)
	}
	return nil, fmt.Errorf("unexpected %v", t)
}

func decodeList(d *json.Decoder, depth int) (Value, error) {
	out := NewList()
	for d.More() {
		v, err := decodeJSON(d, depth)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, v)
	}
	_, err := d.Token()
	return out, err
}

func decodeObject(d *json.Decoder, depth int) (Value, error) {
	out := NewDict()
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("expected a key, found %v", t)
		}
		v, err := decodeJSON(d, depth)
		if err != nil {
			return nil, err
		}
		out.Set(key, v)
	}
	_, err := d.Token()
	return out, err
}

func decodeNumber(s string) (Value, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, err
		}
		return Float(f), nil
	}
	if len(s) > maxDigits {
		return nil, fmt.Errorf("a number has more than %d digits", maxDigits)
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, fmt.Errorf("the number %s cannot be read", s)
	}
	return integer(n), nil
}

// FormatJSON is v as JSON on one line, as the tojson filter writes it.
func FormatJSON(v Value) (string, error) {
	rt := &renderer{budget: unbounded()}
	return rt.json(v, jsonLayout{item: ", ", key: ": "})
}
