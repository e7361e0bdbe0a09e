package ui

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// line is the text of an event, "" for one that is not worth a line of its own.
func line(e Event, elapsed time.Duration) string {
	switch e.Kind {
	case Info, End:
		return e.Message
	case Warning:
		return "warning: " + e.Message
	case Progress:
		if e.Done < e.Total {
			return ""
		}
		return e.Message + ": done"
	case Step:
		return stepLine(e, elapsed)
	case Evaluation:
		return fmt.Sprintf("step %d  evaluation loss %.4f  perplexity %.2f", e.Step, e.Scalars["eval/loss"], e.Scalars["eval/perplexity"])
	case Generation:
		return fmt.Sprintf("step %d  %s\n    %s", e.Step, oneLine(e.Prompt), strings.ReplaceAll(strings.TrimSpace(e.Text), "\n", "\n    "))
	case Checkpoint:
		return fmt.Sprintf("step %d  checkpoint %s", e.Step, Path(e.Message))
	}
	return e.Message
}

// Path is path as people see it: from the working directory, where that is
// shorter.
func Path(path string) string {
	if !filepath.IsAbs(path) {
		return path
	}
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(wd, path)
	if err != nil || len(short) > len(path) {
		return path
	}
	return short
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func stepLine(e Event, elapsed time.Duration) string {
	s := fmt.Sprintf("step %d/%d  loss %.4f  grad norm %.3g  lr %.3g", e.Step, e.Total,
		e.Scalars["train/loss"], e.Scalars["train/grad_norm"], e.Scalars["train/learning_rate"])
	if v := e.Scalars["perf/tokens_per_second"]; v > 0 {
		s += fmt.Sprintf("  %s tok/s", compact(v))
	}
	if left := timeLeft(e, elapsed); left > 0 {
		s += "  " + duration(left) + " left"
	}
	return s
}

// timeLeft is what the remaining steps take at the pace since the first.
func timeLeft(e Event, elapsed time.Duration) time.Duration {
	if e.Done <= 1 || e.Total <= e.Step {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(e.Done-1) * float64(e.Total-e.Step))
}

func compact(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1fk", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

func duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(math.Max(1, d.Seconds())))
}

// plain writes a line an event.
type plain struct {
	mu    sync.Mutex
	w     io.Writer
	begun time.Time // the first step
}

// Emit writes e as a line.
func (d *plain) Emit(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text := line(e, d.elapsed(e)); text != "" {
		fmt.Fprintln(d.w, text)
	}
}

func (d *plain) elapsed(e Event) time.Duration {
	if e.Kind == Step && d.begun.IsZero() {
		d.begun = e.Time
	}
	return e.Time.Sub(d.begun)
}

// Close has nothing to end.
func (d *plain) Close() {}
