package main

import (
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/engine"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// TestFindCard: cards are found as people and drivers write them.
func TestFindCard(t *testing.T) {
	for name, want := range map[string]string{
		"H100": "H100", "h200": "H200", "NVIDIA H100 80GB HBM3": "H100", "A100": "A100", "a100-40": "A100-40", "NVIDIA A100-SXM4-40GB": "A100-40",
		"4090": "RTX 4090", "rtx 3090": "RTX 3090", "NVIDIA GeForce RTX 4090": "RTX 4090", "L40S": "L40S",
		"": "", "TPU": "", "GeForce": "RTX 4090",
	} {
		if got, _ := findCard(name); got.name != want {
			t.Errorf("%q: %q, want %q", name, got.name, want)
		}
	}
}

// small is a request for a plan of one linear with an adapter, for a device elsewhere.
func small(t *testing.T, device string) *kernels.BindRequest {
	t.Helper()
	b := graph.New("Small")
	b.Logits(b.Linear(b.Embed("embed", 64, 4096), "head", 64, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: 8, Alpha: 8, Targets: []string{"head"}}); err != nil {
		t.Fatal(err)
	}
	return &kernels.BindRequest{
		Graph: g, Settings: kernels.Settings{Adapter: adapt.DefaultName, MaxLength: 64, TokensPerStep: 64},
		Phases: kernels.Phases{Train: true}, Limits: kernels.Limits{Device: device},
	}
}

// TestEstimate: a plan for a device that is not here has what that device has, and says
// so where it is not known.
func TestEstimate(t *testing.T) {
	times := map[string]float64{}
	for device, want := range map[string]string{"H100": "NVIDIA H100 80GB HBM3", "RTX 3090": "NVIDIA GeForce RTX 3090", "Elsewhere": "Elsewhere", "": ""} {
		p, err := new(backend).Estimate(t.Context(), small(t, device))
		if err != nil {
			t.Fatal(err)
		}
		if p.Device.Name != want {
			t.Errorf("%q: a plan for %q", device, p.Device.Name)
		}
		if noted := strings.Contains(strings.Join(p.Notes, " "), "is not known here"); noted != (device == "Elsewhere") {
			t.Errorf("%q: notes %q", device, p.Notes)
		}
		times[device] = p.SecondsPerStep
	}
	if times["RTX 3090"] < times["H100"] {
		t.Errorf("an RTX 3090 takes %v s, an H100 %v", times["RTX 3090"], times["H100"])
	}
}

// TestAssume: what the card has bounds a plan.
func TestAssume(t *testing.T) {
	c, _ := findCard("4090")
	o := engine.Options{MemoryBytes: 1 << 40}
	c.assume(&o)
	if o.MemoryBytes != c.TotalMemory-headroom || o.Arch != "sm_89" || o.Processors != 128 || o.Rates.Bytes < 700e9 || o.Rates.Bytes > 1000e9 {
		t.Errorf("%+v", o)
	}
}
