package export

import (
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// stored lists the tensors that a checkpoint holds of a parameter: itself or, where its
// source joins or turns others, such as the experts of a layer, these.
func (s MergeSpec) stored(p *graph.Param, adapter *graph.Adapter) []merged {
	layout := p.Source
	if int(p.ID) < len(s.Layout) {
		layout = s.Layout[p.ID]
	}
	itself := merged{name: p.Name, param: p, adapter: adapter}
	switch {
	case layout.Op == graph.SourceReshape:
		return []merged{itself}
	case layout.Op == graph.SourceTensor && len(p.Shape) < 3:
		if !slices.Contains(layout.Names, p.Name) {
			itself.name = layout.Names[0]
		}
		return []merged{itself}
	}
	parts, err := layout.Parts(p.Shape, graph.FromTensor(p.Name))
	if err != nil {
		return []merged{itself}
	}
	out := make([]merged, len(parts))
	for i, part := range parts {
		out[i] = merged{name: part.Name, param: p, adapter: adapter, part: part.Source, shape: part.Shape}
	}
	return out
}

// changed reports whether the parameter of a part was trained or has an adapter.
func (s MergeSpec) changed(t merged) bool {
	return t.adapter != nil || t.param.Trainable && s.Trained != nil
}

// resolvePart is resolve for a part: what is not changed is read out of the base.
func (s MergeSpec) resolvePart(t *merged) error {
	array, err := weights.Resolve(s.Checkpoint, t.part.MapTensors(func(*graph.Source) *graph.Source { return t.param.Source }))
	if err != nil {
		return fault.New(fault.BadWeights, "tensor %q: %w", t.name, err)
	}
	t.shape = array.Shape()
	if !s.changed(*t) {
		t.array, t.dtype = array, s.typeOf(array)
	}
	return nil
}

// writePart writes a part of a parameter.
func (s MergeSpec) writePart(out *tensorfile.TensorWriter, t merged) error {
	if s.changed(t) {
		whole, err := s.whole(t)
		if err != nil {
			return err
		}
		if t.array, err = weights.Resolve(whole, t.part); err != nil {
			return err
		}
	}
	return s.copyRows(out, t, nil)
}

// whole is a parameter that has parts, with what was trained worked in. The last one is
// kept: its parts follow each other.
func (s MergeSpec) whole(t merged) (*weights.Checkpoint, error) {
	if s.last.param == t.param {
		return s.last.values, nil
	}
	values, err := s.trained(t.param)
	if err != nil {
		return nil, err
	}
	if values == nil {
		values = make([]float32, t.param.Elements())
		if err := t.array.Float32(values, 0); err != nil {
			return nil, err
		}
	}
	if t.adapter != nil {
		if err := s.addExperts(values, t); err != nil {
			return nil, err
		}
	}
	s.last.param, s.last.values = t.param, weights.FromMemory(t.param.Name, t.param.Shape, values)
	return s.last.values, nil
}

// addExperts adds the updates of all experts to their weights; [graph.Adapter] has how
// their parameters lie.
func (s MergeSpec) addExperts(w []float32, t merged) error {
	a, err := s.read(t.adapter.A)
	if err != nil {
		return err
	}
	b, err := s.read(t.adapter.B)
	if err != nil {
		return err
	}
	experts, out, in := t.param.Shape[0], t.param.Shape[1], t.param.Shape[2]
	scaling, rank := float32(t.adapter.Scaling()), t.adapter.Rank
	for e := range experts {
		for o := range out {
			row := w[(e*out+o)*in:][:in]
			for j := range rank {
				factor := scaling * b[o*rank*experts+j*experts+e]
				for c, v := range a[(e*rank+j)*in:][:in] {
					row[c] += factor * v
				}
			}
		}
	}
	return nil
}

// held is a parameter whose parts are being written.
type held struct {
	param  *graph.Param
	values *weights.Checkpoint
}
