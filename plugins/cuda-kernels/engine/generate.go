package engine

import (
	"context"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/facts"
	"github.com/honeml/hone/sdk/kernels/generation"
)

// Generate continues prompts, all of them a token at a time.
func (e *Engine) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := e.loaded(); err != nil {
		return err
	}
	if err := facts.CheckAdapter(e.g, req.Adapter); err != nil {
		return err
	}
	if err := generation.Check(req, e.phases, e.g.IDs()); err != nil {
		return err
	}
	r := &runner{e: e, adapter: req.Adapter, sequences: len(req.Prompts), length: generation.Length(req)}
	return generation.Run(ctx, r, req, e.layout.tokens, e.g.IDs(), emit)
}

// A runner runs rows of sequences whose earlier tokens are in the cache.
type runner struct {
	e                 *Engine
	adapter           string
	sequences, length int
	logits            []byte
}

// Run is generation.Runner's. Rows are one prompt whole, which the plan has room for,
// or the next token of several sequences.
func (r *runner) Run(_ context.Context, from generation.Rows, wanted []int, each func(row int, logits []float32) error) error {
	prompt := from.Position[0] == 0
	b, row := r.batch(from, prompt)
	var list []prediction
	for _, t := range wanted {
		list = append(list, prediction{row: row[t]})
	}
	e := r.e
	var numbers []float32
	err := e.do(func() error {
		rows, c, p := e.upload(b, list)
		call := call{q: e.q, rows: rows, batch: c, adapter: r.adapter, cache: r.view(b, rows, prompt)}
		e.takeNorms()
		e.run(e.scoring, call, nil)
		e.q.At("the logits")
		e.head.each(call, e.activation(e.scoring.logits), p, 0, func(at int, part predictions) {
			numbers = append(numbers, r.download(min(part.count, len(list)-at))...)
		})
		return nil
	})
	if err != nil {
		return err
	}
	v := e.g.Vocabulary()
	for i, t := range wanted {
		if err := each(t, numbers[i*v:(i+1)*v]); err != nil {
			return err
		}
	}
	return nil
}

// batch is the rows as a batch, and where in it each of them is: a prompt as a
// document, or row i the token of sequence i, and nothing where that has none.
func (r *runner) batch(from generation.Rows, prompt bool) (*graph.Batch, []int) {
	b := &graph.Batch{}
	at := make([]int, from.Len())
	if prompt {
		b.Append(from.Sequence[0], from.ID, make([]float32, from.Len()))
		for t := range at {
			at[t] = t
		}
		return b, at
	}
	for i := range r.sequences {
		b.Append(-1, []int32{0}, []float32{0})
		b.DocStart[i], b.DocEnd[i] = int32(i), int32(i+1)
	}
	for t, id := range from.ID {
		i := int(from.Sequence[t])
		at[t] = i
		b.ID[i], b.Position[i], b.Sample[i] = id, from.Position[t], from.Sequence[t]
	}
	return b, at
}

// view uploads the batch's view of the cache.
func (r *runner) view(b *graph.Batch, rows int, prompt bool) *cache {
	e := r.e
	w := words{data: e.staging.next()[:0]}
	row := func(t, back int) int32 {
		if t >= b.Tokens() || b.Sample[t] < 0 || int(b.Position[t]) < back {
			return -1
		}
		return b.Sample[t]*int32(r.length) + b.Position[t] - int32(back)
	}
	at := e.at(e.viewSpan)
	array := func(n int, f func(i int) int32) device.Pointer {
		p := at.Offset(int64(len(w.data)))
		for i := range n {
			w.put(f(i))
		}
		return p
	}
	c := &cache{prompt: prompt, sequences: r.sequences, length: r.length, back: map[int]window{}}
	c.row = array(rows, func(t int) int32 { return row(t, 0) })
	c.tokens = array(rows, func(t int) int32 {
		if row(t, 0) < 0 {
			return 0
		}
		return b.Position[t] + 1
	})
	if !prompt {
		for _, k := range e.windowLengths() {
			c.back[k] = window{
				row:      array(rows*k, func(i int) int32 { return row(i/k, k-1-i%k) }),
				docStart: array(rows*k, func(i int) int32 { return int32(i - i%k) }), // what is before the begin is zeros
				last:     array(rows, func(t int) int32 { return int32(t*k + k - 1) }),
			}
		}
	}
	e.staging.send(e.q, at, w.data)
	return c
}

// download gives the first n rows of logits.
func (r *runner) download(n int) []float32 {
	e := r.e
	t, count := e.typeOf(e.g.Logits), n*e.g.Vocabulary()
	if need := count * int(t.Size()); cap(r.logits) < need {
		r.logits = make([]byte, need)
	}
	data := r.logits[:count*int(t.Size())]
	e.q.Download(data, e.head.logits())
	return t.Decode(data)
}
