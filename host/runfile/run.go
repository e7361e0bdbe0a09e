package runfile

import (
	"cmp"

	"github.com/honeml/hone/host/runfile/internal/formula"
)

// A Run is what a run file asks for, with every default filled in. Paths are
// absolute. Zero values mean what the comments say.
type Run struct {
	Name  string      `json:"name"` // fit for the name of a folder
	Seed  uint64      `json:"seed"` // at most 2^53
	Model ModelConfig `json:"model"`
	// Tokens are added to the model's, or trained; nil: none.
	Tokens *TokensConfig `json:"tokens,omitempty"`
	// RoPEScaling stretches the model; nil: it stays as it is.
	RoPEScaling *RoPEScaling     `json:"rope_scaling,omitempty"`
	Adapter     AdapterConfig    `json:"adapter"`
	Data        DataConfigs      `json:"data"`
	Train       TrainConfig      `json:"train"`
	Evaluate    EvaluateConfig   `json:"evaluate"`
	Checkpoint  CheckpointConfig `json:"checkpoint"`
	Metrics     []Metric         `json:"metrics"`
	Kernels     PluginBlock      `json:"kernels"`
	// KernelsChosen says that the run file has no kernels block: Kernels is the host's
	// choice.
	KernelsChosen bool `json:"kernels_chosen,omitempty"`
	// MemoryLimit is kernels.memory_limit in bytes; 0: what the device has.
	MemoryLimit  int64          `json:"memory_limit"`
	Loggers      []PluginBlock  `json:"loggers"`
	Exports      []Export       `json:"exports"`
	Requirements []Requirement  `json:"required_plugins"`
	Variables    map[string]any `json:"variables"` // as they were set; sensitive ones are "(sensitive)"
	File         string         `json:"file"`      // the run file

	source *source
}

// A ModelConfig says which model, and how its weights are held.
type ModelConfig struct {
	// Source is hf://OWNER/NAME, or the path of a folder or of a .gguf file.
	Source   string `json:"source" config:"source"`
	Revision string `json:"revision,omitempty" config:"revision"` // of a model of the Hub; "": its main branch
	DType    string `json:"dtype" config:"dtype"`                 // auto, float32, bfloat16, float16
	Quantize string `json:"quantize" config:"quantize"`           // none, or a name that the kernels plugin knows
}

// A TokensConfig says which tokens a model gets, and of which the rows are trained:
// of those that it gets, and of Train.
type TokensConfig struct {
	Add     []string `json:"add,omitempty" config:"add"`
	Special bool     `json:"special" config:"special"` // those of Add
	Train   []string `json:"train,omitempty" config:"train"`
}

// The kinds of RoPE scaling.
const (
	ScalingLinear  = "linear"
	ScalingDynamic = "dynamic"
	ScalingYaRN    = "yarn"
)

// A RoPEScaling stretches the model's positions beyond its own length. The fields
// after Factor are of ScalingYaRN; 0 is the usual value.
type RoPEScaling struct {
	Kind            string  `json:"kind"`
	Factor          float64 `json:"factor" config:"factor"`
	OriginalLength  int     `json:"original_length,omitempty" config:"original_length"` // in tokens
	AttentionFactor float64 `json:"attention_factor,omitempty" config:"attention_factor"`
	BetaFast        float64 `json:"beta_fast,omitempty" config:"beta_fast"`
	BetaSlow        float64 `json:"beta_slow,omitempty" config:"beta_slow"`
}

// betas are BetaSlow and BetaFast with their usual values.
func (s *RoPEScaling) betas() (slow, fast float64) {
	return cmp.Or(s.BetaSlow, 1), cmp.Or(s.BetaFast, 32)
}

// The kinds of adapters.
const (
	AdapterLoRA = "lora"
	AdapterFull = "full" // the model's own parameters are trained
)

// An AdapterConfig says what is trained.
type AdapterConfig struct {
	Kind    string   `json:"kind"` // AdapterLoRA or AdapterFull, which has no other field
	Rank    int      `json:"rank" config:"rank"`
	Alpha   float64  `json:"alpha" config:"alpha"`
	Targets []string `json:"targets" config:"targets"` // "auto" alone, or names and patterns
	Exclude []string `json:"exclude,omitempty" config:"exclude"`
	Layers  []int    `json:"layers,omitempty" config:"layers"` // none: all
	// Ranks and Alphas are those of linears that a name or pattern is of.
	Ranks     map[string]int     `json:"ranks,omitempty" config:"ranks"`
	Alphas    map[string]float64 `json:"alphas,omitempty" config:"alphas"`
	AlsoTrain []string           `json:"also_train,omitempty" config:"also_train"` // modules, in full
	Dropout   float64            `json:"dropout" config:"dropout"`
	RSLoRA    bool               `json:"rslora" config:"rslora"`
	DoRA      bool               `json:"dora" config:"dora"`
	Init      string             `json:"init" config:"init"` // lora, pissa
	Bias      string             `json:"bias" config:"bias"` // none, all, lora_only
	LoRABias  bool               `json:"lora_bias" config:"lora_bias"`
	From      string             `json:"from" config:"from"` // folder of a PEFT adapter to start from
}

