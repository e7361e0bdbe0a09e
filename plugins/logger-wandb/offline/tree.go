package offline

import (
	"maps"
	"slices"
	"strings"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
)

// A tree is nested objects; its leaves are values.
type tree map[string]any

// set puts a value under a path and reports whether there was room: a value on
// the way leaves none.
func (t tree) set(path []string, value any) bool {
	if len(path) == 0 {
		return false
	}
	for _, key := range path[:len(path)-1] {
		if t[key] == nil {
			t[key] = tree{}
		}
		below, ok := t[key].(tree)
		if !ok {
			return false
		}
		t = below
	}
	last := path[len(path)-1]
	if _, object := t[last].(tree); object {
		return false
	}
	t[last] = value
	return true
}

func (t tree) keys() []string { return slices.Sorted(maps.Keys(t)) }

// nested are settings by dotted name as nested objects, as W&B's pages show them:
// adapter.rank becomes rank in adapter. A name that is another's beginning leaves
// no room for that one, which stays as it is.
func nested(flat map[string]any) tree {
	t := tree{}
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		if !t.set(strings.Split(name, "."), flat[name]) {
			t[name] = flat[name]
		}
	}
	return t
}

// plain is the tree as values that datastore.JSON takes.
func (t tree) plain() map[string]any {
	out := make(map[string]any, len(t))
	for key, value := range t {
		if below, ok := value.(tree); ok {
			value = below.plain()
		}
		out[key] = value
	}
	return out
}

// items are the tree's topmost keys with their values in JSON. A value that JSON
// does not have is written as null.
func (t tree) items() []datastore.Item {
	var list []datastore.Item
	plain := t.plain()
	for _, key := range t.keys() {
		value, err := datastore.JSON(plain[key])
		if err != nil {
			value = "null"
		}
		list = append(list, datastore.Item{Key: []string{key}, Value: value})
	}
	return list
}

// raw is a value that is JSON already.
type raw string

// json is the tree, whose leaves are all raw, as JSON.
func (t tree) json() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, key := range t.keys() {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := datastore.JSON(key) // never fails for a string
		b.WriteString(name)
		b.WriteByte(':')
		switch value := t[key].(type) {
		case tree:
			b.WriteString(value.json())
		case raw:
			b.WriteString(string(value))
		default:
			b.WriteString("null")
		}
	}
	b.WriteByte('}')
	return b.String()
}
