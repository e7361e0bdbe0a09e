package refbackend

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

// Load reads the weights, and an adapter or a fresh one.
func (b *Backend) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if err := b.state(false); err != nil {
		return err
	}
	if b.params != nil {
		return fault.New(fault.OutOfOrder, "Load came twice")
	}
	checkpoint, err := weights.Open(req.Checkpoint...)
	if err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	defer checkpoint.Close()
	params, err := b.read(ctx, checkpoint, progress)
	if err != nil {
		return err
	}
	if req.Adapter != "" {
		saved := kernels.SavedTensors(b.req.Graph)
		if len(saved) == 0 {
			return fault.New(fault.BadInput, "the graph has no place for what is in %s", req.Adapter)
		}
		if err := readSaved(filepath.Join(req.Adapter, saved[0].File), saved, params); err != nil {
			return err
		}
	}
	b.params = params
	b.first, b.second = make([][]float64, len(params)), make([][]float64, len(params))
	for _, p := range b.req.Graph.Trainable() {
		b.first[p.ID], b.second[p.ID] = make([]float64, p.Elements()), make([]float64, p.Elements())
	}
	return nil
}

// read gives every parameter its values.
func (b *Backend) read(ctx context.Context, checkpoint *weights.Checkpoint, progress func(done, total int64)) ([][]float64, error) {
	var done, total int64
	for _, p := range b.req.Graph.Params {
		if p.Source == nil {
			continue
		}
		if err := weights.Check(checkpoint, p.Source, p.Shape); err != nil {
			return nil, fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		total += 4 * int64(p.Elements())
	}
	params := make([][]float64, len(b.req.Graph.Params))
	for _, p := range b.req.Graph.Params {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if p.Source == nil {
			params[p.ID] = fresh(p, b.req.Settings.Seed)
			continue
		}
		array, err := weights.Resolve(checkpoint, p.Source)
		if err != nil {
			return nil, fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		values := make([]float32, p.Elements())
		if err := array.Float32(values, 0); err != nil {
			return nil, fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		params[p.ID] = widen(values)
		done += 4 * int64(len(values))
		if progress != nil {
			progress(done, total)
		}
	}
	return params, nil
}

// fresh is a parameter that no checkpoint holds, drawn by the seed and its name alone.
func fresh(p *graph.Param, seed uint64) []float64 {
	values := make([]float64, p.Elements())
	if p.Init != graph.InitKaiming {
		return values
	}
	hash := sha256.Sum256([]byte(p.Name))
	rng := rand.New(rand.NewPCG(seed, binary.LittleEndian.Uint64(hash[:])))
	limit := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
	for i := range values {
		values[i] = float64(float32((2*rng.Float64() - 1) * limit))
	}
	return values
}

// readSaved reads the trainable parameters from a file that Save wrote, or PEFT.
func readSaved(path string, saved []kernels.SavedTensor, params [][]float64) error {
	c, err := weights.Open(path)
	if err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	defer c.Close()
	for _, s := range saved {
		values, err := readTensor(c, s.Key, s.Param.Shape)
		if err != nil {
			return fault.New(fault.BadWeights, "%s: %w", path, err)
		}
		params[s.Param.ID] = values
	}
	return nil
}

// readTensor is the tensor called name of a file.
func readTensor(c *weights.Checkpoint, name string, shape []int) ([]float64, error) {
	t, ok := c.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("tensor %q: shape %v, the graph expects %v", name, t.Shape, shape)
	}
	values := make([]float32, t.Elements())
	if err := t.Float32(values, 0); err != nil {
		return nil, err
	}
	return widen(values), nil
}