// DataConfigs say what is trained and evaluated on.
type DataConfigs struct {
	Train []DataConfig `json:"train"` // at least one; they follow each other
	Eval  []DataConfig `json:"eval"`
	// EvalFraction of the training documents are set aside for evaluation; 0: none.
	// Eval is then empty.
	EvalFraction float64 `json:"eval_fraction"`
	Shuffle      bool    `json:"shuffle"` // the training documents, all of them together
	Packing      bool    `json:"packing"`
}

// A DataConfig is one source of documents and how it is read.
type DataConfig struct {
	Source       string `json:"source" config:"source"` // path of a file, or hf://datasets/…
	AppendEOS    bool   `json:"append_eos" config:"append_eos"`
	Loss         string `json:"loss" config:"loss"`                             // auto, all, completion, assistant
	Overlong     string `json:"overlong" config:"overlong"`                     // truncate, split, skip, stop
	OnError      string `json:"on_error" config:"on_error"`                     // stop, skip
	ChatTemplate string `json:"chat_template,omitempty" config:"chat_template"` // its text; "": the model's own
}

// A TrainConfig says how long and how.
type TrainConfig struct {
	Epochs           int        `json:"epochs" config:"epochs"` // or Steps
	Steps            int64      `json:"steps" config:"steps"`
	TokensPerStep    int        `json:"tokens_per_step" config:"tokens_per_step"` // or DocumentsPerStep
	DocumentsPerStep int        `json:"documents_per_step" config:"documents_per_step"`
	MaxLength        int        `json:"max_length" config:"max_length"` // of a document, in tokens
	LearningRate     float64    `json:"learning_rate" config:"learning_rate"`
	Schedule         string     `json:"schedule" config:"schedule"`   // constant, linear, cosine
	Warmup           float64    `json:"warmup" config:"warmup"`       // below 1 a fraction of the steps, else steps
	Precision        string     `json:"precision" config:"precision"` // bf16, fp16, fp32
	WeightDecay      float64    `json:"weight_decay" config:"weight_decay"`
	Betas            [2]float64 `json:"betas" config:"betas"`
	Epsilon          float64    `json:"epsilon" config:"epsilon"`
	MaxGradNorm      float64    `json:"max_grad_norm" config:"max_grad_norm"`   // 0: no clipping
	ExpertBalance    float64    `json:"expert_balance" config:"expert_balance"` // coefficient of the loss; 0: none
}

// An EvaluateConfig says when and how a run is evaluated.
type EvaluateConfig struct {
	Every       int64    `json:"every" config:"every"` // steps; 0: at the end alone
	Prompts     []string `json:"prompts" config:"prompts"`
	MaxTokens   int      `json:"max_tokens" config:"max_tokens"` // of an answer to a prompt
	Temperature float64  `json:"temperature" config:"temperature"`
}

// A CheckpointConfig says what is kept.
type CheckpointConfig struct {
	Every int64 `json:"every" config:"every"` // steps; 0: at the end alone
	Keep  int   `json:"keep" config:"keep"`   // the newest, at least 1
	Best  bool  `json:"best" config:"best"`   // the result is the best evaluation's checkpoint, not the last
}

// A Metric is a formula over a step's variables, logged under its name.
type Metric struct {
	Name    string
	formula *formula.Formula
}

// ErrNoValue says that a step lacks a variable of a metric, such as eval_loss
// before the first evaluation. The metric then has no value at that step.
var ErrNoValue = formula.ErrNoValue

// Eval computes the metric from a step's variables, which [MetricVariables] lists.
func (m Metric) Eval(vars map[string]float64) (float64, error) { return m.formula.Eval(vars) }

// Variables are the names of the variables that the metric refers to, sorted.
func (m Metric) Variables() []string { return m.formula.Variables() }

// Expression is the metric's formula as text.
func (m Metric) Expression() string { return m.formula.String() }

// The kinds of plugins' blocks.
const (
	KindKernels = "kernels"
	KindLogger  = "logger"
)

// A PluginBlock is what a run file says to a plugin.
type PluginBlock struct {
	Kind string // KindKernels or KindLogger
	Name string // the block's label: cpu, tensorboard
	// Values are the attributes, for config.Decode, with the schema's defaults.
	// Secrets among them are for the plugin alone: never log this map.
	Values map[string]any
	// Secrets are the paths of sensitive values, each an attribute's name and then
	// keys and indices. The first element alone is enough to hide them all.
	Secrets []Secret
	// Env are the variables of the environment that env() read for this block,
	// sorted: what the plugin may see of them.
	Env []string

	withheld map[string]any // attributes whose secrets JSON did not bring
}

// A Secret is a sensitive value of a plugin's block.
type Secret struct {
	Path []string `json:"path"`
	// Env is the variable of the environment whose value it is, unchanged; "" where
	// it is computed, or another's.
	Env string `json:"env,omitempty"`
}

// Ref is how [Run.Diagnose] knows the block.
func (b *PluginBlock) Ref() Ref { return Ref{Block: b.Kind, Label: b.Name} }

// The kinds of exports.
const (
	ExportMerged = "merged" // safetensors of the base's dtype, adapter merged in
	ExportGGUF   = "gguf"
)

// An Export is something to make of the result.
type Export struct {
	Kind string `json:"kind"`
	Type string `json:"type,omitempty" config:"type"` // of a GGUF file's weights, such as Q8_0
	Path string `json:"path,omitempty" config:"path"` // "": in the run's folder
}
