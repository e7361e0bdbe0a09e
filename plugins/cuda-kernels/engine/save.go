package engine

import (
	"encoding/json"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// store is what the engine trains, and the starts of adapters, as package trained sees
// them.
type store struct{ e *Engine }

func (s store) at(p *graph.Param, kind trained.Kind, at int) device.Pointer {
	spans := map[trained.Kind]span{trained.Value: s.e.params.master, trained.First: s.e.params.first, trained.Second: s.e.params.second}
	return s.e.in(spans[kind], p.ID, device.Float32).Offset(4 * int64(at))
}

func (s store) Read(p *graph.Param, kind trained.Kind, at int, dst []float32) error {
	if p.Trainable {
		return s.e.read(s.at(p, kind, at), dst)
	}
	from, t := s.e.target(p)
	data := make([]byte, int64(len(dst))*t.Size())
	err := s.e.do(func() error {
		s.e.q.Download(data, from.Offset(int64(at)*t.Size()))
		return nil
	})
	copy(dst, t.Decode(data))
	return err
}

func (s store) Write(p *graph.Param, kind trained.Kind, at int, src []float32) error {
	if p.Trainable {
		return s.e.write(p, s.at(p, kind, at), device.Float32, src)
	}
	to, t := s.e.target(p)
	return s.e.write(p, to.Offset(int64(at)*t.Size()), t, src)
}

// write puts numbers of a parameter where it is held, in the type there.
func (e *Engine) write(p *graph.Param, to device.Pointer, t device.Type, src []float32) error {
	data := make([]byte, int64(len(src))*t.Size())
	t.Encode(data, src)
	return e.do(func() error {
		e.q.At("parameter " + p.Name)
		e.q.Upload(to, data)
		return nil
	})
}

// read copies float32 numbers from the GPU.
func (e *Engine) read(from device.Pointer, dst []float32) error {
	data := make([]byte, 4*len(dst))
	err := e.do(func() error {
		e.q.Download(data, from)
		return nil
	})
	copy(dst, device.Float32.Decode(data))
	return err
}

// begin brings all that no checkpoint holds to where the first step finds it.
func (e *Engine) begin() error {
	e.uploadConstants()
	e.setState(e.optimizer.Start())
	e.copyParameters()
	return nil
}

func (e *Engine) setState(s optimizer.State) { e.q.Upload(e.state(), s.Encode()) }

// copyParameters writes the copy that the products read.
func (e *Engine) copyParameters() {
	if e.params.elements > 0 {
		e.optimizer.Cast(e.q, e.buffers())
	}
	e.normsTaken = false
}

// Save writes what is trained and, unless weightsOnly, the optimizer's state into dir.
func (e *Engine) Save(dir string, weightsOnly bool) ([]string, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if weightsOnly || e.training == nil {
		return trained.Save(dir, e.g, store{e}, nil)
	}
	data := make([]byte, optimizer.StateBytes)
	if err := e.do(func() error { e.q.Download(data, e.state()); return nil }); err != nil {
		return nil, err
	}
	s, err := optimizer.DecodeState(data)
	if err != nil {
		return nil, err
	}
	own, err := json.Marshal(ownState{Optimizer: data})
	if err != nil {
		return nil, err
	}
	return trained.Save(dir, e.g, store{e}, &trained.State{Updates: s.Updates, Seed: e.settings.Seed, Backend: own})
}

// ownState is trained.State.Backend.
type ownState struct {
	Optimizer []byte `json:"cuda_optimizer"`
}

// Restore takes what Save wrote into dir.
func (e *Engine) Restore(dir string) (*kernels.Restored, error) {
	if err := e.loaded(); err != nil {
		return nil, err
	}
	if e.training == nil {
		return nil, fault.New(fault.OutOfOrder, "the plan has no train phase")
	}
	s, err := trained.Restore(dir, e.g, store{e})
	if err != nil {
		return nil, err
	}
	r := &kernels.Restored{Exact: s.Seed == e.settings.Seed}
	if !r.Exact {
		r.Notes = append(r.Notes, fmt.Sprintf("the seed was %d and is %d: dropout differs", s.Seed, e.settings.Seed))
	}
	state := e.optimizer.Start()
	var own ownState
	if json.Unmarshal(s.Backend, &own) == nil && len(own.Optimizer) > 0 {
		if state, err = optimizer.DecodeState(own.Optimizer); err != nil {
			return nil, fault.New(fault.Storage, "%s: %w", dir, err)
		}
	} else {
		r.Exact = false
		r.Notes = append(r.Notes, "the checkpoint is another backend's: losses go on, but not to the bit")
	}
	state.Updates = s.Updates
	return r, e.do(func() error {
		e.setState(state)
		e.copyParameters()
		return nil
	})
}

// ReadTensor is a trainable parameter, or the gradient of the last step's mean loss by
// it.
func (e *Engine) ReadTensor(name string, kind kernels.TensorKind) ([]float32, []int, error) {
	if err := e.loaded(); err != nil {
		return nil, nil, err
	}
	p, err := facts.Trainable(e.g, name)
	if err != nil {
		return nil, nil, err
	}
	out := make([]float32, p.Elements())
	switch kind {
	case kernels.TensorValue:
		return out, p.Shape, e.read(e.vector(p.ID), out)
	case kernels.TensorGradient:
		return out, p.Shape, e.gradientOfMean(p.ID, out)
	}
	return nil, nil, fault.New(fault.BadInput, "there is no %q of a parameter", kind)
}

// gradientOfMean is the gradient of the last step's mean loss, before clipping.
func (e *Engine) gradientOfMean(id graph.ParamID, out []float32) error {
	if !e.stepped {
		return fault.New(fault.OutOfOrder, "no step was done, so there is no gradient")
	}
	data := make([]byte, optimizer.StateBytes)
	if err := e.do(func() error { e.q.Download(data, e.state()); return nil }); err != nil {
		return err
	}
	s, err := optimizer.DecodeState(data)
	if err != nil {
		return err
	}
	if err := e.read(e.gradient(id), out); err != nil {
		return err
	}
	for i := range out {
		out[i] = float32(float64(out[i]) / e.weight / float64(s.Used))
	}
	return nil
}
