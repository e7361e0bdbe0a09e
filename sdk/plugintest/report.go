package plugintest

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/honeml/hone/sdk/plugin"
)

// A Rule is something that every plugin of a kind does.
type Rule struct {
	ID       string // such as kernels/loss-is-a-sum
	Sentence string // what a plugin that keeps it does
}

// An Outcome is what became of a rule.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

// A Result is a rule's outcome for a plugin.
type Result struct {
	Rule
	Outcome Outcome
	Detail  string // what went wrong, or why the rule was skipped
	Took    time.Duration
}

// A Report is what a kit found.
type Report struct {
	Kind    plugin.Kind
	Name    string // as the plugin calls itself; "" if it does not say
	Version string
	Results []Result // in the order of the rules
}

// Failures are the results of rules that were broken.
func (r *Report) Failures() []Result {
	var out []Result
	for _, result := range r.Results {
		if result.Outcome == Failed {
			out = append(out, result)
		}
	}
	return out
}

// Err names the rules that were broken, one a line; nil if there are none.
func (r *Report) Err() error {
	var errs []error
	for _, f := range r.Failures() {
		errs = append(errs, fmt.Errorf("%s: %s", f.ID, f.Detail))
	}
	return errors.Join(errs...)
}

// Write writes the report as text, a rule a line.
func (r *Report) Write(w io.Writer) error {
	counts := map[Outcome]int{}
	for _, result := range r.Results {
		counts[result.Outcome]++
		if _, err := fmt.Fprintf(w, "%-4s  %-40s  %s\n", result.Outcome, result.ID, result.Sentence); err != nil {
			return err
		}
		if result.Detail != "" {
			if _, err := fmt.Fprintf(w, "      %s\n", result.Detail); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%s plugin %s %s: %d rules kept, %d broken, %d skipped\n", r.Kind, r.Name, r.Version,
		counts[Passed], counts[Failed], counts[Skipped])
	return err
}
