package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// WriteTo writes the result for people.
func (r *Result) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	t := table{tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)}
	t.row("model", "%s, %s parameters, %s of them trained", r.Model, count(r.Parameters), count(r.Trained))
	t.row("device", "%s: %s, %s", r.Program, r.Device, r.Precision)
	t.row("step", "%d tokens in documents of %s, micro-batches of up to %d", r.Tokens, r.Length, r.MicroBatchTokens)
	t.row("speed", "%.5g tok/s, the median of %d steps after %d (%.5g to %.5g); %.4g s a step",
		r.TokensPerSecond, r.Steps, r.Warmup, r.Slowest, r.Fastest, r.StepSeconds)
	t.row("", "%.4g TFLOP/s of the model's operations", r.FLOPsPerSecond/1e12)
	if c := r.Ceilings; c != nil {
		t.row("achieved", "%.1f %% of what the card's own ceilings allow (products %.4g TFLOP/s at best, copies %.3g TB/s;", 100*r.Achieved, c.best()/1e12, c.BytesPerSecond/1e12)
		t.row("", "attention and experts reckoned at the rate of the largest product)")
	}
	if r.CeilingsError != "" {
		t.row("achieved", "not measured: %s", r.CeilingsError)
	}
	t.row("start", "%.3g s to plan, %.3g s to load, %.3g s for the first step", r.BindSeconds, r.LoadSeconds, r.FirstStepSeconds)
	t.memory(r)
	t.row("first step", "loss %.5f, gradient norm %.5f", r.First.Loss, r.First.GradNorm)
	t.row("last step", "loss %.5f, gradient norm %.5f", r.Last.Loss, r.Last.GradNorm)
	if r.Skipped > 0 {
		t.row("skipped", "%d steps, whose loss scale overflowed", r.Skipped)
	}
	t.families(r)
	for _, c := range r.Choices {
		t.row("chosen", "%s", c)
	}
	for _, n := range r.Notes {
		t.row("note", "%s", n)
	}
	if err := t.Flush(); err != nil {
		return 0, err
	}
	return b.WriteTo(w)
}

// A table has a name and a text in each row.
type table struct{ *tabwriter.Writer }

func (t table) row(name, format string, args ...any) {
	fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

func (t table) memory(r *Result) {
	measured := ""
	if r.MeasuredBytes > 0 {
		measured = ", measured " + size(r.MeasuredBytes)
	}
	t.row("memory", "%s by the plan%s", size(r.PlanBytes), measured)
	for _, m := range r.Memory {
		if m.Bytes > 0 {
			t.row("", "%-12s %s", m.Category, size(m.Bytes))
		}
	}
}

// families are the kinds of kernels, the slowest first, with their shares of a step.
func (t table) families(r *Result) {
	names := slices.SortedFunc(maps.Keys(r.Families), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Families[b], r.Families[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		title := ""
		if i == 0 {
			title = "time"
		}
		took, achieved := r.Families[name], ""
		if c := r.Ceilings; c != nil && c.Families[name] > 0 {
			achieved = fmt.Sprintf("  achieved %.1f %%", 100*c.Families[name]/max(took, 1e-9))
		}
		t.row(title, "%-12s %5.1f %%  %.4g s%s", name, 100*took/max(r.StepSeconds, 1e-9), took, achieved)
	}
}

// size writes bytes as the plan of hone plan does, with one place more.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.3f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
}

func count(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.2fB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.2fM", float64(n)/1e6)
}
