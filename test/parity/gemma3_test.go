package parity

import (
	"os"
	"slices"
	"testing"

	"github.com/honeml/hone/host/data/tokenizer"
	"github.com/honeml/hone/sdk/graph/adapt"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/sdk/weights/gguf"
)

// gemmaEnv names gemma-3-270m-q4_k_m.gguf.
const gemmaEnv = "HONE_TEST_GEMMA3"

// realGemma is what gen_gemma3.py wrote.
type realGemma struct {
	smol
	Texts, Questions []string
	Greedy           [][]int32
	GreedyTexts      []string `json:"greedy_texts"`
}

// TestGemma3 scores, generates and trains the real model through the kernels plugin.
func TestGemma3(t *testing.T) {
	s := &realGemma{}
	m := readReal(t, gemmaEnv, "gemma3.json", s)
	marked, err := adapt.Apply(m.Graph, adapt.LoRA{Rank: 16, Alpha: 32, Targets: []string{adapt.Auto}})
	if err != nil {
		t.Fatal(err)
	}
	b := bind(t, setup{
		model: m, graph: marked, adapter: adapt.DefaultName, start: writeStart(t, marked), maxLength: 128,
		optimizer: s.AdamW(), train: true,
	})
	within(t, "log-probabilities", b.score("", kit.Pack(s.Documents...)), slices.Concat(s.LogProbs...), logitsTolerance)
	continues(t, "the bare model", b.generate("", s.Prompts, len(s.Greedy[0])), s.Greedy)
	for i := range s.Steps {
		r := b.train(s.step(i))[0]
		loss, norm := relative(r.Loss/r.Weight, s.Losses[i]), relative(r.GradNorm, s.GradNorms[i])
		t.Logf("step %d: loss differs by %.1e, gradient norm by %.1e", r.Number, loss, norm)
		if !(loss <= lossTolerance) || !(norm <= gradNormTolerance) {
			t.Errorf("step %d: loss %v, gradient norm %v, want %v and %v", r.Number, r.Loss/r.Weight, r.GradNorm, s.Losses[i], s.GradNorms[i])
		}
	}
	within(t, "log-probabilities after training", b.score(b.adapter, kit.Pack(s.Documents...)), slices.Concat(s.TrainedLogProbs...), logitsTolerance)
}

// TestGemma3Tokenizer: the tokenizer inside the file gives the ids that transformers
// gives, and the texts of its answers.
func TestGemma3Tokenizer(t *testing.T) {
	s := &realGemma{}
	readReal(t, gemmaEnv, "gemma3.json", s)
	file, err := gguf.Open(os.Getenv(gemmaEnv))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tok, err := tokenizer.FromGGUF(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range slices.Concat(s.Texts, s.Questions) {
		want := slices.Concat(s.Documents, s.Prompts)[i]
		e, err := tok.Encode(text, tokenizer.Options{AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, want) {
			t.Errorf("%q: %v, want %v", text, e.IDs, want)
		}
	}
	for i, ids := range s.Greedy {
		if got, err := tok.Decode(ids, false); err != nil || got != s.GreedyTexts[i] {
			t.Errorf("%v: %q, %v, want %q", ids, got, err, s.GreedyTexts[i])
		}
	}
}
