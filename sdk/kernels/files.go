package kernels

import (
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph"
)

// The files that Save writes into its directory.
const (
	// AdapterFile holds the adapter in PEFT's format, and what else was trained
	// beside it (biases, norms).
	AdapterFile = "adapter_model.safetensors"
	// TrainedFile holds the model's own parameters after full-parameter training,
	// under their checkpoint names.
	TrainedFile = "trained.safetensors"
	// StatePrefix begins the names of files that only a resumed run needs.
	StatePrefix = "state"
)

// PEFTPrefix begins every key of PEFT's adapter files.
const PEFTPrefix = "base_model.model."

// A SavedTensor is a trainable parameter in one of the files that Save writes. Of
// parameters that have several, each holds the same values.
type SavedTensor struct {
	File  string
	Key   string
	Param *graph.Param
}

// SavedTensors lists where each trainable parameter of g is saved. A Graph with
// an adapter is saved in PEFT's format, base parameters beside it under the names
// that PEFT's wrapped modules give them; one without is saved as plain parameters.
// Beside an adapter, weights that modules share are saved under the name of each, since
// PEFT has them apart.
func SavedTensors(g *graph.Graph) []SavedTensor {
	adapted := map[string]bool{} // modules with an adapter
	for _, p := range g.Params {
		if p.Adapter != "" {
			adapted[p.Module] = true
		}
	}
	var out []SavedTensor
	for _, p := range g.Trainable() {
		t := SavedTensor{File: TrainedFile, Key: p.Name, Param: p}
		if len(adapted) > 0 {
			t.File = AdapterFile
			if p.Adapter == "" {
				t.Key = peftKey(p, adapted[p.Module])
			}
		}
		out = append(out, t)
		if t.File == AdapterFile && p.Adapter == "" {
			for _, module := range sharing(g, p) {
				out = append(out, SavedTensor{File: t.File, Key: PEFTPrefix + module + ".weight", Param: p})
			}
		}
	}
	return out
}

// sharing lists the linears that have another module's weight.
func sharing(g *graph.Graph, p *graph.Param) []string {
	var out []string
	for _, n := range g.Nodes {
		if l, ok := n.Op.(*graph.Linear); ok && l.Weight == p.ID && l.Module != p.Module && !slices.Contains(out, l.Module) {
			out = append(out, l.Module)
		}
	}
	return out
}

// peftKey is the name of a parameter of the model itself in PEFT's files. PEFT
// puts a module with an adapter into another of its name, as base_layer.
func peftKey(p *graph.Param, wrapped bool) string {
	name := p.Name
	if ending, ok := strings.CutPrefix(name, p.Module+"."); ok && wrapped {
		name = p.Module + ".base_layer." + ending
	}
	return PEFTPrefix + name
}
