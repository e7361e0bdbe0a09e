// Package modeltest is what the tests of the model plugins share. A plugin's
// testdata holds small configurations, NAME.json, one for each of the forms that its
// architectures have, and beside each the Graph that it gives, NAME.graph.
package modeltest

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest"
)

var update = flag.Bool("update", false, "write the golden graphs anew")

// MaxLength is the longest document, in tokens, that Graphs are built for.
const MaxLength = 64

// Configurations are those of testdata, by the names of their files without .json.
func Configurations(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".json")] = data
	}
	if len(out) == 0 {
		t.Fatal("testdata has no configuration")
	}
	return out
}

// Change is a configuration with other keys; a nil value removes one.
func Change(t testing.TB, configuration []byte, keys map[string]any) []byte {
	t.Helper()
	var values map[string]any
	if err := json.Unmarshal(configuration, &values); err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, keys)
	maps.DeleteFunc(values, func(_ string, v any) bool { return v == nil })
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Graphs compares the Graph of each configuration with the one written out beside it.
func Graphs(t *testing.T, m model.Model) {
	t.Helper()
	for name, configuration := range Configurations(t) {
		t.Run(name, func(t *testing.T) {
			g, err := m.Build(t.Context(), &model.BuildRequest{Configuration: configuration, MaxLength: MaxLength})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".graph")
			if *update {
				if err := os.WriteFile(path, []byte(g.Text()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if g.Text() != string(want) {
				t.Errorf("the graph is not that of %s (-update writes it anew):\n%s", path, g.Text())
			}
		})
	}
}

// Conformance runs the conformance kit over the configurations.
func Conformance(t *testing.T, m model.Model) {
	t.Helper()
	var all [][]byte
	for _, configuration := range Configurations(t) {
		all = append(all, configuration)
	}
	plugintest.Model(t, func() model.Model { return m }, plugintest.ModelOptions{Configurations: all})
}

// A Mistake is a configuration of testdata with other keys, and the error that it
// gives.
type Mistake struct {
	Name          string
	Configuration string
	Keys          map[string]any
	Want          string
}

// Mistakes builds configurations that are wrong.
func Mistakes(t *testing.T, m model.Model, mistakes []Mistake) {
	t.Helper()
	configurations := Configurations(t)
	for _, test := range mistakes {
		t.Run(test.Name, func(t *testing.T) {
			changed := Change(t, configurations[test.Configuration], test.Keys)
			_, err := m.Build(t.Context(), &model.BuildRequest{Configuration: changed})
			if err == nil || err.Error() != test.Want {
				t.Errorf("%v, want %s", err, test.Want)
			}
			if !errors.Is(err, fault.InvalidModel) {
				t.Error("it is no fault.InvalidModel")
			}
		})
	}
}

// CannotSay asks how models are written as GGUF that a file would make others of.
func CannotSay(t *testing.T, m model.Model, refused []Mistake) {
	t.Helper()
	configurations := Configurations(t)
	for _, test := range refused {
		t.Run(test.Name, func(t *testing.T) {
			changed := Change(t, configurations[test.Configuration], test.Keys)
			_, err := m.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: changed})
			if err == nil || err.Error() != test.Want || !errors.Is(err, fault.Unsupported) {
				t.Errorf("%v, want %s", err, test.Want)
			}
		})
	}
}

// Fuzz holds a model to what no configuration may break: it is refused or gives a
// valid Graph, and nothing panics.
func Fuzz(f *testing.F, m model.Model) {
	f.Helper()
	for _, configuration := range Configurations(f) {
		f.Add(configuration, MaxLength, false)
	}
	f.Add([]byte(`{}`), 0, true)
	f.Fuzz(func(t *testing.T, configuration []byte, maxLength int, untied bool) {
		g, err := m.Build(t.Context(), &model.BuildRequest{Configuration: configuration, MaxLength: maxLength, Untied: untied})
		switch {
		case err != nil && !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported):
			t.Errorf("%v has no code", err)
		case err == nil:
			if err := g.Validate(); err != nil {
				t.Error(err)
			}
		}
		_, err = m.ToGGUF(t.Context(), &model.ToGGUFRequest{
			Configuration: configuration, Tensors: []string{"model.layers.0.self_attn.q_proj.weight", "model.norm.weight"},
		})
		if err != nil && !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
			t.Errorf("%v has no code", err)
		}
	})
}
