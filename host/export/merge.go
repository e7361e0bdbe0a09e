package export

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// A MergeSpec says what is merged into what.
type MergeSpec struct {
	Graph      *graph.Graph        // with the adapter, sources as the checkpoint has them
	Layout     []*graph.Source     // by parameter, how a checkpoint to write holds it; none: as Graph says
	Checkpoint *weights.Checkpoint // of the base model
	Trained    *weights.Checkpoint // what the run saved; nil: nothing
	Folder     string              // where the model is written
	ShardBytes int64               // the most a file holds; 0: safetensors.DefaultShardBytes
	DType      weights.DType       // dtype.Unknown: as the base holds each tensor, quantised ones as float32
	Progress   func(done, total int64)

	last *held // of parts being written
}

// A tensor of the merged model.
type merged struct {
	name    string
	shape   []int
	param   *graph.Param   // nil: of a part of the model that the Graph does not know
	adapter *graph.Adapter // added to it, or nil
	dtype   weights.DType
	array   *weights.Array   // the base's values
	part    *graph.Source    // the tensor as an expression over the parameter; nil: it is the parameter
	own     *graph.TokenRows // rows that replace some of the base's, or nil
	ownRows []float32        // their values
}

func (t merged) elements() int64 {
	n := int64(1)
	for _, d := range t.shape {
		n *= int64(d)
	}
	return n
}

// Merge writes the base model with what was trained worked into its weights,
// W + s·B·A for linears with an adapter, with DoRA's magnitudes as the norms of its
// rows, a block of rows at a time. It reports
// whether a tie had to be broken because only one side of it was trained: the
// configuration has to say so.
func Merge(ctx context.Context, s MergeSpec) (untied bool, err error) {
	s.last = &held{}
	tensors, untied, err := s.tensors()
	if err != nil {
		return false, err
	}
	specs := make([]tensorfile.Spec, len(tensors))
	var total, done int64
	for i, t := range tensors {
		specs[i] = tensorfile.Spec{Name: t.name, DType: t.dtype, Shape: t.shape}
		total += t.elements()
	}
	w, err := safetensors.CreateSharded(s.Folder, "model", specs, s.ShardBytes, safetensors.Options{Sync: true})
	if err != nil {
		return false, fault.New(fault.Storage, "%w", err)
	}
	defer w.Close()
	for _, t := range tensors {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		out, err := w.Tensor(t.name)
		if err != nil {
			return false, fault.New(fault.Storage, "%w", err)
		}
		if err := s.write(out, t); err != nil {
			return false, fmt.Errorf("tensor %q: %w", t.name, err)
		}
		done += t.elements()
		if s.Progress != nil {
			s.Progress(done, total)
		}
	}
	if err := w.Commit(); err != nil {
		return false, fault.New(fault.Storage, "%w", err)
	}
	return untied, nil
}

// tensors lists what the merged model holds, in the Graph's order.
func (s MergeSpec) tensors() (out []merged, untied bool, err error) {
	uses := make([]int, len(s.Graph.Params))
	for _, n := range s.Graph.Nodes {
		for _, id := range graph.ParamsOf(n.Op) {
			uses[id]++
		}
	}
	adapters := map[graph.ParamID]*graph.Adapter{}
	var apart []merged // sides of ties that an adapter changes alone
	for _, n := range s.Graph.Nodes {
		if e, ok := n.Op.(*graph.ExpertLinear); ok && e.Adapter != nil {
			adapters[e.Weight] = e.Adapter
		}
		l, ok := n.Op.(*graph.Linear)
		if !ok || l.Adapter == nil {
			continue
		}
		if l.Adapter.Bias != graph.NoParam && l.Bias == graph.NoParam {
			return nil, false, fault.New(fault.Unsupported, "module %s: the adapter has a bias and the model none to work it into", l.Module)
		}
		if uses[l.Weight] == 1 {
			adapters[l.Weight] = l.Adapter
			continue
		}
		apart = append(apart, merged{name: l.Module + ".weight", param: s.Graph.Params[l.Weight], adapter: l.Adapter})
		untied = true
	}
	for _, p := range s.Graph.Params {
		if p.Adapter == "" {
			out = append(out, s.stored(p, adapters[p.ID])...)
		}
	}
	out = append(out, apart...)
	for i := range out {
		if err := s.resolve(&out[i]); err != nil {
			return nil, false, err
		}
	}
	others, err := s.others()
	return append(out, others...), untied, err
}

