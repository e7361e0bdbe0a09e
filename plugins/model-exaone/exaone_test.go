package main

import (
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, exaone{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, exaone{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, exaone{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, exaone{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 102400, Hidden: 4096, Intermediate: 16384, Layers: 32, Heads: 32, KVHeads: 32, HeadWidth: 128,
		Epsilon: 1e-5, Activation: "silu",
	}
	if s.Decoder != want || s.rope.Theta != 10000 || s.rope.Length != 2048 || s.window != 4096 {
		t.Errorf("%+v", s)
	}
}

// TestPattern: which layers have a window.
func TestPattern(t *testing.T) {
	const full, sliding = blocks.FullAttention, blocks.SlidingAttention
	tests := []struct {
		name string
		keys map[string]any
		want []string
	}{
		{"letters", nil, []string{sliding, full}},
		{"other letters", map[string]any{"sliding_window_pattern": "GL"}, []string{full, sliding}},
		{"a number", map[string]any{"sliding_window_pattern": 1}, []string{full, full}},
		{"absent", map[string]any{"sliding_window_pattern": nil}, []string{sliding, sliding}},
		{"listed", map[string]any{"layer_types": []string{full, sliding}}, []string{full, sliding}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(modeltest.Change(t, modeltest.Configurations(t)["exaone4"], test.keys))
			if err != nil || !reflect.DeepEqual(s.types, test.want) {
				t.Errorf("%v, %v", s.types, err)
			}
		})
	}
}

// TestWindowsInGGUF: a model of 64 layers keeps its windows in a file.
func TestWindowsInGGUF(t *testing.T) {
	configuration := modeltest.Change(t, modeltest.Configurations(t)["exaone4"], map[string]any{"num_hidden_layers": 64})
	out, err := exaone{}.ToGGUF(t.Context(), &model.ToGGUFRequest{Configuration: configuration})
	if err != nil {
		t.Fatal(err)
	}
	if out.Metadata["exaone4.attention.sliding_window"] != uint32(4) || out.Metadata["exaone4.attention.sliding_window_pattern"] != uint32(2) {
		t.Errorf("%v", out.Metadata)
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, exaone{}, []modeltest.Mistake{
		{Name: "no letters", Configuration: "exaone4", Keys: map[string]any{"sliding_window_pattern": ""},
			Want: "config.json: sliding_window_pattern: is empty"},
		{Name: "half a layer", Configuration: "exaone4", Keys: map[string]any{"sliding_window_pattern": 1.5},
			Want: "config.json: sliding_window_pattern: 1.5 is not a whole number from 0 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, exaone{}, []modeltest.Mistake{
		{Name: "windows", Configuration: "exaone4",
			Want: "sliding_window: llama.cpp takes windows for those of models of 64 layers, and none for those of others; this one has 2 layers"},
		{Name: "activation", Configuration: "whole", Keys: map[string]any{"hidden_act": "gelu"},
			Want: "hidden_act: a GGUF file of this architecture cannot say that the activation is gelu: it would be read as silu"},
	})
}
