package main

import (
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/model/blocks"
	"github.com/honeml/hone/sdk/plugintest/modeltest"
)

func TestGraphs(t *testing.T)      { modeltest.Graphs(t, smollm3{}) }
func TestConformance(t *testing.T) { modeltest.Conformance(t, smollm3{}) }
func TestFiles(t *testing.T)       { modeltest.Files(t, smollm3{}) }
func FuzzBuild(f *testing.F)       { modeltest.Fuzz(f, smollm3{}) }

// TestDefaults: keys that are absent are those of transformers.
func TestDefaults(t *testing.T) {
	s, err := read([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	want := blocks.Decoder{
		Vocabulary: 128256, Hidden: 2048, Intermediate: 11008, Layers: 36, Heads: 16, KVHeads: 4, HeadWidth: 128,
		Epsilon: 1e-6, Activation: "silu", Tied: true,
	}
	if s.Decoder != want || s.rope.Theta != 2000000 || s.rope.Length != 32768 || s.window != 0 ||
		!reflect.DeepEqual(s.rotates[:5], []bool{true, true, true, false, true}) {
		t.Errorf("%+v", s)
	}
}

// TestLayers: which layers have positions, and which a window.
func TestLayers(t *testing.T) {
	const full, sliding = blocks.FullAttention, blocks.SlidingAttention
	tests := []struct {
		name    string
		keys    map[string]any
		rotates []bool
		types   []string
	}{
		{"listed", nil, []bool{true, true, true, false}, []string{full, full, full, full}},
		{"by an interval", map[string]any{"no_rope_layers": nil, "no_rope_layer_interval": 2}, []bool{true, false, true, false}, []string{full, full, full, full}},
		{"windows where there are no positions", map[string]any{"use_sliding_window": true, "sliding_window": 4},
			[]bool{true, true, true, false}, []string{full, full, full, sliding}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(modeltest.Change(t, modeltest.Configurations(t)["smollm3"], test.keys))
			if err != nil || !reflect.DeepEqual(s.rotates, test.rotates) || !reflect.DeepEqual(s.types, test.types) {
				t.Errorf("%v, %v, %v", s.rotates, s.types, err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	modeltest.Mistakes(t, smollm3{}, []modeltest.Mistake{
		{Name: "layers", Configuration: "smollm3", Keys: map[string]any{"no_rope_layers": []int{1}},
			Want: "config.json: no_rope_layers: 1 layers, num_hidden_layers says 4"},
		{Name: "truths", Configuration: "smollm3", Keys: map[string]any{"no_rope_layers": []bool{true, true, true, false}},
			Want: "config.json: no_rope_layers: [true,true,true,false] is not a list of whole numbers"},
		{Name: "interval", Configuration: "smollm3", Keys: map[string]any{"no_rope_layer_interval": 0},
			Want: "config.json: no_rope_layer_interval: 0 is not a whole number from 1 to a billion"},
	})
}

func TestCannotSay(t *testing.T) {
	modeltest.CannotSay(t, smollm3{}, []modeltest.Mistake{
		{Name: "layers", Configuration: "smollm3", Keys: map[string]any{"no_rope_layers": []int{1, 0, 1, 0}},
			Want: "no_rope_layers: a GGUF file of this architecture cannot say that others than every fourth layer have no positions"},
		{Name: "window", Configuration: "smollm3", Keys: map[string]any{"use_sliding_window": true, "sliding_window": 4},
			Want: "use_sliding_window: a GGUF file of this architecture cannot say that layers have a window of 4: it would be read without"},
	})
}
