// Package trained writes and reads what a run has trained, for every backend: the
// parameters under the names of kernels.SavedTensors, and what a resumed run needs
// beside them, the optimizer's moments and counters. A checkpoint that one backend
// wrote can so be taken by another.
//
// Where the numbers are kept is the backend's: it gives a [Store].
package trained

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// A Kind says which numbers of a trainable parameter are meant.
type Kind int

// What a Store has of each trainable parameter, all of them float32.
const (
	Value  Kind = iota
	First       // Adam's first moment
	Second      // Adam's second moment
)

// ending is what a moment's name has behind the parameter's.
func (k Kind) ending() string { return [...]string{"", ".exp_avg", ".exp_avg_sq"}[k] }

// A Store is where a backend keeps its trainable parameters, and what adapters began
// with, of which there is a Value alone.
type Store interface {
	// Read fills dst with the elements of a parameter from at on.
	Read(p *graph.Param, kind Kind, at int, dst []float32) error
	// Write sets the elements of a parameter from at on.
	Write(p *graph.Param, kind Kind, at int, src []float32) error
}

// A State is what a resumed run needs beside parameters and moments.
type State struct {
	Format  int    `json:"format"`  // 1
	Updates int64  `json:"updates"` // done so far: Adam's t
	Seed    uint64 `json:"seed"`    // of dropout
	// Backend is what one kind of backend keeps beside, such as a loss scale; others
	// pass over it.
	Backend json.RawMessage `json:"backend,omitempty"`
}

// format is State.Format.
const format = 1

// The files that only a resumed run needs.
const (
	momentsFile = kernels.StatePrefix + ".safetensors"
	stateFile   = kernels.StatePrefix + ".json"
)

// part is how many elements are held at a time.
const part = 1 << 20

// Save writes what is trained into dir, and with a state, which may be nil, the
// moments and the state. It returns the names of the files.
func Save(dir string, g *graph.Graph, from Store, state *State) ([]string, error) {
	saved := kernels.SavedTensors(g)
	if len(saved) == 0 {
		return nil, fault.New(fault.OutOfOrder, "nothing is trained, so there is nothing to save")
	}
	parameters := make([]tensor, len(saved))
	for i, s := range saved {
		parameters[i] = tensor{s, Value}
	}
	files := []string{saved[0].File}
	if err := write(filepath.Join(dir, files[0]), parameters, from); err != nil || state == nil {
		return files, err
	}
	if err := write(filepath.Join(dir, momentsFile), moments(g), from); err != nil {
		return nil, err
	}
	s := *state
	s.Format = format
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), data, 0o644); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	return append(files, momentsFile, stateFile), nil
}

// A tensor is numbers of a parameter under the name that they have in a file.
type tensor struct {
	kernels.SavedTensor
	kind Kind
}

// moment is one of a parameter's.
func moment(p *graph.Param, kind Kind) tensor {
	return tensor{kernels.SavedTensor{Key: p.Name + kind.ending(), Param: p}, kind}
}

// moments are the tensors of momentsFile.
func moments(g *graph.Graph) []tensor {
	var out []tensor
	for _, p := range g.Trainable() {
		out = append(out, moment(p, First), moment(p, Second))
	}
	return out
}

func write(path string, tensors []tensor, from Store) error {
	specs := make([]tensorfile.Spec, len(tensors))
	for i, t := range tensors {
		specs[i] = tensorfile.Spec{Name: t.Key, DType: dtype.F32, Shape: t.Shape()}
	}
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	defer w.Close()
	numbers := make([]float32, part)
	bytes := make([]byte, 4*part)
	for _, t := range tensors {
		out, err := w.Tensor(t.Key)
		if err != nil {
			return fault.New(fault.Storage, "%w", err)
		}
		put := func(x []float32) error {
			halffloat.EncodeFloat32(bytes[:4*len(x)], x)
			if _, err := out.Write(bytes[:4*len(x)]); err != nil {
				return fault.New(fault.Storage, "%s: %w", path, err)
			}
			return nil
		}
		if t.Start != nil { // which is as small as adapters are
			values, start := make([]float32, t.Param.Elements()), make([]float32, t.Param.Elements())
			if err := errors.Join(from.Read(t.Param, Value, 0, values), from.Read(t.Start, Value, 0, start)); err != nil {
				return fmt.Errorf("parameter %q: %w", t.Param.Name, err)
			}
			for x := range slices.Chunk(t.Join(values, start), part) {
				if err := put(x); err != nil {
					return err
				}
			}
			continue
		}
		for at, n := 0, t.Param.Elements(); at < n; at += part {
			x := numbers[:min(part, n-at)]
			if err := from.Read(t.Param, t.kind, at, x); err != nil {
				return fmt.Errorf("parameter %q: %w", t.Param.Name, err)
			}
			if err := put(x); err != nil {
				return err
			}
		}
	}
	if err := w.Commit(); err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	return nil
}

