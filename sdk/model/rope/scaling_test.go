package rope

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/fault"
)

func TestApply(t *testing.T) {
	linear, dynamic, yarn := Scaling{Kind: "linear", Factor: 2.5}, Scaling{Kind: "dynamic", Factor: 4}, Scaling{Kind: "yarn", Factor: 4}
	tests := []struct {
		name         string
		scaling      Scaling
		config, want string
		context      int
	}{
		{
			"old form", linear, `{"max_position_embeddings": 4096, "rope_theta": 5e5, "rope_scaling": null}`,
			`{"max_position_embeddings": 4096, "rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "factor": 2.5}}`, 10240,
		}, {
			"nothing said", dynamic, `{"max_position_embeddings": 4096}`,
			`{"max_position_embeddings": 4096, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}`, 16384,
		}, {
			"new form", dynamic, `{"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0, "partial_rotary_factor": 0.5}}`,
			`{"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 7.0, "partial_rotary_factor": 0.5}}`, 16384,
		}, {
			"both forms", linear, `{"max_position_embeddings": 4096, "rope_scaling": {"type": "default"}, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}`,
			`{"max_position_embeddings": 4096, "rope_scaling": {"rope_type": "linear", "factor": 2.5}, "rope_parameters": {"rope_type": "linear", "factor": 2.5, "rope_theta": 7.0}}`, 10240,
		}, {
			"yarn", yarn, `{"max_position_embeddings": 4096, "original_max_position_embeddings": 1024, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}`,
			`{"max_position_embeddings": 16384, "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 7.0, "original_max_position_embeddings": 4096}}`, 16384,
		}, {
			"yarn with all of its settings", Scaling{Kind: "yarn", Factor: 4, Original: 32768, AttentionFactor: 1, BetaFast: 16, BetaSlow: 2},
			`{"max_position_embeddings": 40960}`,
			`{"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "attention_factor": 1.0, "beta_fast": 16.0, "beta_slow": 2.0}}`, 131072,
		}, {
			"more of a model's own yarn", Scaling{Kind: "yarn", Factor: 8},
			`{"max_position_embeddings": 16384, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 4096, "attention_factor": 1.1, "mscale": 1.0, "mscale_all_dim": 0.5, "llama_4_scaling_beta": 0.1}}`,
			`{"max_position_embeddings": 32768, "rope_scaling": {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 4096, "mscale": 1.0, "mscale_all_dim": 0.5, "llama_4_scaling_beta": 0.1}}`, 32768,
		}, {
			"less of a model's own linear", Scaling{Kind: "linear", Factor: 2}, `{"max_position_embeddings": 1024, "rope_scaling": {"type": "linear", "factor": 4}}`,
			`{"max_position_embeddings": 1024, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}`, 2048,
		}, {
			"layer types", yarn, `{"max_position_embeddings": 64, "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 9.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 5.0}}}`,
			`{"max_position_embeddings": 256, "rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 9.0, "original_max_position_embeddings": 64}, "sliding_attention": {"rope_type": "default", "rope_theta": 5.0}}}`, 256,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.scaling.Apply([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(test.want), &b) != nil {
				t.Fatalf("%s or %s is no JSON", got, test.want)
			}
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s, want %s", got, test.want)
			}
			s, err := settings(t, string(got))
			if test.name != "layer types" && (err != nil || s.Context() != test.context || s.Kind != test.scaling.Kind) {
				t.Errorf("read as %s for %d tokens, %v, want %s for %d", s.Kind, s.Context(), err, test.scaling.Kind, test.context)
			}
		})
	}
}

