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
//
// With a Start it is a tensor of the plain adapter that [graph.Adapter.Plain] tells of,
// so that whoever reads the file needs to know of no other: [A; A₀] or [B, −B₀].
type SavedTensor struct {
	File  string
	Key   string
	Param *graph.Param
	Start *graph.Param // what Param began with, where its adapter takes that away; or nil

	columns bool // it is B, beside which its start stands as columns, not as rows
}

// Shape is the tensor's in the file.
func (t SavedTensor) Shape() []int {
	shape := slices.Clone(t.Param.Shape)
	switch {
	case t.Start == nil:
	case t.columns:
		shape[1] *= 2
	default:
		shape[0] *= 2
	}
	return shape
}

// Elements is the number of the tensor's elements.
func (t SavedTensor) Elements() int {
	if t.Start != nil {
		return 2 * t.Param.Elements()
	}
	return t.Param.Elements()
}

// Join puts the tensor together from the values of Param and of Start.
func (t SavedTensor) Join(values, start []float32) []float32 {
	if t.Start == nil {
		return values
	}
	out := make([]float32, 0, len(values)+len(start))
	n, sign := t.piece()
	for at := 0; at < len(values); at += n {
		out = append(out, values[at:at+n]...)
		for _, v := range start[at : at+n] {
			out = append(out, sign*v)
		}
	}
	return out
}

// Split takes a tensor that Join put together apart.
func (t SavedTensor) Split(tensor []float32) (values, start []float32) {
	if t.Start == nil {
		return tensor, nil
	}
	n, sign := t.piece()
	for ; len(tensor) > 0; tensor = tensor[2*n:] {
		values = append(values, tensor[:n]...)
		for _, v := range tensor[n : 2*n] {
			start = append(start, sign*v)
		}
	}
	return values, start
}

// piece is how many elements of Param stand before as many of Start, and by what these
// are multiplied.
func (t SavedTensor) piece() (n int, sign float32) {
	if t.columns {
		return t.Param.Shape[1], -1
	}
	return t.Param.Elements(), 1
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
	starts := startsOf(g)
	for _, p := range g.Trainable() {
		t := SavedTensor{File: TrainedFile, Key: p.Name, Param: p}
		if s, ok := starts[p.ID]; ok {
			t.Start, t.columns = s.Start, s.columns
		}
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

// startsOf are the starts of adapters by the parameters that began with them.
func startsOf(g *graph.Graph) map[graph.ParamID]SavedTensor {
	out := map[graph.ParamID]SavedTensor{}
	for _, n := range g.Nodes {
		if a := graph.AdapterOf(n.Op); a != nil && a.Start != nil {
			out[a.A] = SavedTensor{Start: g.Params[a.Start.A]}
			out[a.B] = SavedTensor{Start: g.Params[a.Start.B], columns: true}
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
