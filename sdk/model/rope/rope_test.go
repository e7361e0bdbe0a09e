package rope

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// settings reads a configuration of a model whose heads have the width that it
// says, or follows from it.
func settings(t testing.TB, config string) (Settings, error) {
	t.Helper()
	c, err := hfconfig.Parse([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	s := Read(c, Options{Theta: 10000, HeadWidth: c.Int("head_dim", c.Int("hidden_size", 512)/c.Int("num_attention_heads", 8))})
	return s, c.Err()
}

// TestFrequencies compares with what transformers computes.
func TestFrequencies(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "rope.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name      string
		Config    json.RawMessage
		MaxLength int `json:"max_length"`
		Kind      string
		Freq      []float64
		Factor    float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 38 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			s, err := settings(t, string(test.Config))
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind != test.Kind || s.Width != 2*len(test.Freq) {
				t.Errorf("%s over %d columns, want %s over %d", s.Kind, s.Width, test.Kind, 2*len(test.Freq))
			}
			freq, factor, err := s.Frequencies(test.MaxLength)
			if err != nil {
				t.Fatal(err)
			}
			if len(freq) != len(test.Freq) {
				t.Fatalf("%d frequencies, want %d", len(freq), len(test.Freq))
			}
			// A few units in the last place: transformers takes powers in float32.
			for i, want := range test.Freq {
				if math.Abs(float64(freq[i])-want) > 4e-7*want {
					t.Errorf("frequency %d is %v, want %v", i, freq[i], want)
				}
			}
			if math.Abs(float64(factor)-test.Factor) > 1e-7*test.Factor {
				t.Errorf("factor %v, want %v", factor, test.Factor)
			}
		})
	}
}

