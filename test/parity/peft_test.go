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

// TestPEFT: an adapter that hone trained and saved loads in PEFT without a
// warning, and gives there the log-probabilities that it gives in hone.
func TestPEFT(t *testing.T) {
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	type request struct {
		Model     string    `json:"model"`
		Adapter   string    `json:"adapter"`
		MaxLength int       `json:"max_length"`
		Documents [][]int32 `json:"documents"`
	}
	var names []string
	var requests []request
	var want [][]float32
	for _, name := range cases(t) {
		g := readGolden(t, name)
		if g.Adapter == nil {
			continue
		}
		s := bindCase(t, g, nil)
		var steps []*kernels.Step
		for i := range g.Steps {
			steps = append(steps, g.step(i))
		}
		s.train(steps...)
		dir := s.save()
		writeAdapterConfig(t, dir, s.graph, g)
		names = append(names, name)
		requests = append(requests, request{g.checkpoint(t, "config.json"), dir, g.MaxLength, g.Probes})
		want = append(want, s.score(s.adapter, pack(g.Probes...)))
	}
	var answers [][]float64
	python(t, "check_peft.py", requests, &answers)
	if len(answers) != len(names) {
		t.Fatalf("%d answers for %d adapters", len(answers), len(names))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			within(t, "log-probabilities in hone and in PEFT", want[i], answers[i], logitsTolerance)
		})
	}
}
