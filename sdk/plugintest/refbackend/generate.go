package refbackend

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
)

// Generate continues each prompt, one token of each after the other. It keeps
// nothing between tokens: every one costs a forward pass over all before it.
func (b *Backend) Generate(ctx context.Context, req *kernels.GenerateRequest, emit func(kernels.Token) error) error {
	if err := b.state(true); err != nil {
		return err
	}
	if err := b.generateFits(req); err != nil {
		return err
	}
	if req.MaxTokens == 0 {
		return nil
	}
	sequences := make([]sequence, len(req.Prompts))
	for i, p := range req.Prompts {
		sequences[i] = sequence{ids: slices.Clone(p), random: rand.New(rand.NewPCG(req.Seed, uint64(i)))}
	}
	for open := len(sequences); open > 0; {
		for i := range sequences {
			if sequences[i].done {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			token, err := b.continueOne(req, i, &sequences[i])
			if err != nil {
				return err
			}
			if sequences[i].done {
				open--
			}
			if err := emit(token); err != nil {
				return err
			}
		}
	}
	return nil
}

// A sequence is a prompt and what follows it.
type sequence struct {
	ids    []int32
	random *rand.Rand
	done   bool
}

// generateFits reports a request that the plan has no room for, or that makes no
// sense.
func (b *Backend) generateFits(req *kernels.GenerateRequest) error {
	if err := b.adapterKnown(req.Adapter); err != nil {
		return err
	}
	phases := b.req.Phases
	if phases.GenerateSequences == 0 {
		return fault.New(fault.OutOfOrder, "the plan has no generate phase")
	}
	if n := len(req.Prompts); n == 0 || n > phases.GenerateSequences {
		return fault.New(fault.BadInput, "%d prompts; the plan has room for %d", n, phases.GenerateSequences)
	}
	if req.MaxTokens < 0 || !(req.Temperature >= 0) || req.TopK < 0 || !(req.TopP >= 0 && req.TopP <= 1) {
		return fault.New(fault.BadInput, "max tokens %d, temperature %v, top-k %d, top-p %v", req.MaxTokens, req.Temperature, req.TopK, req.TopP)
	}
	for i, p := range req.Prompts {
		if len(p) == 0 || len(p)+req.MaxTokens > phases.GenerateLength {
			return fault.New(fault.BadInput, "prompt %d has %d tokens and may grow by %d; the plan has room for 1 to %d",
				i, len(p), req.MaxTokens, phases.GenerateLength)
		}
		for _, id := range p {
			if id < 0 || int(id) >= b.req.Graph.IDs() {
				return fault.New(fault.BadInput, "prompt %d has the id %d, the vocabulary %d entries", i, id, b.req.Graph.IDs())
			}
		}
	}
	return nil
}

// continueOne gives sequence i its next token.
func (b *Backend) continueOne(req *kernels.GenerateRequest, i int, s *sequence) (kernels.Token, error) {
	batch := &graph.Batch{}
	batch.Append(0, s.ids, make([]float32, len(s.ids)))
	run, err := b.run(batch, interp.Options{Adapter: req.Adapter})
	if err != nil {
		return kernels.Token{}, err
	}
	logits, err := run.Forward()
	if err != nil {
		return kernels.Token{}, err
	}
	all := logits[len(logits)-b.req.Graph.Vocabulary():]
	id := choose(all[:b.req.Graph.IDs()], req, s.random)
	s.ids = append(s.ids, id)
	token := kernels.Token{Sequence: i, ID: id, LogProb: float32(all[id] - logSumExp(all))}
	switch {
	case slices.Contains(req.Stop, id):
		token.Finish = kernels.FinishStop
	case len(s.ids)-len(req.Prompts[i]) == req.MaxTokens:
		token.Finish = kernels.FinishLength
	}
	s.done = token.Finish != ""
	return token, nil
}

func logSumExp(row []float64) float64 {
	largest := slices.Max(row)
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(x - largest)
	}
	return largest + math.Log(sum)
}

// choose draws the next token: the most probable at temperature 0; else by the
// softmax of logits/temperature over the top k, of these the most probable whose
// probabilities reach top p.
func choose(logits []float64, req *kernels.GenerateRequest, random *rand.Rand) int32 {
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(x, y int32) int { return cmp.Compare(logits[y], logits[x]) })
	if req.Temperature == 0 {
		return order[0]
	}
	if req.TopK > 0 {
		order = order[:min(req.TopK, len(order))]
	}
	weights := make([]float64, len(order))
	total := 0.0
	for i, id := range order {
		weights[i] = math.Exp((logits[id] - logits[order[0]]) / req.Temperature)
		total += weights[i]
	}
	if req.TopP > 0 && req.TopP < 1 {
		kept := 0.0
		for i, w := range weights {
			if kept += w; kept >= req.TopP*total {
				order, weights = order[:i+1], weights[:i+1]
				break
			}
		}
		total = kept
	}
	at := random.Float64() * total
	for i, w := range weights {
		if at -= w; at < 0 {
			return order[i]
		}
	}
	return order[len(order)-1]
}
