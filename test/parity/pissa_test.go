package parity

import (
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/test/binaries"
)

// plain is a Graph with the adapter that is saved of a case whose adapter has a start.
func plain(t *testing.T, g *golden, of *graph.Graph) *graph.Graph {
	t.Helper()
	c, a := g.Case, *g.Adapter
	factor := 2.0
	if a.RSLoRA {
		factor = math.Sqrt2
	}
	ranks, alphas := a.Ranks, a.Alphas
	a.Init, a.Rank, a.Alpha, a.Ranks, a.Alphas = "", 2*a.Rank, factor*a.Alpha, map[string]int{}, map[string]float64{}
	for name, rank := range ranks {
		a.Ranks[name] = 2 * rank
	}
	for name, alpha := range alphas {
		a.Alphas[name] = factor * alpha
	}
	c.Adapter = &a
	marked, _, err := c.Mark(of)
	if err != nil {
		t.Fatal(err)
	}
	return marked
}

// TestPiSSABegins: what hone finds for adapters to begin with is what PEFT's exact
// decomposition gives, and trained from it a run has PEFT's losses.
func TestPiSSABegins(t *testing.T) {
	for _, name := range []string{"pissa", "pissa-rslora", "pissa-patterns"} {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			skipLacks(t, g)
			m, marked, adapter := openCase(t, g)
			s := bind(t, setup{model: m, graph: marked, adapter: adapter, maxLength: g.MaxLength, optimizer: g.AdamW(), train: true})
			got := readTensors(t, filepath.Join(s.save(), kernels.AdapterFile))
			for key, want := range readTensors(t, filepath.Join(g.Folder, "start", kernels.AdapterFile)) {
				within(t, key, got[key], want, 1e-4)
			}
			for way, config := range ways[binaries.Kernels()] {
				s := bind(t, setup{model: m, graph: marked, adapter: adapter, maxLength: g.MaxLength, optimizer: g.AdamW(), config: config, train: true})
				if !reflect.DeepEqual(readTensors(t, filepath.Join(s.save(), kernels.AdapterFile)), got) {
					t.Errorf("%s: the adapters begin with other bits", way)
				}
			}
			probes := kit.Pack(g.Probes...)
			within(t, "log-probabilities with a fresh adapter", s.score(adapter, probes), wide64(s.score("", probes)), 1e-6)
			var steps []*kernels.Step
			for i := range g.Steps {
				steps = append(steps, g.Step(i))
			}
			largest := 0.0
			for i, r := range s.train(steps...) {
				largest = math.Max(largest, relative(r.Loss/r.Weight, g.Losses[i]))
			}
			if !(largest <= lossTolerance) {
				t.Errorf("a step's loss differs by %.2g, want at most %.0e", largest, lossTolerance)
			}
			t.Logf("largest difference of losses: %.1e", largest)
		})
	}
}

// TestPiSSASaved: the adapter that was saved, loaded as the plain one that its
// configuration describes, gives the log-probabilities of the trained one.
func TestPiSSASaved(t *testing.T) {
	g := readGolden(t, "pissa-patterns")
	skipLacks(t, g)
	r := trainCase(t, g)
	if text := r.graph.Text(); !strings.Contains(text, "pissa:"+adapt.DefaultName) {
		t.Fatalf("no adapter with a start is trained:\n%s", text)
	}
	m, _, adapter := openCase(t, g)
	s := bind(t, setup{model: m, graph: plain(t, g, m.Graph), adapter: adapter, start: r.folder, maxLength: g.MaxLength})
	within(t, "log-probabilities", s.score(adapter, kit.Pack(g.Probes...)), wide64(r.logProbs), 1e-6)
}
