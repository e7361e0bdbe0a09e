package refbackend

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

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
	momentsFile = kernels.StatePrefix + ".safetensors"
	stateFile   = kernels.StatePrefix + ".json"
)

// A state is what stateFile holds.
type state struct {
	Updates int64  `json:"updates"`
	Seed    uint64 `json:"seed"`
}

// A tensor is one that a file is to hold.
type tensor struct {
	name   string
	shape  []int
	values []float64
}

// Save writes what is trained, and the optimizer's state unless only weights are
// wanted.
func (b *Backend) Save(_ context.Context, req *kernels.SaveRequest) ([]string, error) {
	if err := b.state(true); err != nil {
		return nil, err
	}
	saved := kernels.SavedTensors(b.req.Graph)
	if len(saved) == 0 {
		return nil, fault.New(fault.OutOfOrder, "nothing is trained, so there is nothing to save")
	}
	var trained, moments []tensor
	for _, s := range saved {
		id := s.Param.ID
		values := narrow(b.params[id])
		if s.Start != nil {
			values = s.Join(values, narrow(b.params[s.Start.ID]))
		}
		trained = append(trained, tensor{s.Key, s.Shape(), widen(values)})
		moments = append(moments, tensor{s.Param.Name + ".first", s.Param.Shape, b.first[id]},
			tensor{s.Param.Name + ".second", s.Param.Shape, b.second[id]})
	}
	if err := write(filepath.Join(req.Directory, saved[0].File), trained); err != nil {
		return nil, err
	}
	if req.WeightsOnly {
		return []string{saved[0].File}, nil
	}
	if err := write(filepath.Join(req.Directory, momentsFile), moments); err != nil {
		return nil, err
	}
	data, err := json.Marshal(state{Updates: b.updates, Seed: b.req.Settings.Seed})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(req.Directory, stateFile), data, 0o644); err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	return []string{saved[0].File, momentsFile, stateFile}, nil
}

// Restore takes what Save wrote.
func (b *Backend) Restore(_ context.Context, directory string) (*kernels.Restored, error) {
	if err := b.state(true); err != nil {
		return nil, err
	}
	if b.restored || b.begun {
		return nil, fault.New(fault.OutOfOrder, "Restore comes once, and before the first step")
	}
	saved := kernels.SavedTensors(b.req.Graph)
	if len(saved) == 0 {
		return nil, fault.New(fault.OutOfOrder, "nothing is trained, so there is nothing to restore")
	}
	data, err := os.ReadFile(filepath.Join(directory, stateFile))
	if err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fault.New(fault.Storage, "%s: %w", stateFile, err)
	}
	moments, err := weights.Open(filepath.Join(directory, momentsFile))
	if err != nil {
		return nil, fault.New(fault.Storage, "%w", err)
	}
	defer moments.Close()
	params, first, second := slices.Clone(b.params), slices.Clone(b.first), slices.Clone(b.second)
	for _, t := range saved {
		id := t.Param.ID
		if first[id], err = readTensor(moments, t.Param.Name+".first", t.Param.Shape); err != nil {
			return nil, fault.New(fault.Storage, "%s: %w", momentsFile, err)
		}
		if second[id], err = readTensor(moments, t.Param.Name+".second", t.Param.Shape); err != nil {
			return nil, fault.New(fault.Storage, "%s: %w", momentsFile, err)
		}
	}
	if err := readSaved(filepath.Join(directory, saved[0].File), saved, params); err != nil {
		return nil, err
	}
	b.params, b.first, b.second, b.updates, b.restored = params, first, second, s.Updates, true
	r := &kernels.Restored{Exact: s.Seed == b.req.Settings.Seed}
	if !r.Exact {
		r.Notes = []string{fmt.Sprintf("the seed was %d and is %d: dropout differs", s.Seed, b.req.Settings.Seed)}
	}
	return r, nil
}

// write makes a safetensors file of float32 tensors.
func write(path string, tensors []tensor) error {
	specs := make([]tensorfile.Spec, len(tensors))
	for i, t := range tensors {
		specs[i] = tensorfile.Spec{Name: t.name, DType: dtype.F32, Shape: t.shape}
	}
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	defer w.Close()
	for _, t := range tensors {
		out, err := w.Tensor(t.name)
		if err != nil {
			return fault.New(fault.Storage, "%w", err)
		}
		data := make([]byte, 4*len(t.values))
		halffloat.EncodeFloat32(data, narrow(t.values))
		if _, err := out.Write(data); err != nil {
			return fault.New(fault.Storage, "%s: %w", path, err)
		}
	}
	if err := w.Commit(); err != nil {
		return fault.New(fault.Storage, "%w", err)
	}
	return nil
}
