package engine

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/trained"
	"github.com/honeml/hone/sdk/weights"
)

// Load reads the weights and takes the memory that the plan lays out.
func (e *Engine) Load(ctx context.Context, req *kernels.LoadRequest, progress func(done, total int64)) error {
	if e.params != nil {
		return fault.New(fault.OutOfOrder, "Load came twice")
	}
	checkpoint, err := weights.Open(req.Checkpoint...)
	if err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	defer checkpoint.Close()
	l := loader{e: e, checkpoint: checkpoint, progress: progress, params: make([]*matrix, len(e.g.Params))}
	if err := l.check(); err != nil {
		return err
	}
	for _, p := range e.g.Params {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.load(p); err != nil {
			return err
		}
	}
	if err := checkpoint.Unchanged(); err != nil {
		return fault.New(fault.BadWeights, "%w", err)
	}
	e.params = l.params
	e.allocate()
	if req.Adapter != "" {
		return trained.Load(req.Adapter, e.g, trainedStore{e})
	}
	return nil
}

type loader struct {
	e           *Engine
	checkpoint  *weights.Checkpoint
	progress    func(done, total int64)
	params      []*matrix
	done, total int64
}

// check compares every parameter's shape with the checkpoint's before anything
// is read.
func (l *loader) check() error {
	for _, p := range l.e.g.Params {
		if p.Source == nil {
			continue
		}
		if err := weights.Check(l.checkpoint, p.Source, p.Shape); err != nil {
			return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
		l.total += int64(p.Elements())
	}
	return nil
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
	held := l.e.layout.held
	if p.Trainable || len(p.Shape) == 1 || p.Role == graph.RoleConv {
		held = heldFloat32
	}
	m := newMatrix(rows, cols, held)
	l.params[p.ID] = m
	if p.Source == nil {
		initialise(m.f32, p, l.e.settings.Seed)
		return nil
	}
	array, err := weights.Resolve(l.checkpoint, p.Source)
	if err != nil {
		return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
	}
	const part = 1 << 20
	n := rows * cols
	pieces := (n + part - 1) / part
	errs := make([]error, pieces)
	l.e.pool.Run(pieces, func(i int) {
		from, to := i*part, min(n, (i+1)*part)
		if m.held == heldFloat32 {
			errs[i] = array.Float32(m.f32[from:to], from)
			return
		}
		buffer := make([]float32, to-from)
		if errs[i] = array.Float32(buffer, from); errs[i] == nil {
			m.set(from, buffer)
		}
	})
	for _, err := range errs {
		if err != nil {
			return fault.New(fault.BadWeights, "parameter %q: %w", p.Name, err)
		}
	}
	l.done += int64(n)
	if l.progress != nil {
		l.progress(l.done, l.total)
	}
	return nil
}

// initialise fills a parameter that no checkpoint holds. The draws depend on the
// seed and the parameter's name alone.
func initialise(dst []float32, p *graph.Param, seed uint64) {
	if p.Init != graph.InitKaiming {
		return
	}
	key := dropout.NewKey(seed, 0, p.Name)
	r := rand.New(rand.NewPCG(uint64(key[0]), uint64(key[1])))
	limit := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
	for i := range dst {
		dst[i] = float32((2*r.Float64() - 1) * limit)
	}
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