// others are the tensors of a model's other parts, where the Graph is of one part
// alone. They go into the merged model as they are.
func (s MergeSpec) others() ([]merged, error) {
	if _, part := s.Graph.Notes[graph.PartNote]; !part || s.Checkpoint.GGUF() != nil {
		return nil, nil
	}
	known := map[string]bool{}
	for _, p := range s.Graph.Params {
		for _, name := range p.Source.Tensors() {
			known[name] = true
		}
	}
	var out []merged
	for t := range s.Checkpoint.Tensors() {
		if known[t.Name] {
			continue
		}
		array, err := weights.Resolve(s.Checkpoint, graph.FromTensor(t.Name))
		if err != nil {
			return nil, fault.New(fault.BadWeights, "tensor %q: %w", t.Name, err)
		}
		other := merged{name: t.Name, shape: t.Shape, dtype: s.typeOf(array), array: array}
		if array.Readable() != nil { // whole numbers
			other.dtype = array.DType()
		}
		out = append(out, other)
	}
	return out, nil
}

// resolve finds the base's values, and the shape and type to write.
func (s MergeSpec) resolve(t *merged) error {
	array, err := weights.Resolve(s.Checkpoint, t.param.Source)
	if err != nil {
		return fault.New(fault.BadWeights, "parameter %q: %w", t.param.Name, err)
	}
	t.array, t.shape, t.dtype = array, t.param.Shape, s.typeOf(array)
	if t.part != nil {
		return s.resolvePart(t)
	}
	// A tensor that the Graph only reshapes keeps the checkpoint's shape.
	if base, ok := s.Checkpoint.Lookup(t.name); ok && base.Elements() == t.param.Elements() {
		t.shape = base.Shape
	}
	return s.resolveRows(t)
}

// resolveRows finds the rows that replace some of a tensor's.
func (s MergeSpec) resolveRows(t *merged) (err error) {
	for _, n := range s.Graph.Nodes {
		r := graph.RowsOf(n.Op)
		if r == nil || s.Trained == nil {
			continue
		}
		e, embeds := n.Op.(*graph.Embed)
		l, multiplies := n.Op.(*graph.Linear)
		if embeds && e.Table == t.param.ID || multiplies && l.Weight == t.param.ID {
			t.own = r
			t.ownRows, err = s.read(r.Values)
			return err
		}
	}
	return nil
}

// typeOf is the type that the base's values are written in.
func (s MergeSpec) typeOf(array *weights.Array) weights.DType {
	switch {
	case s.DType != dtype.Unknown:
		return s.DType
	case array.DType().Plain():
		return array.DType()
	}
	return dtype.F32
}

// mergeRows is how many rows are merged at a time.
const mergeRows = 256

func (s MergeSpec) write(out *tensorfile.TensorWriter, t merged) error {
	switch {
	case t.param == nil:
		return s.copyOther(out, t)
	case t.part != nil:
		return s.writePart(out, t)
	}
	trained, err := s.trained(t.param)
	if err != nil {
		return err
	}
	rows, cols := t.array.Rows(), t.array.Cols()
	if t.adapter == nil && s.biasUpdate(t.param) == nil {
		return s.copyRows(out, t, trained)
	}
	if t.adapter == nil {
		return s.writeBias(out, t, trained)
	}
	a, err := s.read(t.adapter.A)
	if err != nil {
		return err
	}
	b, err := s.read(t.adapter.B)
	if err != nil {
		return err
	}
	var magnitude []float32
	if t.adapter.Magnitude != graph.NoParam {
		if magnitude, err = s.read(t.adapter.Magnitude); err != nil {
			return err
		}
	}
	rank, _ := t.adapter.Plain() // which is what is saved
	scaling := float32(t.adapter.Scaling())
	block := make([]float32, mergeRows*cols)
	for first := 0; first < rows; first += mergeRows {
		n := min(mergeRows, rows-first)
		w := block[:n*cols]
		if err := s.rows(t, trained, w, first, cols); err != nil {
			return err
		}
		for i := range n {
			for r := range rank {
				factor := scaling * b[(first+i)*rank+r]
				for c, v := range a[r*cols : (r+1)*cols] {
					w[i*cols+c] += factor * v
				}
			}
		}
		if magnitude != nil {
			withMagnitudes(w, magnitude[first:first+n])
		}
		if err := out.WriteFloat32(w); err != nil {
			return err
		}
	}
	return nil
}

