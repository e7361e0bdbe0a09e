package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/principal"
	"github.com/honeml/hone/sdk/logger"
)

// A Process is a kernels plugin that runs.
type Process interface {
	Backend() kernels.Backend
	// Close ends the process; it may have ended already.
	Close(ctx context.Context) error
}

// A Metric is a number of the user's own, worked out at each step from the step's
// variables. One that has no value at a step answers an error and is left out.
type Metric interface {
	Name() string
	Eval(variables map[string]float64) (float64, error)
}

// A Trainer holds all that a run needs. Its fields are set before Run and not
// changed after.
type Trainer struct {
	Dir     *rundir.Dir
	Journal *metrics.Journal
	Display ui.Display

	// Start starts the kernels plugin, at first and after it died.
	Start func(ctx context.Context) (Process, error)
	// Died reports whether an error means that the plugin's process ended.
	Died func(error) bool

	Bind      kernels.BindRequest // Previous is filled in
	Load      kernels.LoadRequest
	Documents []*data.Document
	// Fingerprint is that of the training data.
	Fingerprint string
	Order       data.OrderSpec
	Packing     bool
	Schedule    Schedule // Total is filled in
	Warmup      float64  // as the run file has it

	Evaluation  []*data.Document
	EvaluateAt  int64 // every so many steps, and at the end; 0: at the end alone
	Prompts     []Prompt
	Generate    Generate
	Checkpoint  CheckpointSpec
	Metrics     []Metric
	WriteResult func(dir string) error // writes what belongs beside saved weights: adapter_config.json

	// Stop, when closed, ends the run after the step that is under way.
	Stop <-chan struct{}

	planned func(*kernels.Plan) // told of each attempt's plan
	eval    float64             // the last evaluation's loss; NaN before
	best    *rundir.Checkpoint
	tokens  int64 // processed so far
}

// A CheckpointSpec says when checkpoints are written and which are kept.
type CheckpointSpec struct {
	Every int64 // steps; 0: at the end, and when interrupted
	Keep  int   // newest ones
	Best  bool  // keep the one with the lowest evaluation loss, and make it the result
}

// A Prompt is what evaluations let the model continue.
type Prompt struct {
	Text string
	IDs  []int32
}

// Generate says how evaluations generate.
type Generate struct {
	MaxTokens   int
	Temperature float64
	Stop        []int32
	Decode      func(ids []int32) string
}

// ErrInterrupted says that a run was stopped before its end, with a checkpoint
// to go on from. A run whose context ended has none of its last steps.
var ErrInterrupted = errors.New("interrupted")

// A NotFiniteError says that a step's loss or gradient is not finite. Nothing
// was updated by it.
type NotFiniteError struct {
	Step           int64
	Loss, GradNorm float64
	Documents      []string // where the step's documents come from
}

// Error names the step and its documents.
func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("step %d: loss %v, gradient norm %v: not finite; its documents are %s",
		e.Step, e.Loss, e.GradNorm, listSome(e.Documents, 8))
}

func listSome(items []string, most int) string {
	s := ""
	for i, item := range items {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", s, len(items)-most)
		case i > 0:
			s += ", "
		}
		s += item
	}
	return s
}

// maxDeaths is how often the plugin may die without the run having come
// further than before.
const maxDeaths = 3

// Run trains to the end. It returns [ErrInterrupted] if it was stopped before.
func (t *Trainer) Run(ctx context.Context) error {
	deaths, furthest := 0, int64(-1)
	for {
		from, err := t.lastCheckpoint()
		if err != nil {
			return err
		}
		reached, err := t.attempt(ctx, from)
		if err == nil || !t.gone(err) || ctx.Err() != nil {
			return err
		}
		deaths++
		if reached > furthest {
			deaths, furthest = 1, reached
		}
		if deaths >= maxDeaths {
			return fmt.Errorf("the kernels plugin died %d times at the same place: %w", deaths, err)
		}
		t.Journal.NextAttempt()
		t.emit(ui.Event{Kind: ui.Warning, Message: fmt.Sprintf("%v; starting it again", err)})
	}
}

// gone reports whether an error means that the plugin's process ended, or that its device
// is lost and only a new process can go on.
func (t *Trainer) gone(err error) bool {
	return errors.Is(err, fault.DeviceLost) || t.Died != nil && t.Died(err)
}

