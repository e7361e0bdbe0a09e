// Package modeltest is what the tests of a model plugin are made of. The plugin's
// testdata holds small configurations, NAME.json, one for each of the forms that its
// architectures have, and beside each the Graph that it gives, NAME.graph.
//
//	func TestGraphs(t *testing.T)      { modeltest.Graphs(t, falcon{}) }
//	func TestConformance(t *testing.T) { modeltest.Conformance(t, falcon{}) }
//	func TestFiles(t *testing.T)       { modeltest.Files(t, falcon{}) }
//	func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, falcon{}) }
package modeltest

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
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

// Files asks for a configuration of what a file says of itself, with one key or one
// shape after the other replaced by nonsense: it is refused, or gives a configuration
// that Build refuses or takes; nothing panics.
func Files(t *testing.T, m model.Model) {
	t.Helper()
	for name, configuration := range Configurations(t) {
		t.Run(name, func(t *testing.T) {
			request := file(t, m, configuration)
			if request == nil {
				return // there is no such file
			}
			tried := func(what string, value any, r *model.FromGGUFRequest) {
				answer, err := m.FromGGUF(t.Context(), r)
				if err == nil {
					_, err = m.Build(t.Context(), &model.BuildRequest{Configuration: answer.Configuration})
				}
				if err != nil && !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
					t.Errorf("%s is %v: %v has no code", what, value, err)
				}
			}
			for key := range request.Metadata {
				for _, value := range []any{nil, "x", -1.0, 0.0, 1.5, 1e300, true, []int64{1}, []int64{-1, 0, 1 << 40}, []bool{}, []string{"x"}} {
					changed := *request
					changed.Metadata = maps.Clone(request.Metadata)
					if changed.Metadata[key] = value; value == nil {
						delete(changed.Metadata, key)
					}
					tried(key, value, &changed)
				}
			}
			for tensor := range request.Tensors {
				for _, shape := range [][]int{nil, {}, {0}, {7}, {3, 5}, {-1, 4}, {2, 2, 2, 2, 2}} {
					changed := *request
					changed.Tensors = maps.Clone(request.Tensors)
					if changed.Tensors[tensor] = shape; shape == nil {
						delete(changed.Tensors, tensor)
					}
					tried(tensor, shape, &changed)
				}
			}
			for tensor := range request.RopeFactors {
				for _, factors := range [][]float32{nil, {}, {0}, {-1, 2, 3}, {1e38}} {
					changed := *request
					changed.RopeFactors = maps.Clone(request.RopeFactors)
					changed.RopeFactors[tensor] = factors
					tried(tensor, factors, &changed)
				}
			}
		})
	}
}

// file is what a file of a configuration says of itself; nil where there is none.
func file(t *testing.T, m model.Model, configuration []byte) *model.FromGGUFRequest {
	t.Helper()
	g, err := m.Build(t.Context(), &model.BuildRequest{Configuration: configuration})
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]int{}
	for _, p := range g.Params {
		shapes[p.Source.Tensors()[0]] = p.Shape
	}
	out, err := m.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: configuration, Tensors: slices.Sorted(maps.Keys(shapes))})
	if errors.Is(err, fault.Unsupported) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &model.FromGGUFRequest{Metadata: map[string]any{}, Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}}
	for key, v := range out.Metadata {
		r.Metadata[key] = wide(v)
	}
	for _, tensor := range out.Tensors {
		if tensor.Source == nil {
			r.Tensors[tensor.Name], r.RopeFactors[tensor.Name] = []int{len(tensor.Values)}, tensor.Values
			continue
		}
		r.Tensors[tensor.Name] = shapes[tensor.Source.Tensors()[0]]
	}
	return r
}

// wide is a value in the type in which a host hands it on.
func wide(v any) any {
	switch x := v.(type) {
	case uint32:
		return uint64(x)
	case float32:
		return float64(x)
	case []int32:
		out := make([]int64, len(x))
		for i, n := range x {
			out[i] = int64(n)
		}
		return out
	}
	return v
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
