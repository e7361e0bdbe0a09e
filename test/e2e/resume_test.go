//go:build unix

package e2e

import (
	"syscall"
	"testing"
)

// TestResume: a run that was stopped and goes on, on a CPU with another number of
// threads, is the run that was never stopped, to the bit, whatever there is that depends on
// chance, on the order of documents or on where they are placed.
func TestResume(t *testing.T) {
	tests := []struct {
		name   string
		change func(*settings)
	}{
		{"dropout, several epochs", func(s *settings) { s.Steps, s.Epochs, s.Dropout = 0, 2, 0.3 }},
		{"accumulation", func(s *settings) { s.MicroBatch, s.Dropout = 64, 0.1 }},
		{"without packing", func(s *settings) { s.Packing, s.Dropout = false, 0.3 }},
		{"the best checkpoint", func(s *settings) { s.Best, s.Keep, s.LearningRate = true, 1, "4e-2" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			s := usual()
			test.change(&s)
			file := w.write(t, "run.hone.hcl", s)
			w.hone(t, 0, "run", file, "-run-dir", "runs/whole")

			w.stopped(t, "runs/parts", syscall.SIGINT, "step 7/", "run", file, "-run-dir", "runs/parts")
			s.Threads = 3
			w.write(t, file, s)
			h := w.hone(t, 0, "run", file, "-resume", "runs/parts")
			expect(t, "the resumed host", h.err.String(), "its losses go on to the bit")

			sameHistory(t, w.path("runs/whole"), w.path("runs/parts"))
			sameResult(t, w.path("runs/whole"), w.path("runs/parts"))
			everyRecordLogged(t, w.path("runs/parts"))
			w.noProcesses(t)
		})
	}
}

// TestPlacement: packing and the size of micro-batches change no step's documents,
// and its loss by rounding alone.
func TestPlacement(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	losses := func(name string, change func(*settings)) (out []float64) {
		s := usual()
		s.Loggers, s.Steps, s.EvalFraction, s.Prompt, s.Precision = nil, 10, 0, "", "fp32"
		change(&s)
		w.hone(t, 0, "run", w.write(t, name+".hone.hcl", s), "-run-dir", "runs/"+name)
		for _, r := range records(t, w.path("runs", name)) {
			out = append(out, r.Scalars["train/loss"])
		}
		return out
	}
	want := losses("packed", func(*settings) {})
	for name, change := range map[string]func(*settings){
		"apart":     func(s *settings) { s.Packing = false },
		"in-pieces": func(s *settings) { s.MicroBatch = 64 },
	} {
		got := losses(name, change)
		if len(got) != 10 || len(want) != 10 {
			t.Fatalf("%d and %d steps, want 10", len(want), len(got))
		}
		for i := range want {
			if d := got[i]/want[i] - 1; d < -1e-4 || d > 1e-4 {
				t.Errorf("%s: step %d has loss %v, packed %v", name, i+1, got[i], want[i])
			}
		}
	}
}
