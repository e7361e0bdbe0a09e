package ui

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1000, 0)

func events() []Event {
	step := func(n int64, after time.Duration) Event {
		return Event{Time: start.Add(after), Kind: Step, Step: n, Done: n - 10, Total: 20, Scalars: map[string]float64{
			"train/loss": 2.5, "train/grad_norm": 0.5, "train/learning_rate": 2e-4, "perf/tokens_per_second": 12345,
		}}
	}
	return []Event{
		{Time: start, Kind: Info, Message: "model llama"},
		{Time: start, Kind: Progress, Message: "loading weights", Done: 5, Total: 10},
		{Time: start, Kind: Progress, Message: "loading weights", Done: 10, Total: 10},
		step(11, 0),
		step(12, 10*time.Second),
		{Time: start, Kind: Warning, Message: "slow"},
		{Time: start, Kind: Evaluation, Step: 12, Scalars: map[string]float64{"eval/loss": 1, "eval/perplexity": 2.718}},
		{Time: start, Kind: Generation, Step: 12, Prompt: "What\nnow?", Text: "Arr!\nMatey."},
		{Time: start, Kind: Checkpoint, Step: 12, Message: "runs/x/checkpoints/step-12"},
		{Time: start, Kind: End, Message: "finished"},
	}
}

func TestPlain(t *testing.T) {
	var out bytes.Buffer
	d := New(&out, false)
	for _, e := range events() {
		d.Emit(e)
	}
	d.Close()
	want := `model llama
loading weights: done
step 11/20  loss 2.5000  grad norm 0.5  lr 0.0002  12.3k tok/s
step 12/20  loss 2.5000  grad norm 0.5  lr 0.0002  12.3k tok/s  1m20s left
warning: slow
step 12  evaluation loss 1.0000  perplexity 2.72
step 12  What now?
    Arr!
    Matey.
step 12  checkpoint runs/x/checkpoints/step-12
finished
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestLiveFitsItsTerminal(t *testing.T) {
	var out bytes.Buffer
	d := newLive(&out, func() int { return 40 })
	for _, e := range events() {
		d.Emit(e)
	}
	d.Close()
	for part := range strings.SplitSeq(out.String(), eraseLine) {
		if !strings.HasSuffix(part, "\n") && len([]rune(part)) > 39 {
			t.Errorf("a status line of %d characters: %q", len([]rune(part)), part)
		}
	}
	if !strings.Contains(out.String(), "warning: slow\n"+eraseLine+"█") {
		t.Errorf("the status line does not come back below a warning: %q", out.String())
	}
	if !strings.HasSuffix(out.String(), "\n") {
		t.Error("the last line is not ended")
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	d := New(&out, true)
	d.Emit(Event{Time: start, Kind: Step, Step: 3, Scalars: map[string]float64{"train/loss": math.NaN(), "x": 1}})
	if got := out.String(); !strings.Contains(got, `"step":3,"scalars":{"x":1}}`+"\n") {
		t.Errorf("got %s", got)
	}
}

func TestBar(t *testing.T) {
	for done, want := range map[int64]string{0: "░░░░", 1: "▌░░░", 3: "█▌░░", 8: "████", 9: "████"} {
		if got := bar(done, 8, 4); got != want {
			t.Errorf("bar(%d, 8) is %s, want %s", done, got, want)
		}
	}
}
