package parity

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	kit "github.com/honeml/hone/sdk/plugintest/golden"
)

// A golden is a case.json that gen_parity.py wrote, and the files beside it: a case of
// the SDK's kit that was generated from too.
type golden struct {
	kit.Case
	Name    string
	Prompts [][]int32
	Greedy  struct{ Base, Start, Trained [][]int32 }
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
	g := &golden{Name: name}
	if err := g.ReadInto(filepath.Join("testdata", "cases", name), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// readTensors reads a file of tensors whole.
func readTensors(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	out, err := kit.ReadTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tensor is a golden tensor that has to be there.
func (g *golden) tensor(t *testing.T, name string) []float32 {
	t.Helper()
	v, ok := g.Tensors[name]
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

// logProbs are the log-probabilities of the documents' own tokens that follow from
// the logits of all their tokens; 0 at a document's first, as kernels.Score has it.
func logProbs(logits []float32, documents ...[]int32) []float64 {
	b := kit.Pack(documents...)
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
