package parity

import (
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/test/binaries"
)

// TestParity takes each case through what a run does: scores and generates with
// the bare model and with the adapter it starts from, trains, and scores,
// generates and saves again.
func TestParity(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			skipLacks(t, g)
			s := bindCase(t, g, nil)
			t.Run("before", func(t *testing.T) { before(t, s, g) })
			t.Run("train", func(t *testing.T) { training(t, s, g) })
			t.Run("after", func(t *testing.T) { after(t, s, g) })
			t.Run("saved", func(t *testing.T) { saved(t, s.save(), s, g) })
		})
	}
}

// bindCase binds and loads a case in float32, with the adapter that it starts from.
func bindCase(t *testing.T, g *golden, config map[string]any) *session {
	t.Helper()
	return bindIn(t, "fp32", g, config)
}

// bindIn is bindCase in another precision.
func bindIn(t *testing.T, precision string, g *golden, config map[string]any) *session {
	t.Helper()
	m, marked, adapter := openCase(t, g)
	s := setup{
		model: m, graph: marked, adapter: adapter, maxLength: g.MaxLength, optimizer: g.AdamW(),
		precision: precision, config: config, train: true,
	}
	if adapter != "" {
		s.start = filepath.Join(g.Folder, "start")
	}
	return bind(t, s)
}

func before(t *testing.T, s *session, g *golden) {
	s.t = t
	if base, ok := g.Tensors["logits/base"]; ok {
		within(t, "log-probabilities of the bare model", s.score("", kit.Pack(g.Probes...)), logProbs(base, g.Probes...), logitsTolerance)
		wholeRow(t, s, "", base, g)
	}
	if s.adapter != "" {
		start := g.tensor(t, "logits/start")
		within(t, "log-probabilities with the adapter", s.score(s.adapter, kit.Pack(g.Probes...)), logProbs(start, g.Probes...), logitsTolerance)
		wholeRow(t, s, s.adapter, start, g)
	}
	continues(t, "the bare model", s.generate("", g.Prompts, len(g.Greedy.Base[0])), g.Greedy.Base)
	continues(t, "the adapter it starts from", s.generate(s.adapter, g.Prompts, len(g.Greedy.Start[0])), g.Greedy.Start)
}

// wholeRow compares the log-probabilities of every token of the vocabulary after
// the last probe: as many documents, which differ in their last token.
func wholeRow(t *testing.T, s *session, adapter string, logits []float32, g *golden) {
	t.Helper()
	v := s.graph.Vocabulary()
	probe := g.Probes[len(g.Probes)-1]
	var batches []*graph.Batch
	for from := 0; from < v; from += 16 {
		var documents [][]int32
		for id := from; id < min(v, from+16); id++ {
			documents = append(documents, append(slices.Clone(probe), int32(id)))
		}
		batches = append(batches, kit.Pack(documents...))
	}
	all := s.score(adapter, batches...)
	got := make([]float32, v)
	for id := range got {
		got[id] = all[(id+1)*(len(probe)+1)-1]
	}
	within(t, "log-probabilities of the whole vocabulary", got, logSoftmax(logits[len(logits)-v:]), logitsTolerance)
}

func continues(t *testing.T, what string, got, want [][]int32) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("greedy tokens of %s: %v, want %v", what, got, want)
	}
}

func training(t *testing.T, s *session, g *golden) {
	s.t = t
	var steps []*kernels.Step
	for i := range g.Steps {
		steps = append(steps, g.Step(i))
	}
	results := s.train(steps[0])
	gradients(t, s, g)
	results = append(results, s.train(steps[1:]...)...)
	if len(results) != len(g.Losses) {
		t.Fatalf("%d steps, want %d", len(results), len(g.Losses))
	}
	var loss, norm float64
	for i, r := range results {
		if r.Number != int64(i+1) || r.Weight != g.Supervised(i) {
			t.Errorf("step %d: number %d, weight %v, want %v", i+1, r.Number, r.Weight, g.Supervised(i))
		}
		loss = math.Max(loss, relative(r.Loss/r.Weight, g.Losses[i]))
		norm = math.Max(norm, relative(r.GradNorm, g.GradNorms[i]))
	}
	if !(loss <= lossTolerance) {
		t.Errorf("a step's loss differs by %.2g, want at most %.0e", loss, lossTolerance)
	}
	if !(norm <= gradNormTolerance) {
		t.Errorf("a step's gradient norm differs by %.2g, want at most %.0e", norm, gradNormTolerance)
	}
	t.Logf("largest differences: loss %.1e, gradient norm %.1e", loss, norm)
}