func TestContext(t *testing.T) {
	tests := []struct {
		name, config string
		want         int
	}{
		{"default", `{"max_position_embeddings": 4096}`, 4096},
		{"absent", `{}`, 2048},
		{"linear", `{"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.5}}`, 10240},
		{"dynamic", `{"max_position_embeddings": 4096, "rope_scaling": {"type": "dynamic", "factor": 2}}`, 8192},
		{"yarn, the length before stretching", `{"max_position_embeddings": 4096, "rope_scaling": {"type": "yarn", "factor": 4}}`, 16384},
		{"yarn, the length after it", `{"max_position_embeddings": 16384, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 4096}}`, 16384},
		{"llama3", `{"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}}`, 131072},
		{"an absurd factor", `{"rope_scaling": {"type": "linear", "factor": 1e300}}`, maxContext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := settings(t, test.config)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Context(); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestPartial(t *testing.T) {
	for name, config := range map[string]string{
		"beside":             `{"head_dim": 32, "partial_rotary_factor": 0.25}`,
		"in rope_parameters": `{"head_dim": 32, "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := settings(t, config)
			if err != nil {
				t.Fatal(err)
			}
			freq, _, err := s.Frequencies(0)
			if err != nil || s.Width != 8 || len(freq) != 4 {
				t.Errorf("%d columns, %d frequencies, %v; want 8 and 4", s.Width, len(freq), err)
			}
		})
	}
}

// TestLayerTypes reads the object of one layer type among several.
func TestLayerTypes(t *testing.T) {
	c, err := hfconfig.Parse([]byte(`{"rope_parameters": {
		"full_attention": {"rope_type": "linear", "factor": 8, "rope_theta": 1e6}, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}`))
	if err != nil {
		t.Fatal(err)
	}
	full := Read(c, Options{Theta: 5, HeadWidth: 8, LayerType: "full_attention"})
	sliding := Read(c, Options{Theta: 5, HeadWidth: 8, LayerType: "sliding_attention"})
	if c.Err() != nil || full.Kind != "linear" || full.Theta != 1e6 || sliding.Kind != "default" || sliding.Theta != 1e4 {
		t.Errorf("%+v, %+v, %v", full, sliding, c.Err())
	}
}

// TestOwn: settings of a layer type that count in its own object alone, and a base
// under another key.
func TestOwn(t *testing.T) {
	options := Options{Theta: 5, ThetaKey: "local", HeadWidth: 8, LayerType: "sliding_attention", OwnOnly: true}
	tests := []struct {
		name, config, kind string
		theta              float64
	}{
		{"nothing", `{}`, "default", 5},
		{"a base", `{"rope_theta": 7, "local": 6}`, "default", 6},
		{"scaling of others", `{"rope_scaling": {"type": "linear", "factor": 2}, "local": 6}`, "default", 6},
		{"its own", `{"rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2, "rope_theta": 9}}}`, "linear", 9},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := hfconfig.Parse([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			if s := Read(c, options); c.Err() != nil || s.Kind != test.kind || s.Theta != test.theta {
				t.Errorf("%s, %v, %v", s.Kind, s.Theta, c.Err())
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"unknown kind", `{"rope_scaling": {"rope_type": "spiral"}}`, `config.json: rope_scaling.rope_type: "spiral" is not known; known are default, linear, dynamic, yarn, longrope, llama3`},
		{"no factor", `{"rope_scaling": {"type": "linear"}}`, `config.json: rope_scaling.factor: is missing, rope type "linear" needs it`},
		{"no factor, new form", `{"rope_parameters": {"rope_type": "yarn"}}`, `config.json: rope_parameters.factor: is missing, rope type "yarn" needs it`},
		{"a factor of 0", `{"rope_scaling": {"type": "dynamic", "factor": 0}}`, `config.json: rope_scaling.factor: 0 is not above 0`},
		{"a factor that is text", `{"rope_scaling": {"type": "linear", "factor": "2"}}`, `config.json: rope_scaling.factor: "2" is not a number`},
		{"scaling that is a number", `{"rope_scaling": 2}`, `config.json: rope_scaling: 2 is not an object`},
		{"theta", `{"rope_theta": -1}`, `config.json: rope_theta: -1 is not above 0`},
		{"theta of 1 under yarn", `{"rope_theta": 1, "rope_scaling": {"type": "yarn", "factor": 2}}`, `config.json: rope_theta: 1 is not above 1, rope type "yarn" needs that`},
		{"length", `{"max_position_embeddings": 0}`, `config.json: max_position_embeddings: 0 is not a whole number from 1 to a billion`},
		{"llama3 lacks a key", `{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1}}`, `config.json: rope_scaling.high_freq_factor: is missing, rope type "llama3" needs it`},
		{"llama3, factors the wrong way round", `{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}}`, `config.json: rope_scaling.high_freq_factor: 4 is not above low_freq_factor 4`},
		{"an attention factor of 0", `{"rope_scaling": {"rope_type": "yarn", "factor": 8, "attention_factor": 0}}`, `config.json: rope_scaling.attention_factor: 0 is not above 0`},
		{"an odd head", `{"head_dim": 7}`, `config.json: head_dim: heads of 7 columns cannot be rotated in pairs`},
		{"more than a head", `{"head_dim": 8, "partial_rotary_factor": 2}`, `config.json: partial_rotary_factor: 2 of a head of 8 columns is no even number of them`},
		{"a huge head", `{"head_dim": 1000000}`, `config.json: head_dim: heads of 1000000 columns, at most 4096 are allowed`},
		{"a long factor that is text", `{"rope_scaling": {"type": "longrope", "long_factor": "x", "short_factor": [1]}}`, `config.json: rope_scaling.long_factor: "x" is not a list of numbers`},
		{"a long factor of 0", `{"rope_scaling": {"type": "longrope", "long_factor": [1, 0], "short_factor": [1, 2]}}`, `config.json: rope_scaling.long_factor: 0 is not above 0`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := settings(t, test.config)
			if err == nil || err.Error() != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if !errors.Is(err, fault.InvalidModel) {
				t.Errorf("%v is no fault.InvalidModel", err)
			}
		})
	}
}

// TestLongropeFactors: a list that does not fit the head is found when the
// frequencies are asked for, which choose between the lists.
func TestLongropeFactors(t *testing.T) {
	s, err := settings(t, `{"head_dim": 8, "rope_scaling": {"type": "su", "short_factor": [1, 1, 1, 1], "long_factor": [1, 2], "original_max_position_embeddings": 64}}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Frequencies(64); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Frequencies(65); err == nil || err.Error() != "rope: long_factor has 2 numbers, want one for each of 4 pairs" {
		t.Errorf("%v", err)
	}
}

func TestNote(t *testing.T) {
	s, err := settings(t, `{"max_position_embeddings": 4096, "rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2}}`)
	if err != nil {
		t.Fatal(err)
	}
	b := graph.New("Test")
	s.Note(b)
	b.Logits(b.Linear(b.Embed("e.weight", 3, 4), "head", 3, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"rope.type": "linear", "rope.theta": "500000", ContextNote: "8192"} {
		if g.Notes[key] != want {
			t.Errorf("note %s is %q, want %q", key, g.Notes[key], want)
		}
	}
}

// FuzzRead: whatever a configuration says, it is refused or gives a frequency for
// each pair of columns.
func FuzzRead(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "rope.json"))
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Config json.RawMessage }
	if err := json.Unmarshal(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(string(c.Config), 4000)
	}
	f.Fuzz(func(t *testing.T, config string, maxLength int) {
		c, err := hfconfig.Parse([]byte(config))
		if err != nil {
			return
		}
		s := Read(c, Options{Theta: 10000, HeadWidth: c.Int("head_dim", 8)})
		freq, factor, err := s.Frequencies(maxLength)
		if c.Err() != nil || err != nil {
			return
		}
		if len(freq) != s.Width/2 || s.Context() < 1 {
			t.Errorf("%d frequencies for %d columns, context %d", len(freq), s.Width, s.Context())
		}
		for i, v := range freq {
			if !finite(v) || v < 0 {
				t.Errorf("frequency %d is %v", i, v)
			}
		}
		if !finite(factor) {
			t.Errorf("factor %v", factor)
		}
		keys := map[string]any{}
		if _, err := s.GGUF(keys); err != nil && !errors.Is(err, fault.Unsupported) && !errors.Is(err, fault.InvalidModel) {
			t.Errorf("%v has no code", err)
		}
	})
}
