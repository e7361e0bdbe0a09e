package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// The files that only a resumed run needs.
const (
	optimizerFile = kernels.StatePrefix + ".safetensors"
	stateFile     = kernels.StatePrefix + ".json"
)

// state is what stateFile holds.
type state struct {
	Format  int    `json:"format"`
	Updates int64  `json:"updates"` // Adam's t
	Seed    uint64 `json:"seed"`
}

// Save writes what is trained and, unless weightsOnly, the optimizer's state
// into dir.
func (e *Engine) Save(dir string, weightsOnly bool) ([]string, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	var specs []namedFloats
	file := kernels.TrainedFile
	for _, s := range kernels.SavedTensors(e.g) {
		file = s.File
		specs = append(specs, namedFloats{s.Key, s.Param.Shape, e.params[s.Param.ID].f32})
	}
	if len(specs) == 0 {
		return nil, fault.New(fault.OutOfOrder, "nothing is trained, so there is nothing to save")
	}
	files := []string{file}
	if err := writeFloats(filepath.Join(dir, file), specs); err != nil {
		return nil, err
	}
	if weightsOnly || e.training == nil {
		return files, nil
	}
	specs = nil
	for _, p := range e.g.Trainable() {
		specs = append(specs,
			namedFloats{p.Name + ".exp_avg", p.Shape, e.adam.first[p.ID]},
			namedFloats{p.Name + ".exp_avg_sq", p.Shape, e.adam.second[p.ID]})
	}
	if err := writeFloats(filepath.Join(dir, optimizerFile), specs); err != nil {
		return nil, err
	}
	data, err := json.Marshal(state{Format: 1, Updates: e.adam.updates, Seed: e.settings.Seed})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), data, 0o644); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	return append(files, optimizerFile, stateFile), nil
}

// namedFloats is a tensor to write.
type namedFloats struct {
	name  string
	shape []int
	data  []float32
}

func writeFloats(path string, tensors []namedFloats) error {
	specs := make([]tensorfile.Spec, len(tensors))
	for i, t := range tensors {
		specs[i] = tensorfile.Spec{Name: t.name, DType: dtype.F32, Shape: t.shape}
	}
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	defer w.Close()
	const part = 1 << 16
	buffer := make([]byte, 4*part)
	for _, t := range tensors {
		out, err := w.Tensor(t.name)
		if err != nil {
			return fault.New(fault.Storage, "%w", err)
		}
		for data := t.data; len(data) > 0; {
			n := min(part, len(data))
			halffloat.EncodeFloat32(buffer[:4*n], data[:n])
			if _, err := out.Write(buffer[:4*n]); err != nil {
				return fault.New(fault.Storage, "%s: %w", path, err)
			}
			data = data[n:]
		}
	}
	if err := w.Commit(); err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	return nil
}

// Restore takes what Save wrote into dir.
func (e *Engine) Restore(dir string) (*kernels.Restored, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if e.training == nil {
		return nil, fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	saved := kernels.SavedTensors(e.g)
	if err := e.loadTrained(dir, filepath.Join(dir, saved[0].File)); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil || s.Format != 1 {
		return nil, fault.New(fault.Storage, "%s: format %d, or no JSON: %w", filepath.Join(dir, stateFile), s.Format, err)
	}
	if err := e.loadMoments(filepath.Join(dir, optimizerFile)); err != nil {
		return nil, err
	}
	e.adam.updates = s.Updates
	r := &kernels.Restored{Exact: s.Seed == e.settings.Seed}
	if !r.Exact {
		r.Notes = append(r.Notes, fmt.Sprintf("the seed was %d and is %d: dropout differs", s.Seed, e.settings.Seed))
	}
	return r, nil
}

func (e *Engine) loadMoments(path string) error {
	c, err := weights.Open(path)
	if err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	defer c.Close()
	for _, p := range e.g.Trainable() {
		for ending, dst := range map[string][]float32{".exp_avg": e.adam.first[p.ID], ".exp_avg_sq": e.adam.second[p.ID]} {
			t, ok := c.Lookup(p.Name + ending)
			if !ok || t.Elements() != len(dst) {
				return fault.New(fault.Storage, "%s: no tensor %q of %d elements", path, p.Name+ending, len(dst))
			}
			if err := t.Float32(dst, 0); err != nil {
				return fault.New(fault.Storage, "%s: %w", path, err)
			}
		}
	}
	return nil
}

// ReadTensor is a trainable parameter, or the gradient of the last step's mean
// loss by it.
func (e *Engine) ReadTensor(name string, kind kernels.TensorKind) ([]float32, []int, error) {
	if err := e.loaded(); err != nil {
		return nil, nil, err
	}
	for _, p := range e.g.Trainable() {
		if p.Name != name {
			continue
		}
		switch kind {
		case kernels.TensorValue:
			return e.params[p.ID].f32, p.Shape, nil
		case kernels.TensorGradient:
			if e.adam.weight == 0 {
				return nil, nil, fault.New(fault.OutOfOrder, "no step was done, so there is no gradient")
			}
			return e.gradientOfMean(p.ID), p.Shape, nil
		}
		return nil, nil, fault.New(fault.BadInput, "there is no %q of a parameter", kind)
	}
	return nil, nil, fault.New(fault.BadInput, "no trainable parameter is called %q", name)
}
