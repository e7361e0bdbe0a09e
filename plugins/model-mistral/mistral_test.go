package main

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
)

var update = flag.Bool("update", false, "write the golden graph anew")

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func build(t testing.TB, config []byte) *graph.Graph {
	t.Helper()
	g, err := mistral{}.Build(t.Context(), &model.BuildRequest{Configuration: config, MaxLength: 64})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGraph: the Graph of a small configuration, written out.
func TestGraph(t *testing.T) {
	got := build(t, readFile(t, "small.json")).Text()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "small.graph"), []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(readFile(t, "small.graph")); got != want {
		t.Errorf("the graph is not that of testdata/small.graph (-update writes it anew):\n%s", got)
	}
}

// TestDefaults: keys that are absent or null are those of transformers.
func TestDefaults(t *testing.T) {
	tests := []struct {
		name, config    string
		window, kvHeads int
	}{
		{"absent", `{}`, 4096, 8},
		{"null", `{"sliding_window": null, "num_key_value_heads": null, "head_dim": null}`, 0, 32},
		{"given", `{"sliding_window": 17, "num_key_value_heads": 4}`, 17, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			d := s.Decoder
			if s.window != test.window || d.KVHeads != test.kvHeads || d.Vocabulary != 32000 || d.Hidden != 4096 || d.Intermediate != 14336 ||
				d.Layers != 32 || d.Heads != 32 || d.HeadWidth != 128 || d.Epsilon != 1e-6 || d.Activation != "silu" || d.Tied ||
				s.rope.Theta != 10000 || s.rope.Length != 131072 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"window", `{"sliding_window": 0}`, "config.json: sliding_window: 0 is not a whole number from 1 to a billion"},
		{"window that is text", `{"sliding_window": "all"}`, `config.json: sliding_window: "all" is not a whole number`},
		{"key heads", `{"num_attention_heads": 6, "hidden_size": 48}`, "config.json: num_key_value_heads: 8 does not divide num_attention_heads 6"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := mistral{}.Build(t.Context(), &model.BuildRequest{Configuration: []byte(test.config)})
			if err == nil || err.Error() != test.want || !errors.Is(err, fault.InvalidModel) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestGGUF: a file of Mistral is one of llama, which the plugin writes and does
// not read.
func TestGGUF(t *testing.T) {
	config := readFile(t, "small.json")
	var names []string
	for _, p := range build(t, config).Params {
		names = append(names, p.Name)
	}
	out, err := mistral{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: config, Tensors: names})
	if err != nil {
		t.Fatal(err)
	}
	if out.Architecture != "llama" || len(out.Tensors) != len(names) || out.Metadata["llama.attention.key_length"] != uint32(6) {
		t.Errorf("%s, %d tensors, %v", out.Architecture, len(out.Tensors), slices.Sorted(maps.Keys(out.Metadata)))
	}
	if _, err := (mistral{}).FromGGUF(t.Context(), &model.FromGGUFRequest{}); !errors.Is(err, fault.Unsupported) {
		t.Errorf("FromGGUF: %v", err)
	}
}

// FuzzBuild: a configuration is refused or gives a valid Graph.
func FuzzBuild(f *testing.F) {
	f.Add(readFile(f, "small.json"), 64)
	f.Add([]byte(`{"sliding_window": null, "num_hidden_layers": 2}`), 0)
	f.Fuzz(func(t *testing.T, config []byte, maxLength int) {
		if !json.Valid(config) {
			return
		}
		g, err := mistral{}.Build(t.Context(), &model.BuildRequest{Configuration: config, MaxLength: maxLength})
		switch {
		case err != nil && !errors.Is(err, fault.InvalidModel):
			t.Errorf("%v is no fault.InvalidModel", err)
		case err == nil:
			if err := g.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
