package engine

import (
	"context"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/initial"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// Load reads the weights, or draws them, and takes the memory that the plan lays out.
func (e *Engine) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if e.params != nil {
		return fault.New(fault.OutOfOrder, "Load came twice")
	}
	values, err := initial.Open(e.g, req)
	if err != nil {
		return err
	}
	defer values.Close()
	l := loader{e: e, values: values, progress: progress, params: make([]*matrix, len(e.g.Params)), total: values.Elements()}
	if req.Adapter == "" {
		l.total += int64(e.startElements()) // which take as long as reading does, or longer
	}
	for _, p := range e.g.Params {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.load(p); err != nil {
			return err
		}
	}
	if err := values.Unchanged(); err != nil {
		return err
	}
	e.params = l.params
	e.allocate()
	e.magnitudes()
	defer clear(e.norms)
	if req.Adapter != "" {
		return trained.Load(req.Adapter, e.g, trainedStore{e})
	}
	return e.starts(ctx, l.advance)
}

type loader struct {
	e        *Engine
	values   *initial.Values
	progress func(done, total int64)
	params   []*matrix
	done     int64
	total    int64
}

// advance tells of elements that are done.
func (l *loader) advance(elements int) {
	l.done += int64(elements)
	if l.progress != nil {
		l.progress(l.done, l.total)
	}
}

// asMatrix sees a shape as [rows, cols]: the first dimension against the others.
func asMatrix(shape []int) (rows, cols int) {
	if len(shape) == 1 {
		return 1, shape[0]
	}
	rows, cols = shape[0], 1
	for _, d := range shape[1:] {
		cols *= d
	}
	return rows, cols
}

func (l *loader) load(p *graph.Param) error {
	rows, cols := asMatrix(p.Shape)
	m := newMatrix(rows, cols, l.e.heldAs(p))
	l.params[p.ID] = m
	if p.Source == nil {
		initial.Fresh(m.f32, p, l.e.settings.Seed)
		return nil
	}
	read, err := l.values.Reader(p)
	if err != nil {
		return err
	}
	const part = 1 << 20
	n := rows * cols
	pieces := (n + part - 1) / part
	errs := make([]error, pieces)
	l.e.pool.Run(pieces, func(i int) {
		from, to := i*part, min(n, (i+1)*part)
		if m.held == heldFloat32 {
			errs[i] = read(m.f32[from:to], from)
			return
		}
		buffer := make([]float32, to-from)
		if errs[i] = read(buffer, from); errs[i] == nil {
			m.set(from, buffer)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	l.advance(n)
	return nil
}

// allocate takes the arena and the optimizer's memory.
func (e *Engine) allocate() {
	size := e.scoring.size
	if e.training != nil {
		size = max(size, e.training.size)
	}
	e.arena = make([]float32, size/4)
	e.grads = make([][]float32, len(e.g.Params))
	e.vectors = make([][]float32, len(e.g.Params))
	e.adam.first, e.adam.second = make([][]float32, len(e.g.Params)), make([][]float32, len(e.g.Params))
	for _, p := range e.g.Params {
		m := e.params[p.ID]
		if m.held == heldFloat32 {
			e.vectors[p.ID] = m.f32
		}
		if p.Trainable && e.training != nil {
			n := m.rows * m.cols
			e.grads[p.ID] = make([]float32, n)
			e.adam.first[p.ID], e.adam.second[p.ID] = make([]float32, n), make([]float32, n)
		}
	}
}
