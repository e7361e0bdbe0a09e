package plugintest

import (
	"math"
	"reflect"
	"slices"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
)

func kernelsGenerateRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/generate-greedy", "at temperature 0, Generate continues each prompt by the most probable tokens", kernelsGreedy},
		{"kernels/generate-stop", "a sequence ends after a stop token or the most tokens, and says which", kernelsStop},
		{"kernels/generate-seeded", "the seed decides what is drawn, and top-k bounds it", kernelsSeeded},
		{"kernels/generate-bounds", "more than the plan has room for, or a setting without sense, is refused as bad input", kernelsGenerateBounds},
	}
}

// prompts are of different lengths, so that sequences end up at different positions.
func prompts() [][]int32 { return [][]int32{{5, 17, 42, 3, 60}, {71, 9}} }

// generate gives the tokens of each sequence.
func (s *session) generate(req *kernels.GenerateRequest) [][]kernels.Token {
	out := make([][]kernels.Token, len(req.Prompts))
	err := s.backend.Generate(s.c, req, func(t kernels.Token) error {
		if t.Sequence < 0 || t.Sequence >= len(out) {
			s.c.fail("a token of the sequence %d, there are %d", t.Sequence, len(out))
		}
		out[t.Sequence] = append(out[t.Sequence], t)
		return nil
	})
	s.c.must(err, "Generate")
	return out
}

func kernelsGreedy(c *check, k *kernelsKit) {
	s, ref := k.open(c, k.lora, nil), k.reference(c, k.lora, nil)
	for _, adapter := range []string{s.train, ""} {
		req := &kernels.GenerateRequest{Adapter: adapter, Prompts: prompts(), MaxTokens: 12}
		got := s.generate(req)
		for i, tokens := range got {
			if len(tokens) != req.MaxTokens {
				c.fail("sequence %d has %d tokens, %d were asked for", i, len(tokens), req.MaxTokens)
			}
			k.checkGreedy(c, ref, adapter, req.Prompts[i], tokens)
		}
	}
}

// checkGreedy asks the reference, token by token, what comes after what the plugin has
// chosen so far: a near tie then does not make all that follows wrong.
func (k *kernelsKit) checkGreedy(c *check, ref *session, adapter string, prompt []int32, tokens []kernels.Token) {
	ids := slices.Clone(prompt)
	for i, t := range tokens {
		if t.ID < 0 || t.ID >= vocabulary {
			c.fail("token %d has the id %d, the vocabulary %d entries", i, t.ID, vocabulary)
		}
		best := ref.generate(&kernels.GenerateRequest{Adapter: adapter, Prompts: [][]int32{ids}, MaxTokens: 1})[0][0]
		ids = append(ids, t.ID)
		d := document{ids: ids, weights: make([]float32, len(ids))}
		scores := ref.score(adapter, pack(d))[0]
		chosen := float64(scores[len(scores)-1])
		if t.ID != best.ID && float64(best.LogProb)-chosen > 2*k.close.logProb {
			c.fail("token %d is %d, with a log-probability of %.6g; the most probable is %d, with %.6g", i, t.ID, chosen, best.ID, best.LogProb)
		}
		if d := math.Abs(float64(t.LogProb) - chosen); !(d <= 2*k.close.logProb) {
			c.fail("token %d comes with the log-probability %v, it has %v", i, t.LogProb, chosen)
		}
	}
}

func kernelsStop(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	req := &kernels.GenerateRequest{Adapter: s.train, Prompts: prompts(), MaxTokens: 10}
	free := s.generate(req)
	for i, tokens := range free {
		for j, t := range tokens {
			want := ""
			if j == len(tokens)-1 {
				want = kernels.FinishLength
			}
			if t.Finish != want {
				c.fail("token %d of sequence %d ends it with %q, it has to be %q", j, i, t.Finish, want)
			}
		}
	}
	req.Stop = []int32{free[0][4].ID}
	for i, tokens := range s.generate(req) {
		at := slices.IndexFunc(free[i], func(t kernels.Token) bool { return t.ID == req.Stop[0] })
		want, finish := len(free[i]), kernels.FinishLength
		if at >= 0 {
			want, finish = at+1, kernels.FinishStop
		}
		if len(tokens) != want || tokens[want-1].Finish != finish {
			c.fail("with the stop token %d, sequence %d has %d tokens and ends with %q; it has to be %d and %q",
				req.Stop[0], i, len(tokens), tokens[len(tokens)-1].Finish, want, finish)
		}
	}
}

// idsOf are the ids of each sequence.
func idsOf(sequences [][]kernels.Token) [][]int32 {
	out := make([][]int32, len(sequences))
	for i, tokens := range sequences {
		for _, t := range tokens {
			out[i] = append(out[i], t.ID)
		}
	}
	return out
}

func kernelsSeeded(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	draw := func(seed uint64, temperature float64, topK int) [][]int32 {
		return idsOf(s.generate(&kernels.GenerateRequest{
			Adapter: s.train, Prompts: prompts(), MaxTokens: 16, Temperature: temperature, TopK: topK, Seed: seed,
		}))
	}
	first := draw(1, 1.5, 0)
	if !reflect.DeepEqual(draw(1, 1.5, 0), first) {
		c.fail("the same seed draws other tokens")
	}
	if reflect.DeepEqual(draw(2, 1.5, 0), first) {
		c.fail("another seed draws the same tokens")
	}
	if greedy := draw(1, 0, 0); !reflect.DeepEqual(draw(3, 1.5, 1), greedy) {
		c.fail("among the top 1, other tokens are drawn than the most probable")
	}
}

func kernelsGenerateBounds(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	long := make([]int32, maxLength)
	for what, req := range map[string]*kernels.GenerateRequest{
		"no prompt":                      {MaxTokens: 1},
		"an empty prompt":                {MaxTokens: 1, Prompts: [][]int32{{}}},
		"more prompts than planned":      {MaxTokens: 1, Prompts: [][]int32{{1}, {2}, {3}}},
		"a longer sequence than planned": {MaxTokens: 1, Prompts: [][]int32{long}},
		"an id beyond the vocabulary":    {MaxTokens: 1, Prompts: [][]int32{{vocabulary}}},
		"a negative temperature":         {MaxTokens: 1, Prompts: [][]int32{{1}}, Temperature: -1},
		"an adapter that there is not":   {MaxTokens: 1, Prompts: [][]int32{{1}}, Adapter: "nobody"},
	} {
		err := s.backend.Generate(c, req, func(kernels.Token) error { return nil })
		c.mustBe(err, fault.BadInput, "%s", what)
	}
}