// withMagnitudes gives each row of w the norm that DoRA trained.
func withMagnitudes(w, magnitude []float32) {
	cols := len(w) / len(magnitude)
	for i, m := range magnitude {
		row, sum := w[i*cols:(i+1)*cols], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		if sum == 0 {
			continue // a row of zeros has no direction
		}
		ratio := float32(float64(m) / math.Sqrt(sum))
		for c := range row {
			row[c] *= ratio
		}
	}
}

// rows gives whole rows of a tensor, the trained ones where it was trained.
func (s MergeSpec) rows(t merged, trained, dst []float32, first, cols int) error {
	if trained != nil {
		copy(dst, trained[first*cols:])
		return nil
	}
	if err := t.array.ReadRows(dst, first); err != nil || t.own == nil {
		return err
	}
	for k, id := range t.own.IDs {
		if at := (id - first) * cols; at >= 0 && at < len(dst) {
			copy(dst[at:at+cols], t.ownRows[k*cols:])
		}
	}
	return nil
}

// copyOther writes a tensor of another part of the model.
func (s MergeSpec) copyOther(out *tensorfile.TensorWriter, t merged) error {
	if t.array.Readable() == nil {
		return s.copyRows(out, t, nil)
	}
	return t.array.Tensors()[0].View(func(data []byte) error {
		_, err := out.Write(data)
		return err
	})
}

func (s MergeSpec) copyRows(out *tensorfile.TensorWriter, t merged, trained []float32) error {
	rows, cols := t.array.Rows(), t.array.Cols()
	atATime := max(1, (1<<20)/max(1, cols))
	block := make([]float32, min(rows, atATime)*cols)
	for first := 0; first < rows; first += atATime {
		w := block[:min(atATime, rows-first)*cols]
		if err := s.rows(t, trained, w, first, cols); err != nil {
			return err
		}
		if err := out.WriteFloat32(w); err != nil {
			return err
		}
	}
	return nil
}

// biasUpdate is the adapter whose bias is added to the parameter, a linear's own
// bias; nil for none.
func (s MergeSpec) biasUpdate(p *graph.Param) *graph.Adapter {
	for _, n := range s.Graph.Nodes {
		if l, ok := n.Op.(*graph.Linear); ok && l.Bias == p.ID && l.Adapter != nil && l.Adapter.Bias != graph.NoParam {
			return l.Adapter
		}
	}
	return nil
}

func (s MergeSpec) writeBias(out *tensorfile.TensorWriter, t merged, trained []float32) error {
	a := s.biasUpdate(t.param)
	update, err := s.read(a.Bias)
	if err != nil {
		return err
	}
	v := make([]float32, t.param.Elements())
	if err := s.rows(t, trained, v, 0, 1); err != nil {
		return err
	}
	for i := range v {
		v[i] += float32(a.Scaling()) * update[i]
	}
	return out.WriteFloat32(v)
}

// trained is a parameter of the model's own as the run left it; nil if it was
// not trained.
func (s MergeSpec) trained(p *graph.Param) ([]float32, error) {
	if !p.Trainable || s.Trained == nil {
		return nil, nil
	}
	return s.read(p.ID)
}

// read gives a trainable parameter as the run saved it: with what it began with, where
// its adapter takes that away.
func (s MergeSpec) read(id graph.ParamID) ([]float32, error) {
	for _, saved := range kernels.SavedTensors(s.Graph) {
		if saved.Param.ID != id {
			continue
		}
		t, ok := s.Trained.Lookup(saved.Key)
		if !ok || t.Elements() != saved.Elements() {
			return nil, fault.New(fault.BadWeights, "%s has no tensor %q of shape %v", strings.Join(s.Trained.Files(), ", "), saved.Key, saved.Shape())
		}
		out := make([]float32, t.Elements())
		return out, t.Float32(out, 0)
	}
	return nil, fault.New(fault.BadWeights, "parameter %q was not trained", s.Graph.Params[id].Name)
}
