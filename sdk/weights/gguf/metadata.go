package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrNoKey is in the error of an accessor whose key the file lacks.
var ErrNoKey = errors.New("there is no such key")

// value is a key's value, not yet decoded.
type value struct {
	kind    ValueType
	element ValueType // of an array
	length  int       // of an array
	raw     []byte    // part of the mapping; a string's without its length
}

// describe is the value's type for messages.
func (v value) describe() string {
	if v.kind == Array {
		return fmt.Sprintf("ARRAY of %d %s", v.length, v.element)
	}
	return v.kind.String()
}

// Has reports whether the file has the key.
func (f *File) Has(key string) bool {
	_, ok := f.values[key]
	return ok
}

// Type returns the type of a key's value; for an array that of its elements too,
// and their number. ok is false where the file lacks the key.
func (f *File) Type(key string) (t, element ValueType, length int, ok bool) {
	v, ok := f.values[key]
	return v.kind, v.element, v.length, ok
}

// Value returns a key's value in the Go type of its own type: uint8, int8, …,
// float64, bool, string, or a slice of one of these.
func (f *File) Value(key string) (any, error) {
	return get(f, key, "", func(v value) (any, bool) {
		if v.kind == Array {
			return v.elements()
		}
		return scalar(v.kind, v.raw), true
	})
}

// Uint returns a value of any integer type that is not negative.
func (f *File) Uint(key string) (uint64, error) {
	return get(f, key, "an integer that is not negative", func(v value) (uint64, bool) {
		if n, ok := unsigned(v.kind, v.raw); ok {
			return n, true
		}
		n, ok := signed(v.kind, v.raw)
		return uint64(n), ok && n >= 0
	})
}

// Int returns a value of any integer type that fits an int64.
func (f *File) Int(key string) (int64, error) {
	return get(f, key, "an integer of 64 bits with a sign", func(v value) (int64, bool) {
		if n, ok := signed(v.kind, v.raw); ok {
			return n, true
		}
		n, ok := unsigned(v.kind, v.raw)
		return int64(n), ok && n <= math.MaxInt64
	})
}

// Float returns a value of FLOAT32 or FLOAT64.
func (f *File) Float(key string) (float64, error) {
	return get(f, key, "a float", func(v value) (float64, bool) { return float(v.kind, v.raw) })
}

// Bool returns a value of BOOL.
func (f *File) Bool(key string) (bool, error) {
	return get(f, key, "a BOOL", func(v value) (bool, bool) {
		return v.kind == Bool && v.raw[0] != 0, v.kind == Bool
	})
}

// String returns a value of STRING. It need not be valid UTF-8.
func (f *File) String(key string) (string, error) {
	return get(f, key, "a STRING", func(v value) (string, bool) {
		if v.kind != String {
			return "", false
		}
		return string(v.raw), true
	})
}

// Ints returns an array of any integer type whose elements all fit an int64.
func (f *File) Ints(key string) ([]int64, error) {
	return list(f, key, "an ARRAY of integers of 64 bits with a sign", func(t ValueType, raw []byte) (int64, bool) {
		if n, ok := signed(t, raw); ok {
			return n, true
		}
		n, ok := unsigned(t, raw)
		return int64(n), ok && n <= math.MaxInt64
	})
}

// Floats returns an array of FLOAT32 or FLOAT64.
func (f *File) Floats(key string) ([]float64, error) {
	return list(f, key, "an ARRAY of floats", float)
}

// Bools returns an array of BOOL.
func (f *File) Bools(key string) ([]bool, error) {
	return list(f, key, "an ARRAY of BOOL", func(t ValueType, raw []byte) (bool, bool) {
		return t == Bool && raw[0] != 0, t == Bool
	})
}

// Strings returns an array of STRING. They need not be valid UTF-8.
func (f *File) Strings(key string) ([]string, error) {
	return get(f, key, "an ARRAY of STRING", func(v value) ([]string, bool) {
		if v.kind != Array || v.element != String {
			return nil, false
		}
		return v.strings()
	})
}

// Or is what read gives for key, or otherwise where the file lacks the key:
//
//	base, err := gguf.Or(f.Float, "llama.rope.freq_base", 10000)
func Or[T any](read func(key string) (T, error), key string, otherwise T) (T, error) {
	v, err := read(key)
	if errors.Is(err, ErrNoKey) {
		return otherwise, nil
	}
	return v, err
}

// get looks key up and decodes it; decode says whether the value is of the kind
// that want names.
func get[T any](f *File, key, want string, decode func(value) (T, bool)) (T, error) {
	var result T
	v, ok := f.values[key]
	if !ok {
		return result, fmt.Errorf("%s: key %q: %w", f.Path(), key, ErrNoKey)
	}
	err := f.content.Guard(func() error {
		if result, ok = decode(v); !ok {
			return fmt.Errorf("%s: key %q: the file has %s%s, %s is wanted", f.Path(), key, v.describe(), v.number(), want)
		}
		return nil
	})
	return result, err
}

