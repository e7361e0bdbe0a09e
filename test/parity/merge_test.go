package parity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// mergedCases are merged into models of their own: adapters of each kind, trained
// biases, tied and untied full parameters, a checkpoint in shards, fused linears,
// weights of norms for each head, convolutions, a part of a model that reads images too, experts one by one
// and transposed.
var mergedCases = []string{
	"llama", "rslora", "targets", "patterns", "layers", "dora", "dora-patterns", "pissa", "pissa-rslora", "pissa-patterns", "bias-all", "lora-bias", "yarn", "mistral", "full", "full-tied", "phi4", "gemma3", "cohere", "lfm2",
	"gemma3-images",
	"qwen3moe-mixed", "mixtral", "gpt-oss", "deepseek",
}

// merge writes what was trained into the case's base model, in a folder of its own.
func merge(t *testing.T, g *golden, r result) string {
	t.Helper()
	base := g.checkpoint(t, "config.json")
	m := open(t, base, g.MaxLength)
	trained, err := weights.Open(filepath.Join(r.folder, savedFile(g)))
	if err != nil {
		t.Fatal(err)
	}
	defer trained.Close()
	folder := t.TempDir()
	untied, err := export.Merge(t.Context(), export.MergeSpec{
		Graph: r.graph, Layout: m.Layout, Checkpoint: m.Checkpoint, Trained: trained, Folder: folder, DType: dtype.F32,
	})
	if err != nil {
		t.Fatal(err)
	}
	if untied {
		t.Error("a tie was broken, although both sides of it are one parameter")
	}
	copyFile(t, filepath.Join(base, "config.json"), filepath.Join(folder, "config.json"))
	return folder
}

// TestMerged: a merged model gives the log-probabilities of base and adapter.
func TestMerged(t *testing.T) {
	for _, name := range mergedCases {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			skipLacks(t, g)
			r := trainCase(t, g)
			merged := open(t, merge(t, g, r), g.MaxLength)
			within(t, "log-probabilities", scoreModel(t, merged, g), r.logProbs, exactTolerance)
		})
	}
}

// TestMergedInPython: it does so in transformers too, which finds every weight
// that it looks for, and no other; and PEFT merges to the same weights.
func TestMergedInPython(t *testing.T) {
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	var names []string
	var checks []check
	var want [][]float32
	for _, name := range mergedCases {
		g := readGolden(t, name)
		if lacks(t, g) {
			continue
		}
		names = append(names, name)
		r := trainCase(t, g)
		c := check{Model: merge(t, g, r), MaxLength: g.MaxLength, Documents: g.Probes}
		if g.Adapter != nil {
			writeAdapterConfig(t, r.folder, r.graph, g)
			c.Merged, c.Base, c.Adapter = true, g.checkpoint(t, "config.json"), r.folder
		}
		checks = append(checks, c)
		want = append(want, r.logProbs)
	}
	inPython(t, names, checks, want)
}

// TestMergedFromGGUF: of a GGUF file's model and PEFT's adapters a merged model is made
// that gives the log-probabilities of both together.
func TestMergedFromGGUF(t *testing.T) {
	for _, name := range []string{"bias", "dora", "dora-patterns", "pissa-rslora"} {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			skipLacks(t, g)
			dir := g.checkpoint(t, "config.json")
			edit(t, filepath.Join(dir, "config.json"), ggufCases["bias"].from, ggufCases["bias"].to)
			path := filepath.Join(t.TempDir(), "model.gguf")
			writeGGUF(t, open(t, dir, g.MaxLength), path)
			m := open(t, path, g.MaxLength)
			marked, adapter, err := g.Mark(m.Graph)
			if err != nil {
				t.Fatal(err)
			}
			start := filepath.Join(g.Folder, "trained")
			s := bind(t, setup{model: m, graph: marked, adapter: adapter, start: start, maxLength: g.MaxLength})
			trained, err := weights.Open(filepath.Join(start, kernels.AdapterFile))
			if err != nil {
				t.Fatal(err)
			}
			defer trained.Close()
			folder := t.TempDir()
			_, err = export.Merge(t.Context(), export.MergeSpec{
				Graph: marked, Layout: m.Layout, Checkpoint: m.Checkpoint, Trained: trained, Folder: folder, DType: dtype.F32,
			})
			if err != nil {
				t.Fatal(err)
			}
			copyFile(t, filepath.Join(dir, "config.json"), filepath.Join(folder, "config.json"))
			want := s.score(adapter, kit.Pack(g.Probes...))
			within(t, "log-probabilities", scoreModel(t, open(t, folder, g.MaxLength), g), want, exactTolerance)
		})
	}
}
