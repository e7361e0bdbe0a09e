package kernels

import "github.com/honeml/hone/sdk/graph"

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

// A SavedTensor is a trainable parameter in one of the files that Save writes.
type SavedTensor struct {
	File  string
	Key   string
	Param *graph.Param
}

// SavedTensors lists where each trainable parameter of g is saved. A Graph with
// an adapter is saved in PEFT's format, base parameters beside it under PEFT's
// prefix; one without is saved as plain parameters.
func SavedTensors(g *graph.Graph) []SavedTensor {
	adapted := false
	for _, p := range g.Params {
		adapted = adapted || p.Adapter != ""
	}
	var out []SavedTensor
	for _, p := range g.Trainable() {
		t := SavedTensor{File: TrainedFile, Key: p.Name, Param: p}
		if adapted {
			t.File = AdapterFile
			if p.Adapter == "" {
				t.Key = PEFTPrefix + p.Name
			}
		}
		out = append(out, t)
	}
	return out
}
