package parity

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
)

// pythonEnv names a Python that has what testdata's scripts need.
const pythonEnv = "HONE_TEST_PYTHON"

// python runs a script of testdata with a request, and reads its answer.
func python(t *testing.T, script string, request, answer any) {
	t.Helper()
	program := os.Getenv(pythonEnv)
	if program == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "request.json"), filepath.Join(dir, "answer.json")
	data, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in, data, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join("testdata", script), in, out)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}
	if data, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		t.Fatal(err)
	}
}

// writeAdapterConfig writes the adapter_config.json of g as a run does.
func writeAdapterConfig(t *testing.T, dir string, g *graph.Graph, c *golden) {
	t.Helper()
	data, err := export.AdapterConfig(g, "models/"+c.Model, c.Adapter.Bias)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, export.AdapterConfigFile), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A check asks check_peft.py for the log-probabilities of documents.
type check struct {
	Model     string    `json:"model"`
	Adapter   string    `json:"adapter"` // "": none
	MaxLength int       `json:"max_length"`
	Documents [][]int32 `json:"documents"`
	Merged    bool      `json:"merged"` // Model is what Base and Adapter have to merge to
	Base      string    `json:"base"`
}

// A result is what a case was trained to: its folder of saved files, and the
// log-probabilities of the probes.
type result struct {
	*session
	folder   string
	logProbs []float32
}

// trainCase does all steps of a case and saves what it trained.
func trainCase(t *testing.T, g *golden) result {
	t.Helper()
	s := bindCase(t, g, nil)
	var steps []*kernels.Step
	for i := range g.Steps {
		steps = append(steps, g.Step(i))
	}
	s.train(steps...)
	return result{s, s.save(), s.score(s.adapter, kit.Pack(g.Probes...))}
}

// inPython compares log-probabilities with those that transformers and PEFT give.
func inPython(t *testing.T, names []string, checks []check, want [][]float32) {
	t.Helper()
	var answers [][]float64
	python(t, "check_peft.py", checks, &answers)
	if len(answers) != len(names) {
		t.Fatalf("%d answers for %d models", len(answers), len(names))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			within(t, "log-probabilities in hone and in Python", want[i], answers[i], logitsTolerance)
		})
	}
}

// TestPEFT: an adapter that hone trained and saved loads in PEFT without a
// warning, and gives there the log-probabilities that it gives in hone.
func TestPEFT(t *testing.T) {
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	var names []string
	var checks []check
	var want [][]float32
	for _, name := range cases(t) {
		g := readGolden(t, name)
		if g.Adapter == nil || lacks(t, g) {
			continue
		}
		r := trainCase(t, g)
		writeAdapterConfig(t, r.folder, r.graph, g)
		names, want = append(names, name), append(want, r.logProbs)
		checks = append(checks, check{Model: g.checkpoint(t, "config.json"), Adapter: r.folder, MaxLength: g.MaxLength, Documents: g.Probes})
	}
	inPython(t, names, checks, want)
}
