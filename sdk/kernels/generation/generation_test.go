package generation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/generation"
)

const vocabulary = 10

// counter predicts the id after the last one. It notes what it ran, and fails
// where a row does not follow what it saw of the sequence.
type counter struct {
	seen map[int32][]int32
	ran  []string
}

func (c *counter) Run(_ context.Context, r generation.Rows, wanted []int, each func(int, []float32) error) error {
	for t, id := range r.ID {
		s := r.Sequence[t]
		if int(r.Position[t]) != len(c.seen[s]) {
			return fmt.Errorf("row %d: position %d of sequence %d after %d tokens", t, r.Position[t], s, len(c.seen[s]))
		}
		c.seen[s] = append(c.seen[s], id)
	}
	c.ran = append(c.ran, fmt.Sprint(r.ID))
	for _, t := range wanted {
		logits := make([]float32, vocabulary+2) // two ids that cannot be fed back
		logits[vocabulary] = 9
		logits[(r.ID[t]+1)%vocabulary] = 5
		if err := each(t, logits); err != nil {
			return err
		}
	}
	return nil
}

func TestRun(t *testing.T) {
	c := &counter{seen: map[int32][]int32{}}
	req := &kernels.GenerateRequest{Prompts: [][]int32{{1, 2, 3}, {7}}, MaxTokens: 4, Stop: []int32{9}}
	got := map[int][]string{}
	err := generation.Run(t.Context(), c, req, 2, vocabulary, func(k kernels.Token) error {
		if !(k.LogProb < 0) {
			t.Errorf("log-probability %v", k.LogProb)
		}
		got[k.Sequence] = append(got[k.Sequence], strings.TrimSpace(fmt.Sprintln(k.ID, k.Finish)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got[0]) != "[4 5 6 7 length]" {
		t.Errorf("sequence 0: %q", got[0])
	}
	if fmt.Sprint(got[1]) != "[8 9 stop]" {
		t.Errorf("sequence 1: %q", got[1])
	}
	// Two rows at a time: the first prompt in two pieces; at the end one sequence.
	if want := "[1 2] [3] [7] [4 8] [5] [6]"; strings.Join(c.ran, " ") != want {
		t.Errorf("ran %q, want %q", strings.Join(c.ran, " "), want)
	}
}

func TestEmitStops(t *testing.T) {
	stop := errors.New("enough")
	c := &counter{seen: map[int32][]int32{}}
	req := &kernels.GenerateRequest{Prompts: [][]int32{{1}}, MaxTokens: 3}
	if err := generation.Run(t.Context(), c, req, 8, vocabulary, func(kernels.Token) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := generation.Run(ctx, c, req, 8, vocabulary, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	phases := kernels.Phases{GenerateSequences: 1, GenerateLength: 4}
	tests := map[string]struct {
		req  kernels.GenerateRequest
		want string
	}{
		"fits":           {kernels.GenerateRequest{Prompts: [][]int32{{1, 2}}, MaxTokens: 2}, ""},
		"no prompt":      {kernels.GenerateRequest{}, "0 prompts"},
		"too many":       {kernels.GenerateRequest{Prompts: [][]int32{{1}, {1}}}, "room for 1"},
		"an empty one":   {kernels.GenerateRequest{Prompts: [][]int32{{}}}, "0 tokens"},
		"too long":       {kernels.GenerateRequest{Prompts: [][]int32{{1, 2}}, MaxTokens: 3}, "1 to 4"},
		"no such id":     {kernels.GenerateRequest{Prompts: [][]int32{{vocabulary}}}, "the id 10"},
		"a negative id":  {kernels.GenerateRequest{Prompts: [][]int32{{-1}}}, "the id -1"},
		"temperature":    {kernels.GenerateRequest{Prompts: [][]int32{{1}}, Temperature: -1}, "temperature -1"},
		"top p above 1":  {kernels.GenerateRequest{Prompts: [][]int32{{1}}, TopP: 2}, "top-p 2"},
		"negative top k": {kernels.GenerateRequest{Prompts: [][]int32{{1}}, TopK: -1}, "top-k -1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := generation.Check(&test.req, phases, vocabulary)
			if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want) && test.want != "" {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