// TestApplyWithin: of a model with a language model in it, that is scaled.
func TestApplyWithin(t *testing.T) {
	got, err := Scaling{Kind: "linear", Factor: 2}.Apply([]byte(`{"text_config": {"hidden_size": 8}, "vision_config": {"rope_theta": 1.0}}`))
	want := `{"text_config":{"hidden_size":8,"rope_scaling":{"factor":2.0,"rope_type":"linear"}},"vision_config":{"rope_theta":1.0}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	_, err = Scaling{Kind: "linear", Factor: 2}.Apply([]byte(`{"text_config": 3}`))
	if want := "text_config: config.json: 3 is not an object"; err == nil || err.Error() != want || !errors.Is(err, fault.InvalidModel) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestApplyKeepsNumbers: numbers that are not of the scaling keep their digits.
func TestApplyKeepsNumbers(t *testing.T) {
	got, err := Scaling{Kind: "linear", Factor: 2}.Apply([]byte(`{"a": 9007199254740993, "b": [1.10]}`))
	if want := `{"a":9007199254740993,"b":[1.10],"rope_scaling":{"factor":2.0,"rope_type":"linear"}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestApplyRefuses(t *testing.T) {
	yarn := Scaling{Kind: "yarn", Factor: 2}
	tests := []struct {
		name    string
		scaling Scaling
		config  string
		want    string
		code    fault.Code
	}{
		{"no stretch", Scaling{Kind: "linear", Factor: 1}, `{}`, "rope scaling by a factor of 1, want above 1", fault.InvalidModel},
		{"no number", Scaling{Kind: "linear", Factor: math.NaN()}, `{}`, "rope scaling by a factor of NaN, want above 1", fault.InvalidModel},
		{"a kind with lists", Scaling{Kind: "longrope", Factor: 2}, `{}`, `rope type "longrope" is none that a model can be given; there are linear, dynamic, yarn`, fault.Unsupported},
		{"llama3", yarn, `{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}}`,
			`the model's positions are scaled by rope type "llama3" already, which "yarn" cannot replace`, fault.Unsupported},
		{"longrope of layers", yarn, `{"rope_parameters": {"full_attention": {"rope_type": "longrope", "long_factor": [1], "short_factor": [1]}}}`,
			`the model's positions are scaled by rope type "longrope" already, which "yarn" cannot replace`, fault.Unsupported},
		{"no length", yarn, `{}`, "the length before scaling is not known: config.json has no max_position_embeddings", fault.Unsupported},
		{"no further", Scaling{Kind: "yarn", Factor: 1.1, Original: 32768}, `{"max_position_embeddings": 40960}`,
			"32768 tokens by a factor of 1.1 are no more than the model's own 40960", fault.Unsupported},
		{"other layers alone", yarn, `{"max_position_embeddings": 64, "rope_parameters": {"sliding_attention": {"rope_type": "default"}}}`,
			"config.json: rope_parameters tells layers apart, such as sliding_attention, and says nothing of full_attention", fault.Unsupported},
		{"layers without positions", yarn, `{"max_position_embeddings": 64, "rope_parameters": {"full_attention": null}}`,
			"config.json: rope_parameters.full_attention is empty: these layers have no positions to scale", fault.Unsupported},
		{"no configuration", yarn, `[]`, "config.json: [] is not an object", fault.InvalidModel},
		{"no object", yarn, `{"max_position_embeddings": 64, "rope_scaling": 2}`, "config.json: rope_scaling: 2 is not an object", fault.InvalidModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.scaling.Apply([]byte(test.config)); err == nil || err.Error() != test.want || !errors.Is(err, test.code) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// FuzzApply: whatever a configuration says, it is refused, or what comes of it is
// read as a scaling of the kind and the factor that were asked for.
func FuzzApply(f *testing.F) {
	for i, config := range []string{
		`{"max_position_embeddings": 64}`, `{"rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 8}}`,
		`{"rope_parameters": {"full_attention": {"rope_type": "default"}, "x": null}}`, `{"rope_scaling": {}, "rope_parameters": {"rope_theta": 3}}`,
	} {
		f.Add(config, i, 2.0, 0)
	}
	f.Fuzz(func(t *testing.T, config string, kind int, factor float64, original int) {
		s := Scaling{Kind: ScalingKinds()[uint(kind)%3], Factor: factor, Original: max(0, original)}
		out, err := s.Apply([]byte(config))
		if err != nil {
			if !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
				t.Errorf("%v has no code", err)
			}
			return
		}
		again, err := s.Apply(out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%s gives %s, and that %s, %v", config, out, again, err)
		}
	})
}
