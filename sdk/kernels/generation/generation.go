// Package generation is the loop that continues prompts token by token, for every
// backend: what to run next, which token to take, when a sequence ends. The backend
// runs the model and keeps keys and values of earlier tokens: it gives a [Runner].
package generation

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/sampling"
)

// Rows are tokens to run: parts of prompts, each sequence's in order, or the last
// token of several sequences.
type Rows struct {
	ID       []int32
	Position []int32 // in its sequence, from 0
	Sequence []int32 // index of the prompt
}

// Len is the number of rows.
func (r Rows) Len() int { return len(r.ID) }

func (r *Rows) add(id int32, position, sequence int) {
	r.ID = append(r.ID, id)
	r.Position = append(r.Position, int32(position))
	r.Sequence = append(r.Sequence, int32(sequence))
}

// last are the rows that are the last of their sequence.
func (r Rows) last() []int {
	var out []int
	for t := range r.Sequence {
		if t+1 == r.Len() || r.Sequence[t+1] != r.Sequence[t] {
			out = append(out, t)
		}
	}
	return out
}

// A Runner runs a model over sequences whose earlier tokens it remembers.
type Runner interface {
	// Run runs rows, after all that came before them, and gives each row of wanted,
	// indices into rows, its logits [vocabulary], which are valid during the call
	// and may be overwritten.
	Run(ctx context.Context, rows Rows, wanted []int, each func(row int, logits []float32) error) error
}

// Check refuses a request that phases have no room for, or that has values which
// mean nothing. vocabulary is the number of ids that have an embedding.
func Check(req *kernels.GenerateRequest, phases kernels.Phases, vocabulary int) error {
	if len(req.Prompts) == 0 || len(req.Prompts) > phases.GenerateSequences {
		return fault.New(fault.BadInput, "%d prompts; the plan has room for %d", len(req.Prompts), phases.GenerateSequences)
	}
	if req.MaxTokens < 0 || !(req.Temperature >= 0) || req.TopK < 0 || !(req.TopP >= 0 && req.TopP <= 1) {
		return fault.New(fault.BadInput, "max tokens %d, temperature %v, top-k %d, top-p %v", req.MaxTokens, req.Temperature, req.TopK, req.TopP)
	}
	for i, p := range req.Prompts {
		if len(p) == 0 || len(p)+req.MaxTokens > phases.GenerateLength {
			return fault.New(fault.BadInput, "prompt %d has %d tokens and may grow by %d; the plan has room for 1 to %d in all",
				i, len(p), req.MaxTokens, phases.GenerateLength)
		}
		for _, id := range p {
			if id < 0 || int(id) >= vocabulary {
				return fault.New(fault.BadInput, "prompt %d has the id %d, the vocabulary %d entries", i, id, vocabulary)
			}
		}
	}
	return nil
}

// Length is the most tokens that a sequence of the request can come to.
func Length(req *kernels.GenerateRequest) int {
	longest := 0
	for _, p := range req.Prompts {
		longest = max(longest, len(p))
	}
	return longest + req.MaxTokens
}

// A sequence is a prompt and what follows it.
type sequence struct {
	ids      []int32
	prompt   int // tokens of the prompt
	random   *rand.Rand
	finished bool
}

type loop struct {
	runner     Runner
	req        *kernels.GenerateRequest
	emit       func(kernels.Token) error
	vocabulary int
	sequences  []*sequence
}

// Run continues the prompts of a checked request, at most rows rows at a time.
func Run(ctx context.Context, r Runner, req *kernels.GenerateRequest, rows, vocabulary int, emit func(kernels.Token) error) error {
	if req.MaxTokens == 0 {
		return nil
	}
	l := &loop{runner: r, req: req, emit: emit, vocabulary: vocabulary}
	for i, p := range req.Prompts {
		l.sequences = append(l.sequences, &sequence{ids: slices.Clone(p), prompt: len(p), random: sampling.Random(req, i)})
	}
	// Each prompt on its own, as far as there are rows.
	for i, s := range l.sequences {
		for at := 0; at < s.prompt; {
			n := min(rows, s.prompt-at)
			if err := l.advance(ctx, l.span(i, at, n), at+n == s.prompt); err != nil {
				return err
			}
			at += n
		}
	}
	for {
		var next Rows
		for i, s := range l.sequences {
			if !s.finished && next.Len() < rows {
				next.add(s.ids[len(s.ids)-1], len(s.ids)-1, i)
			}
		}
		if next.Len() == 0 {
			return nil
		}
		if err := l.advance(ctx, next, true); err != nil {
			return err
		}
	}
}

// span is n tokens of a sequence from position at on.
func (l *loop) span(i, at, n int) Rows {
	var r Rows
	for p := at; p < at+n; p++ {
		r.add(l.sequences[i].ids[p], p, i)
	}
	return r
}

// advance runs rows and, where choose, gives each sequence among them its next
// token.
func (l *loop) advance(ctx context.Context, r Rows, choose bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var wanted []int
	if choose {
		wanted = r.last()
	}
	return l.runner.Run(ctx, r, wanted, func(row int, logits []float32) error {
		return l.choose(int(r.Sequence[row]), logits)
	})
}

// choose draws the next token of a sequence and emits it.
func (l *loop) choose(i int, logits []float32) error {
	s := l.sequences[i]
	// Ids that have a logit but no embedding cannot be fed back.
	logits = logits[:l.vocabulary]
	id := sampling.Choose(logits, l.req, s.random)
	s.ids = append(s.ids, id)
	t := kernels.Token{Sequence: i, ID: id, LogProb: float32(sampling.LogProb(logits, id))}
	switch {
	case slices.Contains(l.req.Stop, id):
		t.Finish = kernels.FinishStop
	case len(s.ids)-s.prompt >= l.req.MaxTokens:
		t.Finish = kernels.FinishLength
	}
	s.finished = t.Finish != ""
	return l.emit(t)
}
