package engine

import (
	"context"
	"runtime"
	"sync"

	"github.com/honeml/hone/plugins/cuda-kernels/cublaslt"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/initial"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// Load takes the memory that the plan lays out, compiles the kernels and reads the
// weights, or draws them.
func (e *Engine) Load(ctx context.Context, req *kernels.LoadRequest, gpu *device.GPU, progress func(done, total int64)) error {
	if e.arena != 0 {
		return fault.New(fault.OutOfOrder, "Load came twice")
	}
	values, err := initial.Open(e.g, req)
	if err != nil {
		return err
	}
	defer values.Close()
	l := loader{e: e, values: values, progress: progress}
	e.gpu = gpu
	compiled := make(chan error, 1)
	go func() { compiled <- gpu.Compile(ctx, &e.set) }()
	err = e.allocate()
	if err == nil {
		err = l.all(ctx)
	}
	if compileErr := <-compiled; err == nil {
		err = compileErr
	}
	if err != nil {
		return err
	}
	if err := values.Unchanged(); err != nil {
		return err
	}
	if err := e.do(func() error {
		if err := gpu.Load(&e.set); err != nil {
			return err
		}
		e.copyParameters()
		e.takeSquares()
		e.beginMagnitudes()
		return nil
	}); err != nil {
		return err
	}
	if req.Adapter != "" {
		err = trained.Load(req.Adapter, e.g, store{e})
	} else {
		err = e.beginStarts(ctx)
	}
	if err != nil {
		return err
	}
	return e.do(e.begin)
}

// allocate takes the GPU's memory and what goes with it on the host.
func (e *Engine) allocate() error {
	return e.gpu.Do(func() error {
		var err error
		if e.q, err = e.gpu.NewQueue(); err != nil {
			return err
		}
		if e.options.Profile {
			e.clock = &clock{q: e.q}
		}
		if e.arena, err = e.gpu.Alloc(e.memory.size); err != nil {
			return err
		}
		slot := max(batchBytes(bucket(e.layout.tokens)), e.viewBytes(), 8*int64(len(e.keys)))
		if e.staging, err = newStaging(e.gpu, int(slot), stagingSlots); err != nil {
			return err
		}
		if e.results, err = newResults(e); err != nil {
			return err
		}
		if e.mover, err = newMover(e); err != nil {
			return err
		}
		// What lies between parameters, and the moments, begin as zeros.
		for _, s := range []span{e.params.master, e.params.gradient, e.params.first, e.params.second} {
			e.q.Zero(e.at(s), s.bytes)
		}
		return e.openProducts()
	})
}

// openProducts opens cuBLASLt.
func (e *Engine) openProducts() error {
	library, err := e.gpu.Library(dl.CublasLt)
	if err != nil {
		return err
	}
	e.products.plans = map[cublaslt.Product]*cublaslt.Plan{}
	e.products.handle, err = cublaslt.Open(library)
	return err
}

type loader struct {
	e        *Engine
	values   *initial.Values
	progress func(done, total int64)
	staging  *staging
	done     int64
}

// loadPart is how many elements are converted and copied at once.
const loadPart = 8 << 20

// all reads every parameter.
func (l *loader) all(ctx context.Context) error {
	err := l.e.do(func() (err error) {
		l.staging, err = newStaging(l.e.gpu, 4*loadPart, 2)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range l.e.g.Params {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.load(p); err != nil {
			return err
		}
	}
	return l.e.do(func() error { return l.staging.close(l.e.q) })
}

// target is where a parameter is held and in which type: a trained one in the
// master.
func (e *Engine) target(p *graph.Param) (device.Pointer, device.Type) {
	if p.Trainable || !e.matrices[p.ID] {
		return e.vector(p.ID), device.Float32
	}
	return e.matrix(p.ID), e.matrixType(p.ID)
}

func (l *loader) load(p *graph.Param) error {
	at, t := l.e.target(p)
	read, err := l.reader(p)
	if err != nil {
		return err
	}
	for from, n := 0, p.Elements(); from < n; from += loadPart {
		count := min(loadPart, n-from)
		if err := l.part(at.Offset(int64(from)*t.Size()), t, from, count, read); err != nil {
			return err
		}
	}
	if p.Source != nil {
		l.done += int64(p.Elements())
		if l.progress != nil {
			l.progress(l.done, l.values.Elements())
		}
	}
	return nil
}

// reader reads a parameter's numbers, of an adapter those that a fresh one has.
func (l *loader) reader(p *graph.Param) (initial.Reader, error) {
	if p.Source != nil {
		return l.values.Reader(p)
	}
	fresh := make([]float32, p.Elements())
	initial.Fresh(fresh, p, l.e.settings.Seed)
	return func(dst []float32, from int) error {
		copy(dst, fresh[from:])
		return nil
	}, nil
}

// part converts elements into pinned memory on all cores and copies them.
func (l *loader) part(at device.Pointer, t device.Type, from, count int, read initial.Reader) error {
	var buffer []byte
	if err := l.e.do(func() error {
		buffer = l.staging.next()[:int64(count)*t.Size()]
		return l.staging.err
	}); err != nil {
		return err
	}
	const piece = 1 << 18
	errs := make([]error, (count+piece-1)/piece)
	var group sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range errs {
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			begin, end := i*piece, min(count, (i+1)*piece)
			numbers := make([]float32, end-begin)
			if errs[i] = read(numbers, from+begin); errs[i] == nil {
				t.Encode(buffer[int64(begin)*t.Size():int64(end)*t.Size()], numbers)
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return l.e.do(func() error {
		l.staging.send(l.e.q, at, buffer)
		return nil
	})
}