func relative(got, want float64) float64 { return math.Abs(got-want) / math.Abs(want) }

// gradients compares each parameter's gradient of the first step.
func gradients(t *testing.T, s *session, g *golden) {
	t.Helper()
	compared, seen := map[string]bool{}, map[*graph.Param]bool{}
	for _, p := range kernels.SavedTensors(s.graph) {
		if seen[p.Param] {
			continue // a shared weight, saved again by another name
		}
		seen[p.Param] = true
		name := "gradient/" + p.Key
		within(t, name, s.tensor(p.Param.Name, kernels.TensorGradient), g.tensor(t, name), gradientTolerance)
		compared[name] = true
	}
	for name := range g.Tensors {
		if key, ok := strings.CutPrefix(name, "gradient/"); ok && !compared[name] {
			t.Errorf("transformers trains %s, hone does not", key)
		}
	}
}

func after(t *testing.T, s *session, g *golden) {
	s.t = t
	trained := g.tensor(t, "logits/trained")
	within(t, "log-probabilities after training", s.score(s.adapter, kit.Pack(g.Probes...)), logProbs(trained, g.Probes...), logitsTolerance)
	wholeRow(t, s, s.adapter, trained, g)
	continues(t, "the trained model", s.generate(s.adapter, g.Prompts, len(g.Greedy.Trained[0])), g.Greedy.Trained)
}

// saved compares the files that Save wrote with PEFT's own, name by name.
func saved(t *testing.T, dir string, s *session, g *golden) {
	want := map[string][]float32{}
	if s.adapter != "" {
		want = readTensors(t, filepath.Join(g.Folder, "trained", kernels.AdapterFile))
	}
	for name, v := range g.Tensors {
		if key, ok := strings.CutPrefix(name, "trained/"); ok {
			want[key] = v
		}
	}
	got := readTensors(t, filepath.Join(dir, savedFile(g)))
	if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
		t.Fatalf("saved %v, PEFT saves %v", a, b)
	}
	for name, w := range want {
		within(t, name, got[name], w, trainedTolerance)
	}
	for _, p := range kernels.SavedTensors(s.graph) {
		s.t = t
		if values, _ := p.Split(got[p.Key]); !slices.Equal(s.tensor(p.Param.Name, kernels.TensorValue), values) {
			t.Errorf("%s: the saved values are not those that are read", p.Key)
		}
	}
}

// savedFile is the file that Save writes what the case trained into.
func savedFile(g *golden) string {
	if g.Adapter == nil {
		return kernels.TrainedFile
	}
	return kernels.AdapterFile
}

// ways are settings of a plugin, by their name, that do not change the mathematics.
var ways = map[string]map[string]map[string]any{
	"cpu":  {"three threads": {"threads": 3.0}, "recomputing": {"threads": 2.0, "recompute": "layers"}},
	"cuda": {"recomputing": {"recompute": "layers"}, "keeping all": {"recompute": "none"}},
}

// TestSameBits trains cases twice in each precision, and on other numbers of
// threads, and recomputing what others keep: losses and gradient norms are the same
// to the bit.
func TestSameBits(t *testing.T) {
	others := maps.Clone(ways[binaries.Kernels()])
	others["once more"] = nil
	for _, name := range []string{"mistral", "dora", "pissa"} {
		g := readGolden(t, name)
		if lacks(t, g) {
			continue
		}
		run := func(t *testing.T, precision string, config map[string]any) []float64 {
			s := bindIn(t, precision, g, config)
			var out []float64
			for _, r := range s.train(g.Step(0), g.Step(1), g.Step(2), g.Step(3)) {
				out = append(out, r.Loss, r.GradNorm)
			}
			return out
		}
		for _, precision := range precisions(t) {
			want := run(t, precision, nil)
			for way, config := range others {
				t.Run(name+", "+precision+", "+way, func(t *testing.T) {
					if got := run(t, precision, config); !slices.Equal(got, want) {
						t.Errorf("%v, without a setting %v", got, want)
					}
				})
			}
		}
	}
}
