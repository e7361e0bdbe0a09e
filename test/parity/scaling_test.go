package parity

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/model/rope"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
)

// A scaledCase is a model with scaling that it does not have by itself, from
// gen_scaling.py.
type scaledCase struct {
	Model     string
	Scaling   rope.Scaling
	MaxLength int `json:"max_length"`
	Document  []int32
	LogProbs  []float64 `json:"log_probs"`
}

func (c scaledCase) String() string {
	return fmt.Sprintf("%s, %s by %v of %d", c.Model, c.Scaling.Kind, c.Scaling.Factor, c.Scaling.Original)
}

func scaledCases(t *testing.T) []scaledCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "scaling.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []scaledCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 11 {
		t.Fatalf("testdata/scaling.json has %d cases", len(cases))
	}
	return cases
}

// open opens the model with the scaling.
func (c scaledCase) open(t *testing.T) *basemodel.Model {
	t.Helper()
	return openRequest(t, basemodel.Request{Source: filepath.Join("testdata", "models", c.Model), MaxLength: c.MaxLength, Scaling: &c.Scaling})
}

func (c scaledCase) score(t *testing.T, m *basemodel.Model) []float32 {
	t.Helper()
	return bind(t, setup{model: m, graph: m.Graph, maxLength: c.MaxLength}).score("", kit.Pack(c.Document))
}

// TestScaling: a model that is stretched by hone gives, beyond its own length, what
// it gives in transformers; so does a GGUF file of it where such a file can say how.
func TestScaling(t *testing.T) {
	for _, c := range scaledCases(t) {
		t.Run(c.String(), func(t *testing.T) {
			m := c.open(t)
			if m.Context() < len(c.Document) {
				t.Errorf("it is good for %d tokens", m.Context())
			}
			within(t, "log-probabilities", c.score(t, m), c.LogProbs, logitsTolerance)
			if c.Model != "llama" || c.Scaling.Kind == "dynamic" {
				return
			}
			path := filepath.Join(t.TempDir(), "model.gguf")
			writeGGUF(t, m, path)
			within(t, "log-probabilities of a GGUF file", c.score(t, open(t, path, c.MaxLength)), c.LogProbs, logitsTolerance)
		})
	}
}

// TestScalingInPython: transformers reads the configuration that is exported as the
// same model.
func TestScalingInPython(t *testing.T) {
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	var names []string
	var checks []check
	var want [][]float32
	for _, c := range scaledCases(t) {
		m, folder := c.open(t), t.TempDir()
		if err := export.WriteConfiguration(filepath.Join(folder, "config.json"), m.Configuration, nil); err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(m.Folder, "model.safetensors"), filepath.Join(folder, "model.safetensors"))
		names, want = append(names, c.String()), append(want, c.score(t, m))
		checks = append(checks, check{Model: folder, MaxLength: c.MaxLength, Documents: [][]int32{c.Document}})
	}
	inPython(t, names, checks, want)
}
