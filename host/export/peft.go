package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// AdapterConfigFile is the file that describes an adapter beside its weights.
const AdapterConfigFile = "adapter_config.json"

// adapterConfig is adapter_config.json as PEFT reads it: the keys that every
// version since 0.6 knows, and lora_bias where it is used.
type adapterConfig struct {
	AlphaPattern      map[string]float64 `json:"alpha_pattern"`
	AutoMapping       any                `json:"auto_mapping"`
	BaseModel         string             `json:"base_model_name_or_path"`
	Bias              string             `json:"bias"`
	FanInFanOut       bool               `json:"fan_in_fan_out"`
	InferenceMode     bool               `json:"inference_mode"`
	InitLoRAWeights   bool               `json:"init_lora_weights"`
	LayerReplication  any                `json:"layer_replication"`
	LayersPattern     any                `json:"layers_pattern"`
	LayersToTransform any                `json:"layers_to_transform"`
	LoftQConfig       map[string]any     `json:"loftq_config"`
	Alpha             float64            `json:"lora_alpha"`
	LoRABias          bool               `json:"lora_bias,omitempty"`
	Dropout           float64            `json:"lora_dropout"`
	MegatronConfig    any                `json:"megatron_config"`
	MegatronCore      string             `json:"megatron_core"`
	ModulesToSave     []string           `json:"modules_to_save"`
	PEFTType          string             `json:"peft_type"`
	Rank              int                `json:"r"`
	RankPattern       map[string]int     `json:"rank_pattern"`
	Revision          any                `json:"revision"`
	TargetModules     []string           `json:"target_modules"`
	TaskType          string             `json:"task_type"`
	UseDoRA           bool               `json:"use_dora"`
	UseRSLoRA         bool               `json:"use_rslora"`
}

// AdapterConfig is adapter_config.json for the adapter of g. base is what the
// run file calls the model; bias is PEFT's option of that name.
func AdapterConfig(g *graph.Graph, base string, bias adapt.Bias) ([]byte, error) {
	if bias == "" {
		bias = adapt.BiasNone
	}
	c := adapterConfig{
		AlphaPattern: map[string]float64{}, RankPattern: map[string]int{}, LoftQConfig: map[string]any{},
		BaseModel: base, Bias: string(bias), InferenceMode: true, InitLoRAWeights: true, MegatronCore: "megatron.core",
		PEFTType: "LORA", TaskType: "CAUSAL_LM", TargetModules: adapt.PEFTTargets(g),
	}
	first := true
	for _, i := range g.Linears() {
		a := graph.AdapterOf(g.Nodes[i].Op)
		if a == nil {
			continue
		}
		if first {
			c.Rank, c.Alpha, c.Dropout, c.UseRSLoRA = a.Rank, a.Alpha, a.Dropout, a.RSLoRA
			c.LoRABias, c.UseDoRA = a.Bias != graph.NoParam, a.Magnitude != graph.NoParam
			first = false
		}
		if a.Rank != c.Rank || a.Alpha != c.Alpha {
			return nil, fmt.Errorf("adapter: ranks and alphas differ between modules")
		}
	}
	if first {
		return nil, fmt.Errorf("adapter: the model has none")
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// maxConfig bounds an adapter_config.json.
const maxConfig = 1 << 20

// ReadAdapterConfig reads the adapter_config.json in a folder as the options
// that would make the same adapter, for a run that starts from it.
func ReadAdapterConfig(folder string) (adapt.LoRA, error) {
	path := filepath.Join(folder, AdapterConfigFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("adapter: %w", err)
	}
	if len(data) > maxConfig {
		return adapt.LoRA{}, fmt.Errorf("adapter: %s has %d bytes", path, len(data))
	}
	l, err := parseAdapterConfig(data)
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("adapter: %s: %w", path, err)
	}
	return l, nil
}

func parseAdapterConfig(data []byte) (adapt.LoRA, error) {
	// PEFT's own defaults for what a file leaves out.
	c := struct {
		Type          string          `json:"peft_type"`
		Rank          int             `json:"r"`
		Alpha         float64         `json:"lora_alpha"`
		Dropout       float64         `json:"lora_dropout"`
		RSLoRA        bool            `json:"use_rslora"`
		DoRA          bool            `json:"use_dora"`
		LoRABias      bool            `json:"lora_bias"`
		Bias          adapt.Bias      `json:"bias"`
		Targets       json.RawMessage `json:"target_modules"`
		RankPattern   map[string]any  `json:"rank_pattern"`
		AlphaPattern  map[string]any  `json:"alpha_pattern"`
		ModulesToSave []string        `json:"modules_to_save"`
		Layers        json.RawMessage `json:"layers_to_transform"`
	}{Rank: 8, Alpha: 8, Bias: adapt.BiasNone}
	if err := json.Unmarshal(data, &c); err != nil {
		return adapt.LoRA{}, err
	}
	switch {
	case c.Type != "LORA":
		return adapt.LoRA{}, fmt.Errorf("peft_type is %q, hone takes LORA", c.Type)
	case c.DoRA:
		return adapt.LoRA{}, fmt.Errorf("use_dora is set, which hone does not train yet")
	case len(c.RankPattern)+len(c.AlphaPattern)+len(c.ModulesToSave) > 0, len(c.Layers) > 0 && string(c.Layers) != "null":
		return adapt.LoRA{}, fmt.Errorf("rank_pattern, alpha_pattern, modules_to_save and layers_to_transform are not taken yet")
	}
	l := adapt.LoRA{
		Rank: c.Rank, Alpha: c.Alpha, RSLoRA: c.RSLoRA, Dropout: c.Dropout, Bias: c.Bias, LoRABias: c.LoRABias,
	}
	if bytes.HasPrefix(bytes.TrimSpace(c.Targets), []byte{'"'}) {
		var one string
		if err := json.Unmarshal(c.Targets, &one); err != nil {
			return l, err
		}
		if one != "all-linear" {
			return l, fmt.Errorf("target_modules is the pattern %q; hone takes a list of names, or all-linear", one)
		}
		l.Targets = []string{adapt.Auto}
		return l, nil
	}
	if err := json.Unmarshal(c.Targets, &l.Targets); err != nil || len(l.Targets) == 0 {
		return l, fmt.Errorf("target_modules is no list of names")
	}
	return l, nil
}
