package jinja

import (
	"math"
	"strconv"
	"strings"
)

// A Dict is a dict: it keeps the order in which keys were first set.
type Dict struct {
	entries []entry
	index   map[any]int // by hash key; nil while there are few entries
}

type entry struct {
	key   Value
	hash  any
	value Value
}

// indexFrom is the number of entries from which a dict has an index.
const indexFrom = 9

// NewDict is an empty dict.
func NewDict() *Dict { return &Dict{} }

// Len is the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// Set sets the value of a string key.
func (d *Dict) Set(key string, value Value) { d.put(text(key), key, value) }

// Get is the value of a string key.
func (d *Dict) Get(key string) (Value, bool) { return d.find(key) }

// Delete removes a string key, if it is there.
func (d *Dict) Delete(key string) {
	i := d.position(key)
	if i < 0 {
		return
	}
	d.entries = append(d.entries[:i:i], d.entries[i+1:]...)
	d.index = nil
	d.reindex()
}

// Clone is a copy with the same keys and values.
func (d *Dict) Clone() *Dict {
	out := &Dict{entries: append([]entry(nil), d.entries...)}
	out.reindex()
	return out
}

// All calls yield with each key and value in order; keys that are no strings are
// left out.
func (d *Dict) All(yield func(key string, value Value) bool) {
	for _, e := range d.entries {
		if key, ok := e.key.(String); ok && !yield(key.Text, e.value) {
			return
		}
	}
}

func (d *Dict) reindex() {
	if len(d.entries) < indexFrom {
		return
	}
	d.index = make(map[any]int, len(d.entries))
	for i, e := range d.entries {
		d.index[e.hash] = i
	}
}

func (d *Dict) position(hash any) int {
	if d.index != nil {
		if i, ok := d.index[hash]; ok {
			return i
		}
		return -1
	}
	for i := range d.entries {
		if d.entries[i].hash == hash {
			return i
		}
	}
	return -1
}

func (d *Dict) find(hash any) (Value, bool) {
	if i := d.position(hash); i >= 0 {
		return d.entries[i].value, true
	}
	return nil, false
}

func (d *Dict) put(key Value, hash any, value Value) {
	if i := d.position(hash); i >= 0 {
		d.entries[i].value = value
		return
	}
	d.entries = append(d.entries, entry{key, hash, value})
	switch {
	case d.index != nil:
		d.index[hash] = len(d.entries) - 1
	case len(d.entries) >= indexFrom:
		d.reindex()
	}
}

// lookup is the value of a key of any kind.
func (d *Dict) lookup(key Value) (Value, bool, error) {
	hash, err := hashOf(key)
	if err != nil {
		return nil, false, err
	}
	v, ok := d.find(hash)
	return v, ok, nil
}

// store sets the value of a key of any kind.
func (d *Dict) store(key, value Value) error {
	hash, err := hashOf(key)
	if err == nil {
		d.put(key, hash, value)
	}
	return err
}

// Hash keys of values that are neither strings nor numbers.
type (
	noneHash      struct{}
	undefinedHash struct{}
	bigHash       string
	tupleHash     string
	rangeHash     struct{ start, step, length int64 }
)

// hashOf is a Go value that is equal for equal values: numbers of all kinds that
// are the same number are one key.
func hashOf(v Value) (any, error) {
	switch v := v.(type) {
	case String:
		return v.Text, nil
	case Int:
		return int64(v), nil
	case Bool:
		n, _ := asInt(v)
		return n, nil
	case Float:
		f := float64(v)
		if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
			return int64(f), nil
		}
		return f, nil
	case bigInt:
		return bigHash(v.value.String()), nil
	case None:
		return noneHash{}, nil
	case *undefined:
		return undefinedHash{}, nil
	case *rangeValue:
		return rangeHash{v.start, v.step, int64(v.length)}, nil
	case *Tuple:
		return hashOfTuple(v, 0)
	case *List, *Dict, *viewValue:
		return nil, failf("unhashable type: '%s'", v.typeName())
	}
	return v, nil // a pointer: equal to itself alone
}

// maxTupleDepth bounds tuples as keys of dicts.
const maxTupleDepth = 20

func hashOfTuple(t *Tuple, depth int) (any, error) {
	if depth > maxTupleDepth || len(t.items) > 1000 {
		return nil, limitf("a tuple is too large to be a key")
	}
	var out strings.Builder
	for _, item := range t.items {
		var hash any
		var err error
		if inner, ok := item.(*Tuple); ok {
			hash, err = hashOfTuple(inner, depth+1)
		} else {
			hash, err = hashOf(item)
		}
		if err != nil {
			return nil, err
		}
		switch hash := hash.(type) {
		case string:
			out.WriteString("s" + strconv.Itoa(len(hash)) + ":" + hash)
		case int64:
			out.WriteString("i" + strconv.FormatInt(hash, 10) + ";")
		case float64:
			out.WriteString("f" + strconv.FormatFloat(hash, 'g', -1, 64) + ";")
		case bigHash:
			out.WriteString("b" + string(hash) + ";")
		case tupleHash:
			out.WriteString("t" + strconv.Itoa(len(hash)) + ":" + string(hash))
		case noneHash:
			out.WriteString("n")
		case undefinedHash:
			out.WriteString("u")
		default:
			return nil, unsupportedf("a tuple that holds a %s cannot be a key here", item.typeName())
		}
		if out.Len() > 1<<20 {
			return nil, limitf("a tuple is too large to be a key")
		}
	}
	return tupleHash(out.String()), nil
}
