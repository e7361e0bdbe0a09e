package parity

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

// A golden is a case.json that gen_parity.py wrote, and the files beside it.
type golden struct {
	Name   string
	Folder string

	Model     string
	MaxLength int `json:"max_length"`
	Adapter   *struct {
		Rank     int
		Alpha    float64
		RSLoRA   bool
		Targets  []string
		Bias     adapt.Bias
		LoRABias bool `json:"lora_bias"`
	}
	Optimizer struct {
		Beta1, Beta2, Epsilon float64
		WeightDecay           float64 `json:"weight_decay"`
		MaxGradNorm           float64 `json:"max_grad_norm"`
	}
	Documents []struct {
		IDs    []int32
		Masked int // so many tokens at the beginning are not learnt
	}
	Steps []struct {
		Rate    float64
		Batches [][]int // documents by micro-batch
	}
	Losses    []float64
	GradNorms []float64 `json:"grad_norms"`
	Probes    [][]int32
	Prompts   [][]int32
	Greedy    struct{ Base, Start, Trained [][]int32 }

	tensors map[string][]float32
}

// cases lists the names of all cases.
func cases(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", "cases"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) < 18 {
		t.Fatalf("testdata/cases has only %v", names)
	}
	return names
}

func readGolden(t *testing.T, name string) *golden {
	t.Helper()
	g := &golden{Name: name, Folder: filepath.Join("testdata", "cases", name)}
	data, err := os.ReadFile(filepath.Join(g.Folder, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	g.tensors = readTensors(t, filepath.Join(g.Folder, "golden.safetensors"))
	return g
}

// readTensors reads a file of tensors whole.
func readTensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	c, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := map[string][]float32{}
	for tensor := range c.Tensors() {
		v := make([]float32, tensor.Elements())
		if err := tensor.Float32(v, 0); err != nil {
			t.Fatal(err)
		}
		out[tensor.Name] = v
	}
	return out
}

// tensor is a golden tensor that has to be there.
func (g *golden) tensor(t *testing.T, name string) []float32 {
	t.Helper()
	v, ok := g.tensors[name]
	if !ok {
		t.Fatalf("%s: golden.safetensors has no %q", g.Name, name)
	}
	return v
}

// checkpoint is a folder with the case's configuration and its model's weights, as
// a checkpoint of its own. config is the name of the configuration's file.
func (g *golden) checkpoint(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	from := filepath.Join("testdata", "models", g.Model)
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		copyFile(t, filepath.Join(from, e.Name()), filepath.Join(dir, e.Name()))
	}
	if own := filepath.Join(g.Folder, config); exists(own) {
		copyFile(t, own, filepath.Join(dir, "config.json"))
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// lora is the case's adapter.
func (g *golden) lora() adapt.LoRA {
	a := g.Adapter
	return adapt.LoRA{Rank: a.Rank, Alpha: a.Alpha, RSLoRA: a.RSLoRA, Targets: a.Targets, Bias: a.Bias, LoRABias: a.LoRABias}
}

func (g *golden) optimizer() kernels.Optimizer {
	o := g.Optimizer
	return kernels.Optimizer{
		Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, WeightDecay: o.WeightDecay, MaxGradNorm: o.MaxGradNorm,
	}
}

// step is the case's i-th optimizer step, documents packed as it says.
func (g *golden) step(i int) *kernels.Step {
	s := &kernels.Step{Number: int64(i + 1), LearningRate: g.Steps[i].Rate, Objective: kernels.CrossEntropy}
	for _, documents := range g.Steps[i].Batches {
		b := &graph.Batch{}
		for _, d := range documents {
			doc := g.Documents[d]
			b.Append(int32(d), doc.IDs, weightsFrom(doc.Masked, len(doc.IDs)))
		}
		s.Batches = append(s.Batches, b)
	}
	return s
}

// weightsFrom are n weights, 0 for the first masked and 1 for the others.
func weightsFrom(masked, n int) []float32 {
	w := make([]float32, n)
	for i := min(masked, n); i < n; i++ {
		w[i] = 1
	}
	return w
}

// supervised is the number of predictions that the step learns from.
func (g *golden) supervised(i int) float64 {
	n := 0
	for _, d := range slices.Concat(g.Steps[i].Batches...) {
		doc := g.Documents[d]
		n += max(0, len(doc.IDs)-max(1, doc.Masked))
	}
	return float64(n)
}

// pack lays documents end to end as one micro-batch.
func pack(documents ...[]int32) *graph.Batch {
	b := &graph.Batch{}
	for i, ids := range documents {
		b.Append(int32(i), ids, weightsFrom(0, len(ids)))
	}
	return b
}

// logProbs are the log-probabilities of the documents' own tokens that follow from
// the logits of all their tokens; 0 at a document's first, as kernels.Score has it.
func logProbs(logits []float32, documents ...[]int32) []float64 {
	b := pack(documents...)
	v := len(logits) / b.Tokens()
	out := make([]float64, b.Tokens())
	for t := range out {
		if b.Position[t] > 0 {
			out[t] = logSoftmax(logits[(t-1)*v : t*v])[b.ID[t]]
		}
	}
	return out
}

// String names the case.
func (g *golden) String() string { return fmt.Sprintf("case %s", g.Name) }
