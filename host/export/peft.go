package export

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// AdapterConfigFile is the file that describes an adapter beside its weights.
const AdapterConfigFile = "adapter_config.json"

// adapterConfig is adapter_config.json as PEFT reads it: the keys that every
// version since 0.6 knows, and lora_bias, ensure_weight_tying and
// trainable_token_indices where they are used.
type adapterConfig struct {
	AlphaPattern      map[string]float64 `json:"alpha_pattern"`
	AutoMapping       any                `json:"auto_mapping"`
	BaseModel         string             `json:"base_model_name_or_path"`
	Bias              string             `json:"bias"`
	EnsureWeightTying bool               `json:"ensure_weight_tying,omitempty"`
	FanInFanOut       bool               `json:"fan_in_fan_out"`
	InferenceMode     bool               `json:"inference_mode"`
	InitLoRAWeights   bool               `json:"init_lora_weights"`
	LayerReplication  any                `json:"layer_replication"`
	LayersPattern     any                `json:"layers_pattern"`
	LayersToTransform []int              `json:"layers_to_transform"`
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
	TargetParameters  []string           `json:"target_parameters,omitempty"`
	TaskType          string             `json:"task_type"`
	TokenIndices      any                `json:"trainable_token_indices,omitempty"`
	UseDoRA           bool               `json:"use_dora"`
	UseRSLoRA         bool               `json:"use_rslora"`
}

// AdapterConfig is adapter_config.json for the adapter of g. base is what the
// run file calls the model; bias is PEFT's option of that name.
func AdapterConfig(g *graph.Graph, base string, bias adapt.Bias) ([]byte, error) {
	if bias == "" {
		bias = adapt.BiasNone
	}
	d, ok := adapt.Describe(g)
	if !ok {
		return nil, fmt.Errorf("adapter: the model has none")
	}
	c := adapterConfig{
		AlphaPattern: d.AlphaPattern, RankPattern: d.RankPattern, LoftQConfig: map[string]any{},
		BaseModel: base, Bias: string(bias), InferenceMode: true, InitLoRAWeights: true, MegatronCore: "megatron.core",
		PEFTType: "LORA", TaskType: "CAUSAL_LM", TargetModules: d.TargetModules, LayersToTransform: d.LayersToTransform,
		TargetParameters: d.TargetParameters, Rank: d.Rank, Alpha: d.Alpha, ModulesToSave: d.ModulesToSave, EnsureWeightTying: d.EnsureWeightTying,
		TokenIndices: adapt.PEFTTokens(g),
	}
	for _, n := range g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil { // what all of them share
			c.Dropout, c.UseRSLoRA = a.Dropout, a.RSLoRA
			c.LoRABias, c.UseDoRA = a.Bias != graph.NoParam, a.Magnitude != graph.NoParam
			break
		}
	}
	if len(d.TargetParameters) > 0 {
		c.Dropout = 0 // which PEFT refuses there; it is for training alone
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
	f, err := os.Open(path)
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("adapter: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("adapter: %w", err)
	}
	if len(data) > maxConfig {
		return adapt.LoRA{}, fmt.Errorf("adapter: %s has more than %d bytes", path, maxConfig)
	}
	l, err := adapt.ParseConfig(data)
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("adapter: %s: %w", path, err)
	}
	return l, nil
}