// lastCheckpoint is the newest checkpoint, nil if there is none, and notes the
// best one.
func (t *Trainer) lastCheckpoint() (*rundir.Checkpoint, error) {
	all, err := t.Dir.Checkpoints()
	if err != nil {
		return nil, err
	}
	t.best = nil
	for _, c := range all {
		if c.EvalLoss != nil && (t.best == nil || *c.EvalLoss < *t.best.EvalLoss) {
			t.best = c
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	last := all[len(all)-1]
	if last.DataFingerprint != t.Fingerprint {
		return nil, fmt.Errorf("the training data is not what checkpoint %s was made with", last.Path)
	}
	return last, nil
}

// An attempt is one life of the kernels plugin.
type attempt struct {
	*Trainer
	backend kernels.Backend
	plan    *kernels.Plan
	order   *data.Order
	done    int64 // steps
	first   int64 // steps that were done before this attempt
	docs    int64 // documents that the steps used
	begun   time.Time
	scored  int64 // the step of the last evaluation; -1: none
}

// attempt runs from a checkpoint, nil for the beginning, and returns the last
// step that was done.
func (t *Trainer) attempt(ctx context.Context, from *rundir.Checkpoint) (reached int64, err error) {
	a := &attempt{Trainer: t, begun: time.Now(), scored: -1}
	t.eval = math.NaN() // what an earlier attempt evaluated later is not known yet
	process, err := t.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		patience := 10 * time.Second
		if ctx.Err() != nil {
			patience = time.Second // whoever asked twice for the end waits for it
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if closeErr := process.Close(closing); err == nil {
			err = closeErr
		}
	}()
	a.backend = process.Backend()
	if err := a.prepare(ctx, from); err != nil {
		return 0, err
	}
	if err := a.train(ctx); err != nil {
		return a.done, err
	}
	return a.done, a.finish(ctx)
}

// prepare binds, loads, restores and finds the place in the data.
func (a *attempt) prepare(ctx context.Context, from *rundir.Checkpoint) error {
	lengths := make([]int, len(a.Documents))
	for i, d := range a.Documents {
		lengths[i] = len(d.IDs)
	}
	var err error
	if a.order, err = data.NewOrder(lengths, a.Order); err != nil {
		return err
	}
	a.Schedule.Total = a.order.TotalSteps()
	a.Schedule.Warmup = WarmupSteps(a.Warmup, a.Schedule.Total)
	bind := a.Bind
	if from != nil {
		bind.Previous = from.Bound
	}
	if a.plan, err = a.backend.Bind(ctx, &bind); err != nil {
		return err
	}
	if a.planned != nil {
		a.planned(a.plan)
	}
	for _, note := range a.plan.Notes {
		a.emit(ui.Event{Kind: ui.Info, Message: note})
	}
	load := a.Load
	if n := len(principal.Linears(a.Bind.Graph)); n > 0 && from != nil {
		load.Adapter = from.Path // which has what the adapters began with: it is not found again
	} else if n > 0 {
		a.emit(ui.Event{Kind: ui.Info, Message: fmt.Sprintf("the adapters begin with the principal parts of %d weights, which are found while weights are loaded", n)})
	}
	err = a.backend.Load(ctx, &load, func(done, total int64) {
		a.emit(ui.Event{Kind: ui.Progress, Message: "loading weights", Done: done, Total: total})
	})
	if err != nil || from == nil {
		return err
	}
	return a.restore(ctx, from)
}

func (a *attempt) restore(ctx context.Context, from *rundir.Checkpoint) error {
	r, err := a.backend.Restore(ctx, from.Path)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", from.Path, err)
	}
	if a.docs, err = a.order.Skip(from.Step); err != nil {
		return fmt.Errorf("checkpoint %s: %w", from.Path, err)
	}
	if a.docs != from.Documents {
		return fmt.Errorf("checkpoint %s: its %d steps used %d documents, with these settings they would have used %d",
			from.Path, from.Step, from.Documents, a.docs)
	}
	a.done, a.first, a.tokens = from.Step, from.Step, from.Tokens
	if from.LastEvalLoss != nil {
		a.eval = *from.LastEvalLoss
	}
	if from.Evaluated {
		a.scored = from.Step
	}
	exact := "its losses go on to the bit"
	if !r.Exact || !a.plan.SameAsPrevious || from.Packing != a.Packing {
		exact = "its losses go on, but not to the bit: packing, the plan or the algorithms differ"
	}
	a.emit(ui.Event{Kind: ui.Info, Message: fmt.Sprintf("goes on after step %d of %d; %s", a.done, a.Schedule.Total, exact)})
	for _, note := range r.Notes {
		a.emit(ui.Event{Kind: ui.Warning, Message: note})
	}
	return nil
}

// train goes from segment to segment.
func (a *attempt) train(ctx context.Context) error {
	// At the beginning, and where a run was stopped before the evaluation that was
	// due.
	if a.evaluationDue() && a.scored != a.done {
		if err := a.recordAgain(); err != nil {
			return err
		}
		if err := a.evaluate(ctx); err != nil {
			return err
		}
		if a.done > 0 { // the checkpoint is there, without its loss
			if err := a.save(ctx); err != nil {
				return err
			}
		}
	}
	for a.done < a.Schedule.Total {
		stopped, err := a.segment(ctx, a.nextStop())
		if err != nil {
			return err
		}
		end := a.done == a.Schedule.Total
		due := end || stopped || a.checkpointDue()
		if end || a.evaluationDue() && !stopped {
			if err := a.evaluate(ctx); err != nil {
				return err
			}
		}
		if due || a.improved() {
			if err := a.save(ctx); err != nil {
				return err
			}
		}
		if stopped && !end {
			return ErrInterrupted
		}
	}
	return nil
}

// recordAgain gives the records of the last step to the journal once more, before
// others of this step: a reader keeps those of the highest attempt alone.
func (a *attempt) recordAgain() error {
	if a.done == 0 {
		return nil
	}
	if err := a.Journal.Sync(); err != nil {
		return err
	}
	latest, err := metrics.Latest(a.Dir.Join(rundir.MetricsFile))
	if err != nil {
		return err
	}
	for _, r := range latest {
		if r.Step == a.done {
			a.Journal.Append(r)
		}
	}
	return nil
}

// evaluationDue reports whether an undisturbed run is evaluated at this step in
// any case.
func (a *attempt) evaluationDue() bool {
	return a.done == 0 || a.EvaluateAt > 0 && a.done%a.EvaluateAt == 0 ||
		a.Checkpoint.Best && a.checkpointDue() // each of those that are compared
}

// checkpointDue reports whether an undisturbed run writes a checkpoint at this step
// in any case.
func (a *attempt) checkpointDue() bool {
	return a.Checkpoint.Every > 0 && a.done%a.Checkpoint.Every == 0
}

// nextStop is the next step after which something is due.
func (a *attempt) nextStop() int64 {
	next := a.Schedule.Total
	for _, every := range []int64{a.EvaluateAt, a.Checkpoint.Every} {
		if every > 0 {
			next = min(next, (a.done/every+1)*every)
		}
	}
	return next
}

// segment trains up to the step last, and reports whether the run was stopped
// meanwhile.
func (a *attempt) segment(ctx context.Context, last int64) (stopped bool, err error) {
	sent := a.done
	// Sent and not yet reported: two at most, and one that is being sent.
	sending := make(chan data.StepDocuments, 4)
	next := func() (*kernels.Step, error) {
		select {
		case <-a.Stop:
			stopped = true
			return nil, io.EOF
		default:
		}
		if sent >= last {
			return nil, io.EOF
		}
		documents, ok := a.order.Next()
		if !ok {
			return nil, fmt.Errorf("the data ended at step %d of %d", sent, a.Schedule.Total)
		}
		sent++
		sending <- documents
		return a.step(documents), nil
	}
	report := func(r *kernels.StepResult) error {
		documents := <-sending
		return a.report(documents, r)
	}
	if err := a.backend.Train(ctx, next, report); err != nil {
		return stopped, err
	}
	if a.done != sent {
		return stopped, fmt.Errorf("the kernels plugin reported step %d, step %d was sent", a.done, sent)
	}
	return stopped, nil
}

// step lays out the micro-batches of a step.
func (a *attempt) step(s data.StepDocuments) *kernels.Step {
	placed := make([]data.Placed, len(s.Indices))
	for i, index := range s.Indices {
		placed[i] = data.Placed{Document: a.Documents[index], Sample: s.Samples[i]}
	}
	return &kernels.Step{
		Number: s.Step, LearningRate: a.Schedule.At(s.Step), Objective: kernels.CrossEntropy,
		Batches: data.Pack(placed, a.plan.MicroBatchTokens, a.Packing),
	}
}

// report takes a step's result.
func (a *attempt) report(s data.StepDocuments, r *kernels.StepResult) error {
	if r.Number != s.Step {
		return fmt.Errorf("the kernels plugin reported step %d, step %d was next", r.Number, s.Step)
	}
	scalars := a.scalars(s, r)
	a.Journal.Append(&logger.Record{Step: r.Number, Time: time.Now(), Scalars: scalars})
	if r.NotFinite {
		e := &NotFiniteError{Step: r.Number, Loss: r.Loss / r.Weight, GradNorm: r.GradNorm}
		for _, index := range s.Indices {
			e.Documents = append(e.Documents, a.Documents[index].Where)
		}
		return e
	}
	a.done = r.Number
	a.docs += int64(len(s.Indices))
	a.tokens += r.Tokens
	a.emit(ui.Event{Kind: ui.Step, Step: r.Number, Total: a.Schedule.Total, Done: r.Number - a.first, Scalars: scalars})
	return nil
}

// scalars are a step's numbers under the names they are logged by.
func (a *attempt) scalars(s data.StepDocuments, r *kernels.StepResult) map[string]float64 {
	mean := r.Loss / r.Weight
	scalars := map[string]float64{
		"train/loss": mean, "train/perplexity": math.Exp(mean), "train/grad_norm": r.GradNorm,
		"train/learning_rate": a.Schedule.At(r.Number), "train/supervised_tokens": r.Weight,
		"train/tokens": float64(r.Tokens), "train/documents": float64(len(s.Indices)), "train/epoch": a.epoch(s),
		"perf/step_seconds": r.Seconds,
	}
	if r.Seconds > 0 {
		scalars["perf/tokens_per_second"] = float64(r.Tokens) / r.Seconds
	}
	if r.Skipped {
		scalars["train/skipped"] = 1
	}
	for name, v := range r.Metrics {
		scalars[name] = v
	}
	if len(a.Metrics) > 0 {
		a.addMetrics(scalars, s, r)
	}
	return scalars
}

// addMetrics works out the user's own metrics from a step's variables.
func (a *attempt) addMetrics(scalars map[string]float64, s data.StepDocuments, r *kernels.StepResult) {
	variables := map[string]float64{
		"loss": scalars["train/loss"], "perplexity": scalars["train/perplexity"], "grad_norm": r.GradNorm,
		"learning_rate": scalars["train/learning_rate"], "step": float64(r.Number), "total_steps": float64(a.Schedule.Total),
		"epoch": a.epoch(s), "tokens": float64(r.Tokens), "total_tokens": float64(a.tokens + r.Tokens),
		"supervised_tokens": r.Weight, "seconds": r.Seconds,
	}
	if v, ok := scalars["perf/tokens_per_second"]; ok {
		variables["tokens_per_second"] = v
	}
	if v, ok := r.Metrics[kernels.AuxLoss]; ok {
		variables["aux_loss"] = v
	}
	if !math.IsNaN(a.eval) {
		variables["eval_loss"], variables["eval_perplexity"] = a.eval, math.Exp(a.eval)
	}
	for _, m := range a.Metrics {
		if v, err := m.Eval(variables); err == nil {
			scalars["metric/"+m.Name()] = v
		}
	}
}

// epoch is how many epochs are done after a step, with the part of the one at
// hand: by the number of the step's last document.
func (a *attempt) epoch(s data.StepDocuments) float64 {
	return float64(s.Samples[len(s.Samples)-1]+1) / float64(len(a.Documents))
}

func (t *Trainer) emit(e ui.Event) {
	e.Time = time.Now()
	t.Display.Emit(e)
}

// Planned sets what is told of each attempt's plan.
func (t *Trainer) Planned(f func(*kernels.Plan)) { t.planned = f }
