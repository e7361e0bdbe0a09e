package blocks

import (
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/model/hfconfig"
)

func TestLayerTypes(t *testing.T) {
	const full, sliding = FullAttention, SlidingAttention
	tests := []struct {
		name, config string
		every        int
		known        []string
		want         []string
		err          string
	}{
		{"absent", `{}`, 2, nil, []string{sliding, full, sliding}, ""},
		{"absent, none slides", `{}`, 0, nil, []string{full, full, full}, ""},
		{"given", `{"layer_types": ["full_attention", "sliding_attention", "full_attention"]}`, 2, nil, []string{full, sliding, full}, ""},
		{"others", `{"layer_types": ["conv", "conv", "full_attention"]}`, 0, []string{full, "conv"}, []string{"conv", "conv", full}, ""},
		{"too many", `{"layer_types": ["full_attention", "full_attention", "full_attention", "full_attention"]}`, 0, nil, nil,
			"config.json: layer_types: 4 layers, num_hidden_layers says 3"},
		{"unknown", `{"layer_types": ["full_attention", "x", "full_attention"]}`, 0, nil, nil,
			`config.json: layer_types: layer 1 is "x"; known are ["full_attention" "sliding_attention"]`},
		{"numbers", `{"layer_types": [1]}`, 0, nil, nil, "config.json: layer_types: [1] is not a list of strings"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := hfconfig.Parse([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			got := Decoder{Layers: 3}.LayerTypes(c, EveryNth(test.every), test.known...)
			switch {
			case test.err == "" && (c.Err() != nil || !reflect.DeepEqual(got, test.want)):
				t.Errorf("%v, %v, want %v", got, c.Err(), test.want)
			case test.err != "" && (c.Err() == nil || c.Err().Error() != test.err):
				t.Errorf("%v, want %s", c.Err(), test.err)
			}
		})
	}
}

// TestRootScale: the root is rounded to the type of the weights.
func TestRootScale(t *testing.T) {
	for config, want := range map[string]float64{
		`{"dtype": "bfloat16"}`: 55.5, `{"torch_dtype": "float16"}`: 55.4375, `{"torch_dtype": "float32"}`: 55.42562484741211, `{}`: 55.42562484741211,
	} {
		c, err := hfconfig.Parse([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if got := RootScale(c, 3072); got != want {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
}
