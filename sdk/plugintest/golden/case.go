package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

// A Case is a case.json and the tensors beside it.
type Case struct {
	Folder string `json:"-"`

	Model     string // its name
	MaxLength int    `json:"max_length"`
	Adapter   *Adapter
	Optimizer struct {
		Beta1, Beta2, Epsilon float64
		WeightDecay           float64 `json:"weight_decay"`
		MaxGradNorm           float64 `json:"max_grad_norm"`
	}
	Documents []Document
	Steps     []Step
	Losses    []float64 // of each step, a mean over its supervised tokens
	GradNorms []float64 `json:"grad_norms"` // before clipping
	Probes    [][]int32 // documents whose logits were taken

	Tensors map[string][]float32 `json:"-"`
}

// An Adapter is a LoRA in the terms of package adapt.
type Adapter struct {
	Rank     int
	Alpha    float64
	RSLoRA   bool
	Targets  []string
	Bias     adapt.Bias
	LoRABias bool `json:"lora_bias"`
	DoRA     bool
	Init     adapt.Init
	Exclude  []string
	Layers   []int
	Ranks    map[string]int
	Alphas   map[string]float64
	Modules  []string `json:"also_train"`
}

// A Document is one to learn from.
type Document struct {
	IDs    []int32
	Masked int // so many tokens at the beginning are not learnt
}

// A Step is an optimizer step.
type Step struct {
	Rate    float64
	Batches [][]int // documents by micro-batch
}

// Read reads the case of a folder.
func Read(folder string) (*Case, error) {
	c := &Case{}
	return c, c.read(folder, c)
}

// ReadInto is [Read] for a case whose case.json says more: into is a pointer to a
// struct that c is embedded in.
func (c *Case) ReadInto(folder string, into any) error { return c.read(folder, into) }

func (c *Case) read(folder string, into any) error {
	data, err := os.ReadFile(filepath.Join(folder, "case.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(folder, "case.json"), err)
	}
	c.Folder = folder
	c.Tensors, err = ReadTensors(filepath.Join(folder, "golden.safetensors"))
	return err
}

// ReadTensors reads a file of tensors whole.
func ReadTensors(path string) (map[string][]float32, error) {
	c, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := map[string][]float32{}
	for tensor := range c.Tensors() {
		v := make([]float32, tensor.Elements())
		if err := tensor.Float32(v, 0); err != nil {
			return nil, err
		}
		out[tensor.Name] = v
	}
	return out, nil
}

// LoRA is the case's adapter on a Graph.
func (c *Case) LoRA(g *graph.Graph) (adapt.LoRA, error) {
	a := c.Adapter
	return adapt.LoRA{
		Rank: a.Rank, Alpha: a.Alpha, RSLoRA: a.RSLoRA, Targets: a.Targets, Exclude: a.Exclude, Layers: a.Layers,
		Modules: a.Modules, Bias: a.Bias, LoRABias: a.LoRABias, DoRA: a.DoRA, Init: a.Init,
	}.Except(g, a.Ranks, a.Alphas)
}

// Mark puts the case's adapter on a Graph, and says what it is called; without one all
// parameters are trained, and the name is "".
func (c *Case) Mark(g *graph.Graph) (marked *graph.Graph, adapter string, err error) {
	if c.Adapter == nil {
		return adapt.Full(g), "", nil
	}
	l, err := c.LoRA(g)
	if err != nil {
		return nil, "", err
	}
	marked, err = adapt.Apply(g, l)
	return marked, adapt.DefaultName, err
}

// AdamW is the case's optimizer.
func (c *Case) AdamW() kernels.Optimizer {
	o := c.Optimizer
	return kernels.Optimizer{
		Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, WeightDecay: o.WeightDecay, MaxGradNorm: o.MaxGradNorm,
	}
}

// Step is the i-th optimizer step, documents packed as the case says.
func (c *Case) Step(i int) *kernels.Step {
	s := &kernels.Step{Number: int64(i + 1), LearningRate: c.Steps[i].Rate, Objective: kernels.CrossEntropy}
	for _, documents := range c.Steps[i].Batches {
		b := &graph.Batch{}
		for _, d := range documents {
			doc := c.Documents[d]
			b.Append(int32(d), doc.IDs, WeightsFrom(doc.Masked, len(doc.IDs)))
		}
		s.Batches = append(s.Batches, b)
	}
	return s
}

// Supervised is the number of predictions that the i-th step learns from.
func (c *Case) Supervised(i int) float64 {
	n := 0
	for _, d := range slices.Concat(c.Steps[i].Batches...) {
		doc := c.Documents[d]
		n += max(0, len(doc.IDs)-max(1, doc.Masked))
	}
	return float64(n)
}

// Pack lays documents end to end as one micro-batch.
func Pack(documents ...[]int32) *graph.Batch {
	b := &graph.Batch{}
	for i, ids := range documents {
		b.Append(int32(i), ids, WeightsFrom(0, len(ids)))
	}
	return b
}

// WeightsFrom are n weights, 0 for the first masked and 1 for the others.
func WeightsFrom(masked, n int) []float32 {
	w := make([]float32, n)
	for i := min(masked, n); i < n; i++ {
		w[i] = 1
	}
	return w
}
