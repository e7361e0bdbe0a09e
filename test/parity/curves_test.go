package parity

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/kernels"
)

// curveTolerance is on how far a curve in 16 bits is from PEFT's in float32, as a
// multiple of how far PEFT's own are in the same 16 bits: the mean over all draws.
const curveTolerance = 1.5

// curveSteps is how many steps a curve has.
const curveSteps = 40

// sixteen are the precisions in 16 bits, by the type of PEFT's curves.
var sixteen = map[string]string{"bfloat16": "bf16", "float16": "fp16"}

// A drawn case is documents, steps and an adapter to start from, with the curves that
// gen_curves.py's PEFT came to.
type drawn struct {
	golden
	Curves map[string]struct {
		Float32  []float64 // the loss of each step
		Plain    []float64 // the model in 16 bits, the adapter multiplied by in float32
		Autocast []float64 // the adapter in 16 bits too
	}
}

// draws reads all draws.
func draws(t *testing.T) []*drawn {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "curves", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) < 8 {
		t.Fatalf("testdata/curves has only %v", folders)
	}
	var out []*drawn
	for _, folder := range folders {
		d := &drawn{}
		data, err := os.ReadFile(filepath.Join(folder, "case.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, d); err != nil {
			t.Fatal(err)
		}
		d.Name, d.Folder = filepath.Base(folder), folder
		out = append(out, d)
	}
	return out
}

// curve trains from the checkpoint of the type given and returns each step's loss.
func (d *drawn) curve(t *testing.T, kind, precision string) []float64 {
	t.Helper()
	g := d.golden
	g.Model += "-" + kind
	s := bindIn(t, precision, &g, nil)
	var steps []*kernels.Step
	for i := range g.Steps {
		steps = append(steps, g.Step(i))
	}
	var losses []float64
	for _, r := range s.train(steps...) {
		losses = append(losses, r.Loss/r.Weight)
	}
	return losses
}

// TestCurves trains with LoRA for 40 steps in each precision that the plugin has. In
// float32 the losses are PEFT's. In 16 bits no two programs have the same: there the
// plugin is held to be as close to float32 as PEFT is.
func TestCurves(t *testing.T) {
	all, can := draws(t), precisions(t)
	for kind, precision := range sixteen {
		t.Run(kind+" in fp32", func(t *testing.T) {
			for _, d := range all {
				exact(t, d.Name, d.curve(t, kind, "fp32"), d.Curves[kind].Float32)
			}
		})
		if slices.Contains(can, precision) {
			t.Run(kind+" in "+precision, func(t *testing.T) { asClose(t, all, kind, precision) })
		}
	}
}

// exact holds each loss of a curve in float32 to PEFT's.
func exact(t *testing.T, name string, got, want []float64) {
	t.Helper()
	worst := slices.Max(departures(t, got, want)) // not a number, where one is
	if !(worst <= lossTolerance) {
		t.Errorf("%s: a step's loss differs by %.2g, want at most %.0e", name, worst, lossTolerance)
	}
	t.Logf("%s: losses differ by at most %.1e", name, worst)
}

// asClose holds the curves in 16 bits to PEFT's in float32. Chance makes some draws
// ten times as sensitive to rounding as others, for any program: so distances are
// compared draw by draw, and their ratios multiplied.
func asClose(t *testing.T, all []*drawn, kind, precision string) {
	sum := 0.0
	for _, d := range all {
		c := d.Curves[kind]
		own := distance(t, d.curve(t, kind, precision), c.Float32)
		plain, autocast := distance(t, c.Plain, c.Float32), distance(t, c.Autocast, c.Float32)
		ratio := own / math.Sqrt(plain*autocast)
		sum += math.Log(ratio)
		t.Logf("%s: %.1e from float32, PEFT %.1e, under autocast %.1e: ratio %.2f", d.Name, own, plain, autocast, ratio)
	}
	ratio := math.Exp(sum / float64(len(all)))
	if !(ratio <= curveTolerance) {
		t.Errorf("losses are %.2f times as far from float32's as PEFT's, want at most %.1f", ratio, curveTolerance)
	}
	t.Logf("all draws: ratio %.2f", ratio)
}

// departures are by how much losses differ, step by step, relatively.
func departures(t *testing.T, got, want []float64) []float64 {
	t.Helper()
	if len(got) != len(want) || len(want) != curveSteps {
		t.Fatalf("%d and %d steps, want %d", len(got), len(want), curveSteps)
	}
	out := make([]float64, len(want))
	for i, w := range want {
		out[i] = relative(got[i], w)
	}
	return out
}

// distance is the root mean square of the departures.
func distance(t *testing.T, got, want []float64) float64 {
	t.Helper()
	sum := 0.0
	for _, d := range departures(t, got, want) {
		sum += d * d
	}
	return math.Sqrt(sum / curveSteps)
}
