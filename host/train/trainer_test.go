package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

// undisturbed are the records of a run that nothing happens to.
func undisturbed(t *testing.T) []*logger.Record {
	t.Helper()
	r, _ := newTrainer(t, t.TempDir(), func() *fake { return &fake{} })
	must(t, r.Run(t.Context()))
	return history(t, r)
}

func TestRun(t *testing.T) {
	r, display := newTrainer(t, t.TempDir(), func() *fake { return &fake{} })
	must(t, r.Run(t.Context()))
	var got []string
	for _, e := range display.list {
		if e.Kind == ui.Step || e.Kind == ui.Evaluation || e.Kind == ui.Checkpoint || e.Kind == ui.Generation {
			got = append(got, fmt.Sprint(e.Kind, e.Step))
		}
	}
	want := "evaluation0 generation0 step1 step2 step3 step4 checkpoint4 step5 evaluation5 generation5 step6 step7 step8 checkpoint8 " +
		"step9 step10 evaluation10 generation10 step11 step12 evaluation12 generation12 checkpoint12"
	if strings.Join(got, " ") != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
	all, err := r.Dir.Checkpoints()
	must(t, err)
	if len(all) != 2 || all[0].Step != 8 || all[1].Step != 12 || *all[1].EvalLoss != 2 {
		t.Errorf("checkpoints %+v", all)
	}
	if texts := history(t, r)[0].Texts["eval/prompt_1"]; texts != "How many?\n\n0" {
		t.Errorf("the answer is %q", texts)
	}
}

// TestStopAndGoOn: a run that is stopped after any step, and goes on, has the
// records of one that was not.
func TestStopAndGoOn(t *testing.T) {
	want := undisturbed(t)
	for stopAfter := int64(1); stopAfter < 12; stopAfter++ {
		t.Run(fmt.Sprint(stopAfter), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "run")
			t.Run("stop", func(t *testing.T) { // its folder is unlocked at its end
				stop, f := make(chan struct{}), &fake{}
				r, _ := newTrainer(t, folder, func() *fake { return f })
				r.Stop = stop
				f.after = func() {
					if f.steps == stopAfter {
						close(stop)
					}
				}
				if err := r.Run(t.Context()); !errors.Is(err, ErrInterrupted) {
					t.Fatalf("got %v, want ErrInterrupted", err)
				}
				if last, err := r.Dir.LastCheckpoint(); err != nil || last == nil || last.Step != stopAfter {
					t.Errorf("the last checkpoint is %+v, %v", last, err)
				}
			})
			r, _ := newTrainer(t, folder, func() *fake { return &fake{} })
			must(t, r.Run(t.Context()))
			same(t, history(t, r), want)
		})
	}
}

// TestDeath: a plugin that dies, or whose device is lost, is started again, and nothing
// shows in the records; one that always dies at the same place ends the run.
func TestDeath(t *testing.T) {
	want := undisturbed(t)
	for step := int64(1); step <= 12; step++ {
		deaths := 0
		r, display := newTrainer(t, t.TempDir(), func() *fake {
			return &fake{fail: func(s int64) error {
				if s == step && deaths < maxDeaths-1 {
					deaths++
					return fmt.Errorf("step %d: %w", s, []error{errDied, fault.New(fault.DeviceLost, "the GPU does not answer")}[s%2])
				}
				return nil
			}}
		})
		must(t, r.Run(t.Context()))
		same(t, history(t, r), want)
		if got := len(display.messages(ui.Warning)); got != maxDeaths-1 {
			t.Errorf("%d warnings", got)
		}
	}

	starts := 0
	r, _ := newTrainer(t, t.TempDir(), func() *fake {
		starts++
		return &fake{fail: func(s int64) error {
			if s == 6 {
				return errDied
			}
			return nil
		}}
	})
	err := r.Run(t.Context())
	if !errors.Is(err, errDied) || !strings.Contains(err.Error(), "died 3 times at the same place") || starts != maxDeaths {
		t.Errorf("%d starts: %v", starts, err)
	}
}

// TestFailure: what is no death is not tried again.
func TestFailure(t *testing.T) {
	wantErr := errors.New("out of memory")
	starts := 0
	r, _ := newTrainer(t, t.TempDir(), func() *fake {
		starts++
		return &fake{fail: func(int64) error { return wantErr }}
	})
	if err := r.Run(t.Context()); !errors.Is(err, wantErr) || starts != 1 {
		t.Errorf("%d starts: %v", starts, err)
	}
}

func TestNotFinite(t *testing.T) {
	r, _ := newTrainer(t, t.TempDir(), func() *fake { return &fake{notFinite: 6} })
	err := r.Run(t.Context())
	var notFinite *NotFiniteError
	if !errors.As(err, &notFinite) || notFinite.Step != 6 || len(notFinite.Documents) == 0 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "step 6: loss NaN, gradient norm 1: not finite; its documents are data.jsonl:") {
		t.Errorf("got %v", err)
	}
	all := history(t, r)
	if last := all[len(all)-1]; last.Step != 6 || !math.IsNaN(last.Scalars["train/loss"]) {
		t.Errorf("the last record is %+v", last)
	}
}