// Load reads the trainable parameters that Save, or PEFT, wrote into dir. A tensor
// that is missing, of another shape or of no parameter is an error.
func Load(dir string, g *graph.Graph, to Store) error {
	saved := kernels.SavedTensors(g)
	if len(saved) == 0 {
		return fault.New(fault.BadInput, "the graph has no trainable parameter for what is in %s", dir)
	}
	path := filepath.Join(dir, saved[0].File)
	c, err := open(path, fault.BadWeights)
	if err != nil {
		return err
	}
	defer c.Close()
	known, first := map[string]bool{}, map[graph.ParamID]string{}
	for _, s := range saved {
		known[s.Key] = true
		key, again := first[s.Param.ID]
		if again {
			err = same(c, path, key, s.Key)
		} else {
			first[s.Param.ID] = s.Key
			err = read(c, path, fault.BadWeights, tensor{s, Value}, to)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range c.Names() {
		if !known[name] {
			return fault.New(fault.BadWeights, "%s: tensor %q belongs to nothing that is trained here", path, name)
		}
	}
	return nil
}

// Restore reads what Save wrote with a state.
func Restore(dir string, g *graph.Graph, to Store) (*State, error) {
	if err := Load(dir, g, to); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, stateFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	s := new(State)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fault.New(fault.Storage, "%s: %w", path, err)
	}
	if s.Format != format {
		return nil, fault.New(fault.Storage, "%s: format %d; this version of hone reads %d", path, s.Format, format)
	}
	path = filepath.Join(dir, momentsFile)
	c, err := open(path, fault.Storage)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for _, t := range moments(g) {
		if err := read(c, path, fault.Storage, t, to); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// open opens one safetensors file; code is the fault of a bad one.
func open(path string, code fault.Code) (*weights.Checkpoint, error) {
	// weights.Open takes folders too; what was saved is one file.
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fault.New(code, "%w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	c, err := weights.Open(path)
	if err != nil {
		return nil, fault.New(code, "%w", err)
	}
	return c, nil
}

// same refuses two tensors of one parameter with different values.
func same(c *weights.Checkpoint, path, first, second string) error {
	a, _ := c.Lookup(first)
	b, ok := c.Lookup(second)
	if !ok {
		return fault.New(fault.BadWeights, "%s has no tensor %q", path, second)
	}
	if !slices.Equal(a.Shape, b.Shape) {
		return fault.New(fault.BadWeights, "%s: tensor %q: shape %v, the graph expects %v", path, second, b.Shape, a.Shape)
	}
	x, y := make([]float32, min(part, a.Elements())), make([]float32, min(part, a.Elements()))
	for at, n := 0, a.Elements(); at < n; at += part {
		size := min(part, n-at)
		if err := errors.Join(a.Float32(x[:size], at), b.Float32(y[:size], at)); err != nil {
			return fault.New(fault.BadWeights, "%s: tensor %q: %w", path, second, err)
		}
		if !slices.Equal(x[:size], y[:size]) {
			return fault.New(fault.BadWeights, "%s: tensors %q and %q differ, and the model has one parameter for both", path, first, second)
		}
	}
	return nil
}

// read checks a tensor and gives it to the store.
func read(c *weights.Checkpoint, path string, code fault.Code, want tensor, to Store) error {
	t, ok := c.Lookup(want.Key)
	if !ok {
		return fault.New(code, "%s has no tensor %q", path, want.Key)
	}
	if shape := want.Shape(); !slices.Equal(t.Shape, shape) {
		return fault.New(code, "%s: tensor %q: shape %v, the graph expects %v", path, want.Key, t.Shape, shape)
	}
	if want.Start != nil {
		all := make([]float32, t.Elements())
		if err := t.Float32(all, 0); err != nil {
			return fault.New(code, "%s: tensor %q: %w", path, want.Key, err)
		}
		values, start := want.Split(all)
		if err := errors.Join(to.Write(want.Param, Value, 0, values), to.Write(want.Start, Value, 0, start)); err != nil {
			return fmt.Errorf("parameter %q: %w", want.Param.Name, err)
		}
		return nil
	}
	numbers := make([]float32, min(part, t.Elements()))
	for at, n := 0, t.Elements(); at < n; at += part {
		x := numbers[:min(part, n-at)]
		if err := t.Float32(x, at); err != nil {
			return fault.New(code, "%s: tensor %q: %w", path, want.Key, err)
		}
		if err := to.Write(want.Param, want.kind, at, x); err != nil {
			return fmt.Errorf("parameter %q: %w", want.Param.Name, err)
		}
	}
	return nil
}
