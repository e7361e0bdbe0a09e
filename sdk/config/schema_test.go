package config_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/config"
)

func TestSchemaValidate(t *testing.T) {
	attribute := func(change func(*config.Attribute)) config.Schema {
		a := config.Attribute{Name: "level", Type: config.Of(config.Int), Doc: "How much."}
		change(&a)
		return config.Schema{Attributes: []config.Attribute{a}}
	}
	deep := config.Of(config.Int)
	for range 20 {
		inner := deep
		deep = config.Type{Kind: config.List, Elem: &inner}
	}
	tests := []struct {
		name   string
		schema config.Schema
		want   string // "": valid
	}{
		{"a plain one", attribute(func(*config.Attribute) {}), ""},
		{"nothing", config.Schema{}, ""},
		{"a default", attribute(func(a *config.Attribute) { a.Default = 3 }), ""},
		{"a list's default", attribute(func(a *config.Attribute) { a.Type, a.Default = config.ListOf(config.Int), []any{1.0} }), ""},
		{"choices", attribute(func(a *config.Attribute) { a.Type, a.OneOf = config.Of(config.String), []string{"a"} }), ""},
		{"no name", attribute(func(a *config.Attribute) { a.Name = "" }), "not an identifier"},
		{"a name that HCL refuses", attribute(func(a *config.Attribute) { a.Name = "log-dir" }), "not an identifier"},
		{"a digit first", attribute(func(a *config.Attribute) { a.Name = "2nd" }), "not an identifier"},
		{"no documentation", attribute(func(a *config.Attribute) { a.Doc = "" }), "no documentation"},
		{"required with a default", attribute(func(a *config.Attribute) { a.Required, a.Default = true, 1 }), "required and has a default"},
		{"a default of another type", attribute(func(a *config.Attribute) { a.Default = "x" }), "its default: a value of type string is no whole number"},
		{"a fraction as default", attribute(func(a *config.Attribute) { a.Default = 1.5 }), "is no whole number"},
		{"a default beyond the choices", attribute(func(a *config.Attribute) {
			a.Type, a.OneOf, a.Default = config.Of(config.String), []string{"a"}, "b"
		}), `"b" is none of ["a"]`},
		{"choices of numbers", attribute(func(a *config.Attribute) { a.OneOf = []string{"a"} }), "one_of lists strings"},
		{"a path", attribute(func(a *config.Attribute) { a.Type, a.Path = config.ListOf(config.String), true }), ""},
		{"a number as path", attribute(func(a *config.Attribute) { a.Path = true }), "a path is a string"},
		{"an unknown kind", attribute(func(a *config.Attribute) { a.Type.Kind = "date" }), `unknown kind "date"`},
		{"a list of nothing", attribute(func(a *config.Attribute) { a.Type.Kind = config.List }), "without a type of elements"},
		{"a number of something", attribute(func(a *config.Attribute) { a.Type.Elem = &config.Type{Kind: config.Int} }), "has no elements"},
		{"bottomless lists", attribute(func(a *config.Attribute) { a.Type = deep }), "nest more than"},
		{"twice", config.Schema{Attributes: append(attribute(func(*config.Attribute) {}).Attributes, attribute(func(*config.Attribute) {}).Attributes...)}, "stands twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.schema.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	modes := config.Attribute{Name: "modes", Type: config.ListOf(config.String), OneOf: []string{"a", "b"}}
	tests := []struct {
		name      string
		attribute config.Attribute
		value     any
		ok        bool
	}{
		{"string", config.Attribute{Type: config.Of(config.String)}, "x", true},
		{"number for a string", config.Attribute{Type: config.Of(config.String)}, 1.0, false},
		{"number", config.Attribute{Type: config.Of(config.Number)}, 1.5, true},
		{"int64 for a number", config.Attribute{Type: config.Of(config.Number)}, int64(1), true},
		{"string for a number", config.Attribute{Type: config.Of(config.Number)}, "1", false},
		{"whole", config.Attribute{Type: config.Of(config.Int)}, 3.0, true},
		{"fraction", config.Attribute{Type: config.Of(config.Int)}, 3.5, false},
		{"whole but inexact", config.Attribute{Type: config.Of(config.Int)}, 1e300, false},
		{"bool", config.Attribute{Type: config.Of(config.Bool)}, true, true},
		{"string for a bool", config.Attribute{Type: config.Of(config.Bool)}, "true", false},
		{"either: string", config.Attribute{Type: config.Of(config.StringOrNumber)}, "all", true},
		{"either: number", config.Attribute{Type: config.Of(config.StringOrNumber)}, 2.0, true},
		{"either: bool", config.Attribute{Type: config.Of(config.StringOrNumber)}, true, false},
		{"choices in a list", modes, []any{"a", "b"}, true},
		{"another in a list", modes, []any{"a", "c"}, false},
		{"map", config.Attribute{Type: config.MapOf(config.Int)}, map[string]any{"a": 1.0}, true},
		{"map of another type", config.Attribute{Type: config.MapOf(config.Int)}, map[string]any{"a": "b"}, false},
		{"null", config.Attribute{Type: config.Of(config.String)}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.attribute.Check(tt.value); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTypeString(t *testing.T) {
	if got, want := config.ListOf(config.Int).String(), "list of whole numbers"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseSchema(t *testing.T) {
	schema := config.Schema{Attributes: []config.Attribute{
		{Name: "threads", Type: config.Of(config.Int), Doc: "Threads; 0: one for each core.", Default: 0.0},
		{Name: "tags", Type: config.ListOf(config.String), Doc: "Tags.", OneOf: []string{"a"}},
		{Name: "key", Type: config.Of(config.String), Doc: "Key.", Sensitive: true, Required: true},
	}}
	data, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.ParseSchema(data)
	if err != nil || !reflect.DeepEqual(got, schema) {
		t.Errorf("got %+v, %v", got, err)
	}
	if a := got.Attribute("key"); a == nil || !a.Sensitive || got.Attribute("nokey") != nil {
		t.Error("Attribute finds the wrong one")
	}
	if got, err := config.ParseSchema(nil); err != nil || len(got.Attributes) != 0 {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	for _, bad := range []string{"{", `{"attributes":[{"name":"a","type":{"kind":"int"}}]}`, "[]"} {
		if _, err := config.ParseSchema([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "schema: ") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"attributes":[{"name":"a","doc":"d","type":{"kind":"list","elem":{"kind":"int"}},"default":[1]}]}`))
	f.Add([]byte(`{"attributes":[{"name":"a","doc":"d","type":{"kind":"int"},"default":1e999}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		schema, err := config.ParseSchema(data)
		if err != nil {
			return
		}
		if err := schema.Validate(); err != nil {
			t.Errorf("parsed, but not valid: %v", err)
		}
		for _, a := range schema.Attributes {
			if a.Default != nil && a.Check(a.Default) != nil {
				t.Errorf("%s: its default is no value of it", a.Name)
			}
		}
	})
}
