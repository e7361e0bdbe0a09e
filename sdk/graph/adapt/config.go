package adapt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// peftConfig is what hone reads of PEFT's adapter_config.json.
type peftConfig struct {
	Type     string  `json:"peft_type"`
	Rank     int     `json:"r"`
	Alpha    float64 `json:"lora_alpha"`
	Dropout  float64 `json:"lora_dropout"`
	RSLoRA   bool    `json:"use_rslora"`
	LoRABias bool    `json:"lora_bias"`
	DoRA     bool    `json:"use_dora"`
	Bias     Bias    `json:"bias"`

	TargetModules     json.RawMessage `json:"target_modules"`
	TargetParameters  []string        `json:"target_parameters"`
	ExcludeModules    json.RawMessage `json:"exclude_modules"`
	LayersToTransform json.RawMessage `json:"layers_to_transform"`
	LayersPattern     json.RawMessage `json:"layers_pattern"`
	RankPattern       json.RawMessage `json:"rank_pattern"`
	AlphaPattern      json.RawMessage `json:"alpha_pattern"`
	ModulesToSave     []string        `json:"modules_to_save"`
	TrainableTokens   json.RawMessage `json:"trainable_token_indices"`

	// InitWeights is a name or whether to initialise at all.
	InitWeights json.RawMessage `json:"init_lora_weights"`

	// Those that mean an adapter hone does not have.
	LayerReplication json.RawMessage `json:"layer_replication"`
}

// ParseConfig reads PEFT's adapter_config.json as the options that make the same
// adapter. What hone does not train is refused by PEFT's name of it.
func ParseConfig(data []byte) (LoRA, error) {
	c := peftConfig{Type: "LORA", Rank: 8, Alpha: 8, Bias: BiasNone} // PEFT's defaults
	if err := json.Unmarshal(data, &c); err != nil {
		return LoRA{}, err
	}
	if c.Type != "LORA" {
		return LoRA{}, fmt.Errorf("its peft_type is %q; hone trains LORA adapters", c.Type)
	}
	for _, b := range []struct {
		used bool
		name string
	}{
		{!isNull(c.LayerReplication), "layer_replication"},
	} {
		if b.used {
			return LoRA{}, fmt.Errorf("it uses %s, which hone does not train", b.name)
		}
	}
	if name := c.changesBase(); name != "" {
		return LoRA{}, fmt.Errorf("its init_lora_weights is %q: it fits a base that PEFT changed by it, and hone changes none; "+
			"save it in PEFT with path_initial_model_for_weight_conversion, which makes a plain adapter of it", name)
	}
	l := LoRA{Rank: c.Rank, Alpha: c.Alpha, RSLoRA: c.RSLoRA, Dropout: c.Dropout, Bias: c.Bias, LoRABias: c.LoRABias, DoRA: c.DoRA, Tokens: !isNull(c.TrainableTokens)}
	for _, name := range c.ModulesToSave {
		// PEFT takes what ends with the name, wherever a part of the path begins, and
		// all that is within.
		l.Modules = append(l.Modules, expressionMark+".*"+regexp.QuoteMeta(name)+`(\..*)?`)
	}
	var err error
	if l.Targets, err = peftNames(c.TargetModules); err != nil || len(l.Targets)+len(c.TargetParameters) == 0 {
		return LoRA{}, errors.New("its target_modules are no list of names and no regular expression")
	}
	for _, name := range c.TargetParameters {
		if name == "" || name == Auto {
			return LoRA{}, errors.New("its target_parameters are no list of names")
		}
		l.Targets = append(l.Targets, name)
	}
	if l.Exclude, err = peftNames(c.ExcludeModules); err != nil {
		return LoRA{}, errors.New("its exclude_modules are no list of names and no regular expression")
	}
	if l.Layers, err = c.layers(); err != nil {
		return LoRA{}, err
	}
	if len(c.TargetParameters) > 0 && (len(l.Layers) > 0 || len(l.Exclude) > 0) {
		return LoRA{}, errors.New("it uses target_parameters beside layers_to_transform or exclude_modules, which do not count for these; hone has no such adapter")
	}
	if l.Ranks, err = peftExceptions[int](c.RankPattern); err != nil {
		return LoRA{}, fmt.Errorf("its rank_pattern: %w", err)
	}
	if l.Alphas, err = peftExceptions[float64](c.AlphaPattern); err != nil {
		return LoRA{}, fmt.Errorf("its alpha_pattern: %w", err)
	}
	return l, l.check()
}

// changesBase is the init_lora_weights that has PEFT change the base's weights; "" for
// those that leave them as they are.
func (c *peftConfig) changesBase() string {
	var name string
	if json.Unmarshal(c.InitWeights, &name) != nil {
		return ""
	}
	for _, kind := range []string{"pissa", "corda", "olora", "loftq", "lora_ga"} {
		if strings.HasPrefix(strings.ToLower(name), kind) {
			return name
		}
	}
	return ""
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// peftNames reads names of modules: a list, or a regular expression of whole paths, of
// which one is a word of its own.
func peftNames(raw json.RawMessage) ([]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var expression string
	if json.Unmarshal(raw, &expression) == nil {
		if expression == "all-linear" {
			return []string{Auto}, nil
		}
		p, err := parsePattern(expressionMark + expression)
		return []string{p.text}, err
	}
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil || slices.Contains(names, "") {
		return nil, errors.New("no list of names")
	}
	return names, nil
}

// layers reads layers_to_transform. That layers_pattern names what they are called is
// no matter where it names what everybody calls them.
func (c *peftConfig) layers() ([]int, error) {
	if isNull(c.LayersToTransform) {
		return nil, nil
	}
	if p := string(c.LayersPattern); !isNull(c.LayersPattern) && p != `""` && p != `"layers"` {
		var names []string
		if json.Unmarshal(c.LayersPattern, &names) != nil || len(names) > 1 || len(names) == 1 && names[0] != "layers" {
			return nil, errors.New("it uses layers_pattern, which hone does not know")
		}
	}
	var one int
	if json.Unmarshal(c.LayersToTransform, &one) == nil {
		return []int{one}, nil
	}
	var several []int
	if err := json.Unmarshal(c.LayersToTransform, &several); err != nil {
		return nil, errors.New("its layers_to_transform is no list of whole numbers")
	}
	return several, nil
}

// peftExceptions reads rank_pattern or alpha_pattern in the file's order, in which the
// first counts. Their keys are regular expressions of a path's last parts, most of them
// plain names.
func peftExceptions[T int | float64](raw json.RawMessage) ([]Exception[T], error) {
	if isNull(raw) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("it is no object")
	}
	var out []Exception[T]
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		var value T
		if err := d.Decode(&value); err != nil || value <= 0 {
			return nil, fmt.Errorf("the value of %.100q is no size", name)
		}
		text := strings.ReplaceAll(name, `\.`, ".")
		if !plainName.MatchString(text) {
			text = expressionMark + `(.*\.)?(` + name + `)`
		}
		if _, err := parsePattern(text); err != nil {
			return nil, err
		}
		out = append(out, Exception[T]{text, value})
	}
	return out, nil
}

// plainName is what a regular expression means as it stands.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.]+$`)
