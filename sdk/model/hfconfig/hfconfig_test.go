package hfconfig

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
)

func parse(t testing.TB, data string) *Config {
	t.Helper()
	c, err := Parse([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValues(t *testing.T) {
	c := parse(t, `{
		"layers": 12, "big": 1e3, "epsilon": 1e-05, "bias": true, "act": "gelu_new", "types": ["a", "b"],
		"factors": [1, 2.5], "scaling": {"factor": 8, "deeper": {"x": 3}}, "nothing": null, "empty": {}
	}`)
	tests := []struct {
		name      string
		got, want any
	}{
		{"int", c.Int("layers", 1), 12},
		{"int written as a float", c.Int("big", 1), 1000},
		{"absent int", c.Int("heads", 7), 7},
		{"null int", c.Int("nothing", 7), 7},
		{"int from 0", c.IntFrom("layers", 1, 0), 12},
		{"float", c.Float("epsilon", 1), 1e-5},
		{"float of a whole number", c.Float("layers", 1), 12.0},
		{"absent float", c.Float("theta", 1e4), 1e4},
		{"positive", c.Positive("epsilon", 1), 1e-5},
		{"bool", c.Bool("bias", false), true},
		{"null bool", c.Bool("nothing", true), true},
		{"string", c.String("act", ""), "gelu_new"},
		{"absent string", c.String("kind", "default"), "default"},
		{"strings", c.Strings("types"), []string{"a", "b"}},
		{"absent strings", c.Strings("names"), []string(nil)},
		{"floats", c.Floats("factors"), []float64{1, 2.5}},
		{"activation", c.Activation("act", "silu"), "gelu_tanh"},
		{"absent activation", c.Activation("hidden_act", "silu"), "silu"},
		{"nested", c.Object("scaling").Int("factor", 1), 8},
		{"nested twice", c.Object("scaling").Object("deeper").Int("x", 1), 3},
		{"absent object", c.Object("quantization_config") == nil, true},
		{"null object", c.Object("nothing") == nil, true},
		{"empty object", c.Object("empty").Empty(), true},
		{"object that is not empty", c.Object("scaling").Empty(), false},
		{"has", c.Has("layers"), true},
		{"has null", c.Has("nothing"), false},
		{"has absent", c.Has("heads"), false},
		{"null", c.Null("nothing"), true},
		{"null of absent", c.Null("heads"), false},
		{"null of a value", c.Null("layers"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !reflect.DeepEqual(test.got, test.want) {
				t.Errorf("%v, want %v", test.got, test.want)
			}
		})
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	long := strings.Repeat("é", 60)
	tests := []struct {
		name, config string
		read         func(c *Config)
		want         string
	}{
		{"text for a number", `{"n": "12"}`, func(c *Config) { c.Int("n", 1) }, `n: "12" is not a whole number`},
		{"a list for a number", `{"n": [1]}`, func(c *Config) { c.Float("n", 1) }, `n: [1] is not a number`},
		{"a fraction", `{"n": 1.5}`, func(c *Config) { c.Int("n", 1) }, `n: 1.5 is not a whole number from 1 to a billion`},
		{"zero", `{"n": 0}`, func(c *Config) { c.Int("n", 1) }, `n: 0 is not a whole number from 1 to a billion`},
		{"too small", `{"n": 1}`, func(c *Config) { c.IntFrom("n", 5, 2) }, `n: 1 is not a whole number from 2 to a billion`},
		{"too large", `{"n": 1e18}`, func(c *Config) { c.Int("n", 1) }, `n: 1e+18 is not a whole number from 1 to a billion`},
		{"no float64", `{"n": 1e999}`, func(c *Config) { c.Float("n", 1) }, `n: 1e999 is not a number`},
		{"not positive", `{"n": 0}`, func(c *Config) { c.Positive("n", 1) }, `n: 0 is not above 0`},
		{"negative", `{"n": -0.5}`, func(c *Config) { c.Positive("n", 1) }, `n: -0.5 is not above 0`},
		{"a number for a bool", `{"n": 1}`, func(c *Config) { c.Bool("n", true) }, `n: 1 is not true or false`},
		{"a number for text", `{"n": 1}`, func(c *Config) { c.String("n", "") }, `n: 1 is not a string`},
		{"text for strings", `{"n": "a"}`, func(c *Config) { c.Strings("n") }, `n: "a" is not a list of strings`},
		{"mixed list", `{"n": [1, "a"]}`, func(c *Config) { c.Floats("n") }, `n: [1, "a"] is not a list of numbers`},
		{"a list for an object", `{"n": []}`, func(c *Config) { c.Object("n") }, `n: [] is not an object`},
		{"nested", `{"n": {"factor": true}}`, func(c *Config) { c.Object("n").Positive("factor", 1) }, `n.factor: true is not a number`},
		{"activation", `{"n": "swiglu"}`, func(c *Config) { c.Activation("n", "silu") }, `n: activation "swiglu" is not known; known are gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish`},
		{"long", `{"n": "` + long + `"}`, func(c *Config) { c.Int("n", 1) }, `n: "` + long[:2*39] + `… is not a whole number`},
		{"over lines", "{\"n\": [1,\n\t 2]}", func(c *Config) { c.Int("n", 1) }, `n: [1, 2] is not a whole number`},
		{"the first of two", `{"a": "x", "b": "y"}`, func(c *Config) { c.Int("b", 1); c.Int("a", 1) }, `b: "y" is not a whole number`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := parse(t, test.config)
			test.read(c)
			err := c.Err()
			if err == nil || err.Error() != "config.json: "+test.want {
				t.Errorf("%v, want config.json: %s", err, test.want)
			}
			if !errors.Is(err, fault.InvalidModel) {
				t.Error("it is no fault.InvalidModel")
			}
		})
	}
}

func TestDefaultsAfterMistakes(t *testing.T) {
	c := parse(t, `{"i": "x", "f": [], "p": -1, "b": 3, "s": 4, "a": "no"}`)
	if i, f, b, s, a := c.Int("i", 5), c.Float("f", 2), c.Bool("b", true), c.String("s", "t"), c.Activation("a", "relu"); i != 5 || f != 2 || !b || s != "t" || a != "silu" {
		t.Errorf("%v %v %v %v %v", i, f, b, s, a)
	}
	if p := c.Positive("p", 1); p != 1 {
		t.Errorf("%v: a caller that divides by it, or takes its logarithm, is to be safe", p)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"nothing", "", "config.json: unexpected end of JSON input"},
		{"half", `{"a": `, "config.json: unexpected end of JSON input"},
		{"not JSON", `{a: 1}`, "config.json: invalid character 'a' looking for beginning of object key string"},
		{"a list", `[1, 2]`, "config.json: [1, 2] is not an object"},
		{"null", `null`, "config.json: null is not an object"},
		{"two values", `{} {}`, "config.json: invalid character '{' after top-level value"},
		{"too large", `{"a": "` + strings.Repeat("x", maxSize) + `"}`, "config.json: 16777225 bytes, at most 16777216 are allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.data))
			if err == nil || err.Error() != test.want || !errors.Is(err, fault.InvalidModel) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// FuzzParse: every key of whatever is an object can be asked for as anything.
func FuzzParse(f *testing.F) {
	f.Add(`{"hidden_size": 64, "rope_scaling": {"factor": 2.0, "short_factor": [1, 2]}, "hidden_act": "silu", "x": null}`)
	f.Add(`{"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": true, "rms_norm_eps": 1e-5}`)
	f.Fuzz(func(t *testing.T, data string) {
		c, err := Parse([]byte(data))
		if err != nil {
			return
		}
		visit(t, c, 0)
	})
}

func visit(t *testing.T, c *Config, depth int) {
	for key := range c.values {
		if n := c.Int(key, 1); n < 1 || n > 1e9 {
			t.Errorf("%q is %d", key, n)
		}
		if p := c.Positive(key, 1); !(p > 0) {
			t.Errorf("%q is %v", key, p)
		}
		c.Bool(key, false)
		c.Strings(key)
		c.Floats(key)
		if f := c.Activation(key, "silu"); !slices.Contains([]string{"silu", "relu", "gelu", "gelu_tanh"}, f) {
			t.Errorf("%q is %q", key, f)
		}
		if o := c.Object(key); o != nil && depth < 10 {
			visit(t, o, depth+1)
		}
	}
}

func TestArchitecture(t *testing.T) {
	for config, want := range map[string]string{
		`{"architectures": ["B"]}`:      "B",
		`{"architectures": ["C", "A"]}`: "A",
		`{"architectures": ["C"]}`:      `config.json: architectures: ["C"] has none of ["A" "B"]`,
		`{}`:                            `config.json: architectures: [] has none of ["A" "B"]`,
		`{"architectures": "A"}`:        `config.json: architectures: "A" is not a list of strings`,
	} {
		c, err := Parse([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		got := c.Architecture("A", "B")
		if c.Err() != nil {
			got = c.Err().Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", config, got, want)
		}
	}
}

func TestInts(t *testing.T) {
	c, err := Parse([]byte(`{"a": [1, 0, -2], "b": "text", "c": [1.5]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Ints("a"); len(got) != 3 || got[2] != -2 || c.Ints("absent") != nil || c.IsString("a") || !c.IsString("b") || c.IsString("absent") {
		t.Errorf("%v, %v", got, c.Err())
	}
	if c.Ints("c"); c.Err() == nil || c.Err().Error() != "config.json: c: [1.5] is not a list of whole numbers" {
		t.Error(c.Err())
	}
}
