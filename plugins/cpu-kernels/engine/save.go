package engine

import (
	"fmt"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// trainedStore is the engine's trainable parameters as package trained sees them.
type trainedStore struct{ e *Engine }

func (s trainedStore) of(p *graph.Param, kind trained.Kind) []float32 {
	switch kind {
	case trained.First:
		return s.e.adam.first[p.ID]
	case trained.Second:
		return s.e.adam.second[p.ID]
	}
	return s.e.params[p.ID].f32
}

func (s trainedStore) Read(p *graph.Param, kind trained.Kind, at int, dst []float32) error {
	copy(dst, s.of(p, kind)[at:])
	return nil
}

func (s trainedStore) Write(p *graph.Param, kind trained.Kind, at int, src []float32) error {
	copy(s.of(p, kind)[at:], src)
	return nil
}

// Save writes what is trained and, unless weightsOnly, the optimizer's state
// into dir.
func (e *Engine) Save(dir string, weightsOnly bool) ([]string, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	var state *trained.State
	if !weightsOnly && e.training != nil {
		state = &trained.State{Updates: e.adam.updates, Seed: e.settings.Seed}
	}
	return trained.Save(dir, e.g, trainedStore{e}, state)
}

// Restore takes what Save wrote into dir.
func (e *Engine) Restore(dir string) (*kernels.Restored, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if e.training == nil {
		return nil, fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	s, err := trained.Restore(dir, e.g, trainedStore{e})
	if err != nil {
		return nil, err
	}
	e.adam.updates = s.Updates
	clear(e.norms)
	r := &kernels.Restored{Exact: s.Seed == e.settings.Seed}
	if !r.Exact {
		r.Notes = append(r.Notes, fmt.Sprintf("the seed was %d and is %d: dropout differs", s.Seed, e.settings.Seed))
	}
	return r, nil
}

// ReadTensor is a trainable parameter, or the gradient of the last step's mean
// loss by it.
func (e *Engine) ReadTensor(name string, kind kernels.TensorKind) ([]float32, []int, error) {
	if err := e.loaded(); err != nil {
		return nil, nil, err
	}
	p, err := facts.Trainable(e.g, name)
	if err != nil {
		return nil, nil, err
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
