package plugintest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/honeml/hone/sdk/fault"
)

const (
	// ruleTime is how long a rule may take.
	ruleTime = 2 * time.Minute
	// ruleGrace is how long calls may go on after their context has ended.
	ruleGrace = 10 * time.Second
)

// A rule is a Rule with what finds out whether a plugin keeps it. K is the kit.
type rule[K any] struct {
	id, sentence string
	run          func(c *check, k K)
}

// A check is the run of one rule. Its methods may be called from the rule's own
// goroutine alone.
type check struct {
	context.Context
	cleanups []func()
}

// The ends of a rule, as panics that runRule catches.
type (
	broken  struct{ detail string }
	skipped struct{ reason string }
)

// fail ends the rule: it is broken.
func (c *check) fail(format string, args ...any) { panic(broken{fmt.Sprintf(format, args...)}) }

// skip ends the rule: it does not apply.
func (c *check) skip(format string, args ...any) { panic(skipped{fmt.Sprintf(format, args...)}) }

// must ends the rule if err is an error; what says what was done.
func (c *check) must(err error, what string, args ...any) {
	if err != nil {
		c.fail("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// mustBe ends the rule if err is no fault of that code.
func (c *check) mustBe(err error, code fault.Code, what string, args ...any) {
	switch {
	case err == nil:
		c.fail("%s: no error, it has to be a fault %q", fmt.Sprintf(what, args...), code)
	case !errors.Is(err, code):
		c.fail("%s: the error %q is no fault %q", fmt.Sprintf(what, args...), err, code)
	}
}

// cleanup does f when the rule ends; the last one first.
func (c *check) cleanup(f func()) { c.cleanups = append(c.cleanups, f) }

// start makes an instance that ends with the rule.
func start[S any](c *check, begin Start[S]) *Instance[S] {
	instance, err := begin(c)
	c.must(err, "starting the plugin")
	c.cleanup(instance.Close)
	return instance
}

// A selection says which rules are run, by their ids.
type selection struct{ skip, only []string }

func (s selection) leavesOut(id string) bool {
	return slices.Contains(s.skip, id) || len(s.only) > 0 && !slices.Contains(s.only, id)
}

// runRules runs the rules that s does not leave out.
func runRules[K any](ctx context.Context, rules []rule[K], k K, s selection) []Result {
	var out []Result
	for _, r := range rules {
		if s.leavesOut(r.id) {
			continue
		}
		result := Result{Rule: Rule{ID: r.id, Sentence: r.sentence}}
		begun := time.Now()
		result.Outcome, result.Detail = runRule(ctx, r, k)
		result.Took = time.Since(begun)
		out = append(out, result)
	}
	return out
}

// runRule runs one rule within its time.
func runRule[K any](ctx context.Context, r rule[K], k K) (Outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, ruleTime)
	defer cancel()
	type end struct {
		outcome Outcome
		detail  string
	}
	ended := make(chan end, 1)
	go func() {
		c := &check{Context: ctx}
		defer func() {
			outcome, detail := outcomeOf(recover())
			for _, f := range slices.Backward(c.cleanups) {
				f()
			}
			ended <- end{outcome, detail}
		}()
		r.run(c, k)
	}()
	select {
	case e := <-ended:
		return e.outcome, e.detail
	case <-ctx.Done():
	}
	select {
	case e := <-ended:
		return e.outcome, e.detail
	case <-time.After(ruleGrace):
		return Failed, "a call does not return although its context has ended"
	}
}

// outcomeOf reads what a rule ended with.
func outcomeOf(panicked any) (Outcome, string) {
	switch p := panicked.(type) {
	case nil:
		return Passed, ""
	case broken:
		return Failed, p.detail
	case skipped:
		return Skipped, p.reason
	}
	return Failed, fmt.Sprintf("a panic: %v\n%s", panicked, debug.Stack())
}