// TestExactness: what a resumed run says of its losses.
func TestExactness(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Trainer)
		want   string
	}{
		"the same":         {func(*Trainer) {}, "goes on after step 12 of 12; its losses go on to the bit"},
		"otherwise packed": {func(r *Trainer) { r.Packing = false }, "goes on after step 12 of 12; its losses go on, but not to the bit: packing, the plan or the algorithms differ"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "run")
			t.Run("begin", func(t *testing.T) {
				r, _ := newTrainer(t, folder, func() *fake { return &fake{} })
				must(t, r.Run(t.Context()))
			})
			r, display := newTrainer(t, folder, func() *fake { return &fake{} })
			test.change(r)
			must(t, r.Run(t.Context()))
			if got := display.messages(ui.Info); !slices.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestOtherData: a checkpoint is of the data that its steps were made of.
func TestOtherData(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	t.Run("begin", func(t *testing.T) {
		r, _ := newTrainer(t, folder, func() *fake { return &fake{} })
		must(t, r.Run(t.Context()))
	})
	r, _ := newTrainer(t, folder, func() *fake { return &fake{} })
	r.Fingerprint = "another"
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the training data is not what checkpoint "+r.Dir.CheckpointPath(12)+" was made with") {
		t.Errorf("got %v", err)
	}
	r.Fingerprint, r.Order.TokensPerStep = "fingerprint", 64
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "with these settings they would have used") {
		t.Errorf("got %v", err)
	}
}

// variables is a metric that keeps what it is given.
type variables struct{ seen []map[string]float64 }

// Name is that of the metric.
func (v *variables) Name() string { return "kept" }

// Eval keeps a step's variables.
func (v *variables) Eval(vars map[string]float64) (float64, error) {
	v.seen = append(v.seen, vars)
	return 1, nil
}

// TestMetricVariables: a step's variables are those that documentation lists, with
// the values that it promises.
func TestMetricVariables(t *testing.T) {
	kept := &variables{}
	r, _ := newTrainer(t, t.TempDir(), func() *fake { return &fake{aux: true} })
	r.Metrics = []Metric{kept}
	r.Order.Steps, r.Order.Epochs = 0, 2
	must(t, r.Run(t.Context()))
	tokens := 0.0
	for i, v := range kept.seen {
		tokens += v["tokens"]
		for name, want := range map[string]float64{
			"step": float64(i + 1), "total_steps": float64(len(kept.seen)), "seconds": 0.5, "tokens_per_second": v["tokens"] / 0.5,
			"total_tokens": tokens, "perplexity": math.Exp(v["loss"]), "eval_loss": 2, "eval_perplexity": math.Exp(2), "grad_norm": 1,
			"aux_loss": 0.25 * float64(i+1),
		} {
			if got, ok := v[name]; !ok || got != want {
				t.Errorf("step %d: %s is %v, want %v", i+1, name, got, want)
			}
		}
	}
	if last := kept.seen[len(kept.seen)-1]; last["epoch"] != 2 {
		t.Errorf("after two epochs, epoch is %v", last["epoch"])
	}
	if first := kept.seen[0]["epoch"]; first <= 0 || first >= 1 {
		t.Errorf("after the first step, epoch is %v", first)
	}
	last := history(t, r)
	if record := last[len(last)-2]; record.Scalars["metric/kept"] != 1 || record.Scalars["train/aux_loss"] != 0.25*float64(len(kept.seen)) {
		t.Errorf("the metrics are not recorded: %+v", record)
	}
}

// TestBest: the result is the checkpoint of the lowest evaluation loss.
func TestBest(t *testing.T) {
	r, display := newTrainer(t, t.TempDir(), func() *fake { return &fake{} })
	r.Checkpoint.Best = true
	must(t, r.Run(t.Context()))
	// The fake's loss never falls: the first checkpoint is as good as any.
	if got := display.messages(ui.Info); !slices.Contains(got, "the result is step 4, of evaluation loss 2.0000") {
		t.Errorf("got %q", got)
	}
	all, err := rundir.Checkpoints(r.Dir.Path)
	must(t, err)
	if len(all) != 3 || all[0].Step != 4 {
		t.Errorf("%d checkpoints are kept, the first of step %d", len(all), all[0].Step)
	}
}

// TestCancelled: a context that ends ends the run.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := newTrainer(t, t.TempDir(), func() *fake {
		return &fake{fail: func(s int64) error {
			if s == 3 {
				cancel()
				return fmt.Errorf("%w: %w", errDied, ctx.Err())
			}
			return nil
		}}
	})
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
