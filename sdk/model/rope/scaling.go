package rope

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model/hfconfig"
)

// A Scaling stretches a model beyond the length that its configuration was made
// for.
type Scaling struct {
	Kind   string  // linear, dynamic or yarn
	Factor float64 // length to reach, by the length before stretching; above 1

	// The others are of yarn; 0 is what Read takes where a configuration is silent.
	Original        int     // length before stretching; 0: the model's own
	AttentionFactor float64 // on cosines and sines
	BetaFast        float64 // turns within the original length above which a pair keeps its frequency
	BetaSlow        float64 // turns below which it is interpolated
}

// ScalingKinds are the kinds of a [Scaling].
func ScalingKinds() []string { return []string{"linear", "dynamic", "yarn"} }

// scalingKeys are the keys of rope_scaling and rope_parameters that describe a
// scaling; what else stands there is of the model and stays.
func scalingKeys() []string {
	return []string{
		"rope_type", "type", "factor", originalLength, "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate",
	}
}

// An object is a JSON object whose values keep the form in which they were written.
type object map[string]json.RawMessage

// Apply returns the configuration of the stretched model, in the form, old or new,
// that the configuration has. Layers whose configuration tells them apart by type
// are stretched where they have no window, for the others see no further than
// before.
//
// A model that is stretched already keeps the kind of its scaling: its weights are
// used to these frequencies. Only the factor can be another, and counts from the
// model's length before any stretching. It answers a fault.Unsupported elsewhere.
//
// Of a model that reads images too, the language model in it is stretched.
func (s Scaling) Apply(configuration []byte) ([]byte, error) {
	if !(s.Factor > 1) || math.IsInf(s.Factor, 0) {
		return nil, fault.New(fault.InvalidModel, "rope scaling by a factor of %v, want above 1", s.Factor)
	}
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return nil, err
	}
	if !c.Has("text_config") {
		return s.apply(configuration)
	}
	var whole object
	if err := json.Unmarshal(configuration, &whole); err != nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	if whole["text_config"], err = s.apply(whole["text_config"]); err != nil {
		return nil, fmt.Errorf("text_config: %w", err)
	}
	return json.Marshal(whole)
}

func (s Scaling) apply(configuration []byte) ([]byte, error) {
	c, err := hfconfig.Parse(configuration)
	if err != nil {
		return nil, err
	}
	var whole object
	if err := json.Unmarshal(configuration, &whole); err != nil {
		return nil, fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	own := Settings{Kind: "default", Length: c.Int("max_position_embeddings", 0)}
	if p := parameters(c, Options{LayerType: fullAttention}); p != nil {
		own.readKind(c, p)
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := s.fits(own); err != nil {
		return nil, err
	}
	for _, key := range s.places(c) {
		if err := s.write(whole, key, own); err != nil {
			return nil, err
		}
	}
	if s.Kind == "yarn" {
		// Some versions of transformers take the factor from these two lengths.
		original := s.original(own)
		delete(whole, originalLength)
		whole["max_position_embeddings"] = number(stretched(original, s.Factor))
	}
	return json.Marshal(whole)
}

// fullAttention is the type of layers without a window, in layer_types.
const fullAttention = "full_attention"

// fits refuses what a model of the settings cannot be given.
func (s Scaling) fits(own Settings) error {
	switch {
	case !slices.Contains(ScalingKinds(), s.Kind):
		return fault.New(fault.Unsupported, "rope type %q is none that a model can be given; there are %s", s.Kind, strings.Join(ScalingKinds(), ", "))
	case own.Kind != "default" && own.Kind != s.Kind:
		return fault.New(fault.Unsupported, "the model's positions are scaled by rope type %q already, which %q cannot replace", own.Kind, s.Kind)
	case s.Kind != "yarn":
		return nil
	}
	original := s.original(own)
	switch {
	case original == 0:
		return fault.New(fault.Unsupported, "the length before scaling is not known: config.json has no max_position_embeddings")
	case own.Kind == "default" && stretched(original, s.Factor) <= own.Length:
		return fault.New(fault.Unsupported, "%d tokens by a factor of %v are no more than the model's own %d", original, s.Factor, own.Length)
	}
	return nil
}

// original is the length before stretching.
func (s Scaling) original(own Settings) int {
	if own.Kind == "default" {
		return cmp.Or(s.Original, own.Length)
	}
	return cmp.Or(s.Original, own.original)
}

// places are the keys of the configuration that hold the settings: both where both
// are there, so that every reader finds the same.
func (s Scaling) places(c *hfconfig.Config) []string {
	var keys []string
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if p := c.Object(key); p != nil && !p.Empty() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return []string{"rope_scaling"}
	}
	return keys
}

// write puts the scaling into the object key, or into that object's own for layers
// without a window.
func (s Scaling) write(whole object, key string, own Settings) error {
	p, err := objectAt(whole, key)
	if err != nil {
		return fault.New(fault.InvalidModel, "config.json: %w", err)
	}
	layers, err := objectAt(p, fullAttention)
	if err != nil {
		return fault.New(fault.InvalidModel, "config.json: %s.%w", key, err)
	}
	_, nested := p[fullAttention]
	switch {
	case nested && len(layers) == 0:
		return fault.New(fault.Unsupported, "config.json: %s.%s is empty: these layers have no positions to scale", key, fullAttention)
	case nested:
		s.settle(layers, own)
		if p[fullAttention], err = json.Marshal(layers); err != nil {
			return err
		}
	default:
		for name, v := range p {
			if v[0] == '{' {
				return fault.New(fault.Unsupported, "config.json: %s tells layers apart, such as %s, and says nothing of %s", key, name, fullAttention)
			}
		}
		s.settle(p, own)
	}
	whole[key], err = json.Marshal(p)
	return err
}

// objectAt is the object key of o, an empty one where it is absent or null.
func objectAt(o object, key string) (object, error) {
	in := object{}
	if raw, ok := o[key]; ok && string(raw) != "null" {
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return in, nil
}

// settle replaces what p says of scaling. Of a model's own yarn the settings that
// do not follow from the factor stay.
func (s Scaling) settle(p object, own Settings) {
	var keep []string
	if own.Kind == "yarn" {
		keep = []string{"beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"}
	}
	maps.DeleteFunc(p, func(key string, _ json.RawMessage) bool {
		return slices.Contains(scalingKeys(), key) && !slices.Contains(keep, key)
	})
	p["rope_type"], p["factor"] = json.RawMessage(`"`+s.Kind+`"`), number(s.Factor)
	if s.Kind != "yarn" {
		return
	}
	p[originalLength] = number(s.original(own))
	for key, v := range map[string]float64{"attention_factor": s.AttentionFactor, "beta_fast": s.BetaFast, "beta_slow": s.BetaSlow} {
		if v != 0 {
			p[key] = number(v)
		}
	}
}

// number is a number as JSON has it, a whole one of type float64 with its point:
// transformers asks for factors to be floats.
func number[N int | float64](v N) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // neither infinite nor no number
	}
	if _, isFloat := any(v).(float64); isFloat && !bytes.ContainsAny(data, ".e") {
		data = append(data, '.', '0')
	}
	return data
}
