package config_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/config"
)

type target struct {
	Name   string            `config:"name"`
	Small  int8              `config:"small"`
	Count  uint              `config:"count"`
	Rate   float64           `config:"rate"`
	Single float32           `config:"single"`
	On     bool              `config:"on"`
	Tags   []string          `config:"tags"`
	Sizes  []int             `config:"sizes"`
	Labels map[string]int    `config:"labels"`
	Limit  *int              `config:"limit"`
	Any    any               `config:"any"`
	Nested map[string][]int8 `config:"nested"`
}

func TestDecode(t *testing.T) {
	limit := 3
	tests := []struct {
		name   string
		values map[string]any
		want   target
	}{
		{"nothing keeps what was there", nil, target{Name: "default", Tags: []string{"a", "b"}}},
		{"a list replaces the default", map[string]any{"tags": []any{"c"}}, target{Name: "default", Tags: []string{"c"}}},
		{"an empty list replaces the default", map[string]any{"tags": []any{}}, target{Name: "default", Tags: []string{}}},
		{
			"numbers as JSON has them",
			map[string]any{"small": -128.0, "count": 7.0, "rate": 2e-4, "single": 0.5, "limit": 3.0, "sizes": []any{1.0, 2.0}},
			target{
				Name: "default", Tags: []string{"a", "b"}, Small: -128, Count: 7, Rate: 2e-4, Single: 0.5, Limit: &limit,
				Sizes: []int{1, 2},
			},
		},
		{
			"numbers as the host has them",
			map[string]any{"small": int64(127), "rate": int64(2), "labels": map[string]any{"x": int64(1)}},
			target{Name: "default", Tags: []string{"a", "b"}, Small: 127, Rate: 2, Labels: map[string]int{"x": 1}},
		},
		{
			"either kind",
			map[string]any{"any": "all", "on": true, "nested": map[string]any{"a": []any{1.0}}},
			target{Name: "default", Tags: []string{"a", "b"}, Any: "all", On: true, Nested: map[string][]int8{"a": {1}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := target{Name: "default", Tags: []string{"a", "b"}}
			if err := config.Decode(tt.values, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name    string
		values  map[string]any
		path    []string
		summary string
	}{
		{"a fraction for a whole number", map[string]any{"small": 8.5}, []string{"small"}, "8.5 is no whole number that fits int8"},
		{"300 for an int8", map[string]any{"small": 300.0}, []string{"small"}, "300 is no whole number that fits int8"},
		{"below zero for a uint", map[string]any{"count": -1.0}, []string{"count"}, "-1 is no whole number that fits uint"},
		{"beyond what a float64 holds exactly", map[string]any{"count": 1e16}, []string{"count"}, "1e+16 is no whole number that fits uint"},
		{"infinity", map[string]any{"count": math.Inf(1)}, []string{"count"}, "+Inf is no whole number that fits uint"},
		{"not a number", map[string]any{"small": math.NaN()}, []string{"small"}, "NaN is no whole number that fits int8"},
		{"too large for a float32", map[string]any{"single": 1e300}, []string{"single"}, "1e+300 does not fit float32"},
		{"a fraction in a list", map[string]any{"sizes": []any{1.0, 2.5}}, []string{"sizes", "1"}, "2.5 is no whole number that fits int"},
		{"a fraction in a map", map[string]any{"labels": map[string]any{"x": 2.5}}, []string{"labels", "x"}, "2.5 is no whole number that fits int"},
		{"300 deep inside", map[string]any{"nested": map[string]any{"a": []any{1.0, 300.0}}}, []string{"nested", "a", "1"}, "300 is no whole number that fits int8"},
		{"a fraction behind a pointer", map[string]any{"limit": 2.5}, []string{"limit"}, "2.5 is no whole number that fits int"},
		{"an unknown key", map[string]any{"title": "x"}, []string{"title"}, "unknown attribute"},
		{"a number for a string", map[string]any{"name": 5.0}, []string{"name"}, "expected type 'string'"},
		{"a string for a number", map[string]any{"small": "hush"}, []string{"small"}, "expected type 'int8'"},
		{"a string for a bool", map[string]any{"on": "hush"}, []string{"on"}, "expected type 'bool'"},
		{"a number in a list of strings", map[string]any{"tags": []any{"a", 5.0}}, []string{"tags", "1"}, "expected type 'string'"},
		{"a string for a list", map[string]any{"tags": "hush"}, []string{"tags"}, "source data must be an array or slice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got target
			err := config.Decode(tt.values, &got)
			var diags config.Diagnostics
			if !errors.As(err, &diags) || len(diags) != 1 || !diags.HasErrors() {
				t.Fatalf("got %v, want one diagnostic", err)
			}
			if !reflect.DeepEqual(diags[0].Path, tt.path) || !strings.Contains(diags[0].Summary, tt.summary) {
				t.Errorf("got %q at %q, want %q at %q", diags[0].Summary, diags[0].Path, tt.summary, tt.path)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error repeats the value: %v", err)
			}
		})
	}
}

func TestDecodeReportsAll(t *testing.T) {
	var got target
	err := config.Decode(map[string]any{"a": 1, "b": 2, "small": 1.5, "name": true}, &got)
	var diags config.Diagnostics
	if !errors.As(err, &diags) || len(diags) != 4 {
		t.Fatalf("got %v, want four diagnostics", err)
	}
}

func TestDiagnostics(t *testing.T) {
	warning := config.Diagnostics{{Warning: true, Summary: "slow"}}
	if warning.Err() != nil || warning.HasErrors() || config.Diagnostics(nil).Err() != nil {
		t.Error("a warning is taken for an error")
	}
	both := append(warning, config.Diagnostic{Path: []string{"tags", "0"}, Summary: "too long", Detail: "cut it"})
	if got, want := both.Err().Error(), "slow\ntags.0: too long (cut it)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := config.Errorf([]string{"a"}, "%d is odd", 3); got.Error() != "a: 3 is odd" || !got.HasErrors() {
		t.Errorf("got %v", got)
	}
}