// list is get for arrays whose elements have a fixed size.
func list[T any](f *File, key, want string, decode func(ValueType, []byte) (T, bool)) ([]T, error) {
	return get(f, key, want, func(v value) ([]T, bool) {
		size := v.element.size()
		if v.kind != Array || size == 0 {
			return nil, false
		}
		// An empty array tells nothing but its type.
		if _, ok := decode(v.element, make([]byte, size)); !ok {
			return nil, false
		}
		result := make([]T, v.length)
		for i := range result {
			var ok bool
			if result[i], ok = decode(v.element, v.raw[i*size:]); !ok {
				return nil, false
			}
		}
		return result, true
	})
}

// number is " (−3)" for an integer: it may be of the right type and yet wrong.
func (v value) number() string {
	if n, ok := signed(v.kind, v.raw); ok {
		return fmt.Sprintf(" (%d)", n)
	}
	if n, ok := unsigned(v.kind, v.raw); ok {
		return fmt.Sprintf(" (%d)", n)
	}
	return ""
}

// unsigned, signed and float decode a number of type t that raw begins with.
// They report whether t is such a type.

func unsigned(t ValueType, raw []byte) (uint64, bool) {
	switch t {
	case Uint8:
		return uint64(raw[0]), true
	case Uint16:
		return uint64(binary.LittleEndian.Uint16(raw)), true
	case Uint32:
		return uint64(binary.LittleEndian.Uint32(raw)), true
	case Uint64:
		return binary.LittleEndian.Uint64(raw), true
	default:
		return 0, false
	}
}

func signed(t ValueType, raw []byte) (int64, bool) {
	switch t {
	case Int8:
		return int64(int8(raw[0])), true
	case Int16:
		return int64(int16(binary.LittleEndian.Uint16(raw))), true
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(raw))), true
	case Int64:
		return int64(binary.LittleEndian.Uint64(raw)), true
	default:
		return 0, false
	}
}

func float(t ValueType, raw []byte) (float64, bool) {
	switch t {
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))), true
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw)), true
	default:
		return 0, false
	}
}

// scalar decodes a value of type t, no array, that raw begins with; a string is
// all of raw.
func scalar(t ValueType, raw []byte) any {
	switch t {
	case Uint8:
		return raw[0]
	case Int8:
		return int8(raw[0])
	case Uint16:
		return binary.LittleEndian.Uint16(raw)
	case Int16:
		return int16(binary.LittleEndian.Uint16(raw))
	case Uint32:
		return binary.LittleEndian.Uint32(raw)
	case Int32:
		return int32(binary.LittleEndian.Uint32(raw))
	case Uint64:
		return binary.LittleEndian.Uint64(raw)
	case Int64:
		return int64(binary.LittleEndian.Uint64(raw))
	case Float32:
		return math.Float32frombits(binary.LittleEndian.Uint32(raw))
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw))
	case Bool:
		return raw[0] != 0
	default: // String: value refuses all others
		return string(raw)
	}
}

// elements decodes an array into a slice of its own type.
func (v value) elements() (any, bool) {
	switch v.element {
	case Uint8:
		return slice[uint8](v), true
	case Int8:
		return slice[int8](v), true
	case Uint16:
		return slice[uint16](v), true
	case Int16:
		return slice[int16](v), true
	case Uint32:
		return slice[uint32](v), true
	case Int32:
		return slice[int32](v), true
	case Uint64:
		return slice[uint64](v), true
	case Int64:
		return slice[int64](v), true
	case Float32:
		return slice[float32](v), true
	case Float64:
		return slice[float64](v), true
	case Bool:
		return slice[bool](v), true
	default: // String: value refuses all others
		return v.strings()
	}
}

func slice[T any](v value) []T {
	result := make([]T, v.length)
	size := v.element.size()
	for i := range result {
		result[i], _ = scalar(v.element, v.raw[i*size:]).(T)
	}
	return result
}

// strings decodes an array of strings. They share one copy of the array's bytes.
// It fails where a length is not what it was when the file was opened.
func (v value) strings() ([]string, bool) {
	all := string(v.raw)
	result := make([]string, v.length)
	at := 0
	for i := range result {
		if len(all)-at < 8 {
			return nil, false
		}
		n := binary.LittleEndian.Uint64([]byte(all[at : at+8]))
		at += 8
		if n > uint64(len(all)-at) {
			return nil, false
		}
		result[i] = all[at : at+int(n)]
		at += int(n)
	}
	return result, true
}
