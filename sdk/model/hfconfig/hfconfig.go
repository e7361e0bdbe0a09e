// Package hfconfig reads the config.json of a Hugging Face checkpoint, for
// model plugins. Absent keys and nulls take the default that the architecture
// gives them; a key of the wrong type, or out of the range that makes sense, is
// an error that names it.
package hfconfig

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// A Config is a configuration's object of key-values. Its methods keep the first
// mistake, which [Config.Err] returns, so that a plugin reads all it needs and
// asks once.
type Config struct {
	values map[string]json.RawMessage
	prefix string // where a nested object stands, such as "rope_scaling."
	err    *error
}

// maxSize bounds a configuration; real ones have a few kilobytes.
const maxSize = 16 << 20

// Parse reads a configuration.
func Parse(data []byte) (*Config, error) {
	if len(data) > maxSize {
		return nil, fault.New(fault.InvalidModel, "config.json: %d bytes, at most %d are allowed", len(data), maxSize)
	}
	if !json.Valid(data) {
		var value json.RawMessage
		return nil, fault.New(fault.InvalidModel, "config.json: %w", json.Unmarshal(data, &value))
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil || values == nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %s is not an object", abbreviate(data))
	}
	var first error
	return &Config{values: values, err: &first}, nil
}

// Err is the first mistake that was met, a fault.InvalidModel.
func (c *Config) Err() error { return *c.err }

// Failf records a mistake of key, unless there is one already.
func (c *Config) Failf(key, format string, args ...any) {
	if *c.err == nil {
		*c.err = fault.New(fault.InvalidModel, "config.json: %s%s: %s", c.prefix, key, fmt.Sprintf(format, args...))
	}
}

// Has reports whether key is there and not null.
func (c *Config) Has(key string) bool {
	v, ok := c.values[key]
	return ok && string(v) != "null"
}

// Null reports whether key is there and null, which switches some features off
// that an absent key leaves on.
func (c *Config) Null(key string) bool {
	v, ok := c.values[key]
	return ok && string(v) == "null"
}

// Default gives key a value, in JSON, where it is absent or null.
func (c *Config) Default(key, value string) {
	if !c.Has(key) {
		c.values[key] = json.RawMessage(value)
	}
}

// IsString reports whether key is a string, of keys that hold one or something else.
func (c *Config) IsString(key string) bool { return strings.HasPrefix(string(c.values[key]), `"`) }

// Empty reports whether the object has no keys.
func (c *Config) Empty() bool { return len(c.values) == 0 }

// read decodes key into target and reports whether it was there.
func (c *Config) read(key, want string, target any) bool {
	if !c.Has(key) {
		return false
	}
	if err := json.Unmarshal(c.values[key], target); err != nil {
		c.Failf(key, "%s is not %s", abbreviate(c.values[key]), want)
		return false
	}
	return true
}

// abbreviate is the beginning of a value, for errors.
func abbreviate(raw []byte) string {
	const longest = 40
	s := strings.Join(strings.Fields(string(raw[:min(len(raw), 4*longest)])), " ")
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "…"
	}
	return s
}

// Int is the whole number key, at least 1 and at most a billion.
func (c *Config) Int(key string, absent int) int {
	return c.IntFrom(key, absent, 1)
}

// IntFrom is the whole number key, at least least.
func (c *Config) IntFrom(key string, absent, least int) int {
	var v float64
	if !c.read(key, "a whole number", &v) {
		return absent
	}
	if v != math.Trunc(v) || v < float64(least) || v > 1e9 {
		c.Failf(key, "%v is not a whole number from %d to a billion", v, least)
		return absent
	}
	return int(v)
}

// Float is the number key.
func (c *Config) Float(key string, absent float64) float64 {
	v := absent
	if !c.read(key, "a number", &v) {
		return absent
	}
	return v
}

// Positive is the number key, above 0.
func (c *Config) Positive(key string, absent float64) float64 {
	v := c.Float(key, absent)
	if !(v > 0) {
		c.Failf(key, "%v is not above 0", v)
		return absent
	}
	return v
}

// Bool is the boolean key.
func (c *Config) Bool(key string, absent bool) bool {
	v := absent
	if !c.read(key, "true or false", &v) {
		return absent
	}
	return v
}

// String is the string key.
func (c *Config) String(key, absent string) string {
	v := absent
	if !c.read(key, "a string", &v) {
		return absent
	}
	return v
}

// Strings is the list of strings key; nil where absent.
func (c *Config) Strings(key string) []string {
	var v []string
	c.read(key, "a list of strings", &v)
	return v
}

// Floats is the list of numbers key; nil where absent.
func (c *Config) Floats(key string) []float64 {
	var v []float64
	c.read(key, "a list of numbers", &v)
	return v
}

// Architecture is the first of the key architectures that is among known.
func (c *Config) Architecture(known ...string) string {
	names := c.Strings("architectures")
	for _, name := range names {
		if slices.Contains(known, name) {
			return name
		}
	}
	c.Failf("architectures", "%q has none of %q", names, known)
	return known[0]
}

// Ints is the list of whole numbers key; nil where absent.
func (c *Config) Ints(key string) []int {
	var v []int
	c.read(key, "a list of whole numbers", &v)
	return v
}

// Object is the nested object key; nil where absent. Mistakes in it are kept
// with c's own.
func (c *Config) Object(key string) *Config {
	var values map[string]json.RawMessage
	if !c.read(key, "an object", &values) {
		return nil
	}
	return &Config{values: values, prefix: c.prefix + key + ".", err: c.err}
}

// Activation is the expression function (package expr) of the activation key,
// such as hidden_act.
func (c *Config) Activation(key, absent string) string {
	name := c.String(key, absent)
	if f, ok := activations[name]; ok {
		return f
	}
	c.Failf(key, "activation %q is not known; known are gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish", name)
	return "silu"
}

// activations maps transformers' names to functions of package expr.
var activations = map[string]string{
	"silu": "silu", "swish": "silu", "relu": "relu", "gelu": "gelu",
	"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
}
