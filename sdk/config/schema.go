// Package config is how a plugin says what its block in a run file may hold,
// and how it reads what the user wrote there.
//
// A plugin declares a [Schema]. The host decodes the user's HCL block against
// it, so that an unknown or ill-typed attribute is a diagnostic at its own line
// before the plugin starts. The plugin receives the values as a
// map[string]any, decodes them with [Decode] and answers [Diagnostics] for
// whatever only it can judge; the host turns their attribute paths back into
// file and line.
package config

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Kind is the kind of a value.
type Kind string

// The kinds of values that an attribute can have.
const (
	String Kind = "string"
	Number Kind = "number" // any number, a float64 in the decoded values
	Int    Kind = "int"    // a whole number; 8.5 is refused at its line
	Bool   Kind = "bool"
	List   Kind = "list" // of Elem
	Map    Kind = "map"  // from string to Elem
	// StringOrNumber takes either, as in gpus = "all" and gpus = 1.
	StringOrNumber Kind = "string_or_number"
)

// Type is the type of an attribute: a kind and, for lists and maps, the type of
// the elements.
type Type struct {
	Kind Kind  `json:"kind"`
	Elem *Type `json:"elem,omitempty"`
}

// ListOf is the type of lists whose elements are of kind k.
func ListOf(k Kind) Type { return Type{Kind: List, Elem: &Type{Kind: k}} }

// MapOf is the type of maps whose elements are of kind k.
func MapOf(k Kind) Type { return Type{Kind: Map, Elem: &Type{Kind: k}} }

// Of is the type of plain values of kind k.
func Of(k Kind) Type { return Type{Kind: k} }

// An Attribute is one setting of a plugin's block.
type Attribute struct {
	Name      string   `json:"name"`
	Type      Type     `json:"type"`
	Doc       string   `json:"doc"`                 // one sentence: what it does, and the unit
	Required  bool     `json:"required,omitempty"`  // an absent one is an error at the block's line
	Default   any      `json:"default,omitempty"`   // taken where absent; documentation as well
	OneOf     []string `json:"one_of,omitempty"`    // the values a string, or each of a list of strings, may have; empty: any
	Sensitive bool     `json:"sensitive,omitempty"` // never written to run.json or a log
	// Path says that a string, or each of a list of strings, is a path of a file or
	// folder. The host makes it absolute: relative ones start at the run file's
	// folder, whatever folder hone or the plugin runs in.
	Path bool `json:"path,omitempty"`
}

// A Schema is what a plugin's block may hold.
type Schema struct {
	Attributes []Attribute `json:"attributes"`
}

// Attribute is the attribute called name, or nil.
func (s Schema) Attribute(name string) *Attribute {
	for i := range s.Attributes {
		if s.Attributes[i].Name == name {
			return &s.Attributes[i]
		}
	}
	return nil
}

// Defaults are the values of the attributes that have a default.
func (s Schema) Defaults() map[string]any {
	out := map[string]any{}
	for _, a := range s.Attributes {
		if a.Default != nil {
			out[a.Name] = a.Default
		}
	}
	return out
}

