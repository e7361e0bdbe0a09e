package parity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
)

// TestTrainedTokens: rows of tokens that hone trained, of a tied and of an untied
// model, give in PEFT, and merged, what they give in hone. Some are of tokens that the
// model knows, some of rows that no token had.
func TestTrainedTokens(t *testing.T) {
	var names []string
	var checks []check
	var want [][]float32
	for _, name := range []string{"llama", "yarn"} {
		g := readGolden(t, name)
		m := open(t, g.checkpoint(t, "config.json"), g.MaxLength)
		marked, _, err := g.Mark(m.Graph)
		if err != nil {
			t.Fatal(err)
		}
		ids := []int{3, int(g.Probes[0][1]), int(g.Probes[0][2]), 126, 127}
		if marked, err = adapt.TrainTokens(marked, adapt.DefaultName, ids, 126); err != nil {
			t.Fatal(err)
		}
		s := bind(t, setup{model: m, graph: marked, adapter: adapt.DefaultName, maxLength: g.MaxLength, optimizer: g.AdamW(), train: true})
		base := s.score("", kit.Pack(g.Probes...))
		for i := range 4 {
			s.train(g.Step(i))
		}
		within(t, "log-probabilities with the adapter off", s.score("", kit.Pack(g.Probes...)), wide64(base), exactTolerance)
		trained := s.score(s.adapter, kit.Pack(g.Probes...))
		folder := s.save()
		writeAdapterConfig(t, folder, marked, g)

		values, err := weights.Open(filepath.Join(folder, kernels.AdapterFile))
		if err != nil {
			t.Fatal(err)
		}
		merged := t.TempDir()
		_, err = export.Merge(t.Context(), export.MergeSpec{Graph: marked, Checkpoint: m.Checkpoint, Trained: values, Folder: merged, DType: dtype.F32})
		if err := values.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(m.Folder, "config.json"), filepath.Join(merged, "config.json"))
		within(t, "log-probabilities of the merged model", scoreModel(t, open(t, merged, g.MaxLength), g), wide64(trained), exactTolerance)

		names, want = append(names, name), append(want, trained)
		checks = append(checks, check{Model: m.Folder, Adapter: folder, MaxLength: g.MaxLength, Documents: g.Probes})
	}
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python: PEFT is not asked", pythonEnv)
	}
	inPython(t, names, checks, want)
}

func wide64(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