// Validate reports what is wrong with the schema itself: names that are empty,
// doubled or no HCL identifiers, unknown kinds, lists and maps without a type of
// elements, defaults of the wrong kind, OneOf or Path for what is no string,
// attributes without a Doc.
func (s Schema) Validate() error {
	seen := map[string]bool{}
	for _, a := range s.Attributes {
		switch {
		case !isIdentifier(a.Name):
			return fmt.Errorf("attribute %q: the name is not an identifier of lower-case letters, digits and underscores", a.Name)
		case seen[a.Name]:
			return fmt.Errorf("attribute %q stands twice", a.Name)
		case a.Doc == "":
			return fmt.Errorf("attribute %q has no documentation", a.Name)
		case a.Required && a.Default != nil:
			return fmt.Errorf("attribute %q is required and has a default", a.Name)
		case len(a.OneOf) > 0 && !a.Type.holdsStrings():
			return fmt.Errorf("attribute %q: one_of lists strings, its type is %s", a.Name, a.Type)
		case a.Path && !a.Type.holdsStrings():
			return fmt.Errorf("attribute %q: a path is a string, its type is %s", a.Name, a.Type)
		}
		seen[a.Name] = true
		if err := a.Type.validate(); err != nil {
			return fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		if a.Default != nil {
			if err := a.Check(a.Default); err != nil {
				return fmt.Errorf("attribute %q: its default: %w", a.Name, err)
			}
		}
	}
	return nil
}

func (t Type) holdsStrings() bool {
	if t.Kind == List && t.Elem != nil {
		t = *t.Elem
	}
	return t.Kind == String || t.Kind == StringOrNumber
}

// String is the type as documentation shows it: list of strings, whole number.
func (t Type) String() string { return t.text("") }

func (t Type) text(plural string) string {
	switch {
	case t.Elem != nil:
		return string(t.Kind) + plural + " of " + t.Elem.text("s")
	case t.Kind == Int:
		return "whole number" + plural
	case t.Kind == StringOrNumber:
		return "string" + plural + " or number" + plural
	}
	return string(t.Kind) + plural
}

// maxDepth bounds how deep lists and maps nest in a type.
const maxDepth = 8

func (t Type) validate() error { return t.validateAt(0) }

func (t Type) validateAt(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("lists and maps nest more than %d deep", maxDepth)
	}
	switch t.Kind {
	case String, Number, Int, Bool, StringOrNumber:
		if t.Elem != nil {
			return fmt.Errorf("a %s has no elements", t.Kind)
		}
		return nil
	case List, Map:
		if t.Elem == nil {
			return fmt.Errorf("a %s without a type of elements", t.Kind)
		}
		return t.Elem.validateAt(depth + 1)
	}
	return fmt.Errorf("unknown kind %q", t.Kind)
}

// Check reports whether v, as decoded from JSON, is a value of the attribute.
func (a Attribute) Check(v any) error {
	if err := a.Type.check(v); err != nil {
		return err
	}
	if len(a.OneOf) == 0 {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	for _, item := range items {
		if s, ok := item.(string); ok && !slices.Contains(a.OneOf, s) {
			return fmt.Errorf("%q is none of %q", s, a.OneOf)
		}
	}
	return nil
}

func (t Type) check(v any) error {
	switch t.Kind {
	case String:
		if _, ok := v.(string); ok {
			return nil
		}
	case Bool:
		if _, ok := v.(bool); ok {
			return nil
		}
	case Number, Int:
		f, ok := number(v)
		if ok && !math.IsNaN(f) && !math.IsInf(f, 0) && (t.Kind == Number || isWhole(f)) {
			return nil
		}
	case StringOrNumber:
		if _, ok := v.(string); ok {
			return nil
		}
		if _, ok := number(v); ok {
			return nil
		}
	case List:
		items, ok := v.([]any)
		if !ok {
			break
		}
		for i, item := range items {
			if err := t.Elem.check(item); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	case Map:
		items, ok := v.(map[string]any)
		if !ok {
			break
		}
		for key, item := range items {
			if err := t.Elem.check(item); err != nil {
				return fmt.Errorf("element %q: %w", key, err)
			}
		}
		return nil
	}
	return fmt.Errorf("a value of type %T is no %s", v, t)
}

// isWhole reports whether f is a whole number that a float64 holds exactly.
func isWhole(f float64) bool { return f == math.Trunc(f) && math.Abs(f) <= 1<<53 }

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r == '_'
		digit := r >= '0' && r <= '9'
		if !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}

// ParseSchema reads a schema from JSON, as it travels, and validates it. No
// bytes are a schema without attributes.
func ParseSchema(data []byte) (Schema, error) {
	var s Schema
	if len(data) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("schema: %w", err)
	}
	if err := s.Validate(); err != nil {
		return s, fmt.Errorf("schema: %w", err)
	}
	return s, nil
}
