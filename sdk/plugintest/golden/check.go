package golden

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
	"github.com/honeml/hone/sdk/weights"
)

// How far numbers in float64 may be from transformers' in float32.
const (
	LogitsTolerance   = 1e-5 // the distance as a part of the norm
	GradientTolerance = 1e-4 // the same of each parameter
	LossTolerance     = 1e-5 // of each step, relatively
	NormTolerance     = 1e-4 // of each step's gradient norm, relatively
)

// ModelFolder holds a case's checkpoint, StartFolder the adapter that it starts from.
const (
	ModelFolder = "model"
	StartFolder = "start"
)

// Check builds m's Graph for the case's checkpoint and returns all that is not as
// transformers has it, joined. unread are patterns, as [path.Match] has them, of tensors
// that the model has no use for; that any other is left unread is an error too.
func (c *Case) Check(ctx context.Context, m model.Model, unread ...string) error {
	folder := filepath.Join(c.Folder, ModelFolder)
	configuration, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err != nil {
		return err
	}
	g, err := m.Build(ctx, &model.BuildRequest{Configuration: configuration, MaxLength: c.MaxLength})
	if err != nil {
		return err
	}
	checkpoint, err := weights.Open(folder)
	if err != nil {
		return err
	}
	defer checkpoint.Close()
	if err := reads(g, checkpoint, unread); err != nil {
		return err // nothing can be computed
	}
	marked, adapter, err := c.Mark(g)
	if err != nil {
		return err
	}
	if err := c.sameTargets(marked); err != nil {
		return err
	}
	// Where the logits are other ones, so is all that follows.
	if err := c.CheckLogits(marked, adapter, checkpoint); err != nil {
		return err
	}
	return c.checkTraining(ctx, marked, adapter, checkpoint.Files())
}

// reads holds the Graph's parameters to the tensors of the checkpoint.
func reads(g *graph.Graph, checkpoint *weights.Checkpoint, unread []string) error {
	var errs []error
	read := map[string]bool{}
	for _, p := range g.Params {
		if err := weights.Check(checkpoint, p.Source, p.Shape); err != nil {
			errs = append(errs, fmt.Errorf("parameter %q: %w", p.Name, err))
			continue
		}
		array, err := weights.Resolve(checkpoint, p.Source)
		if err != nil {
			errs = append(errs, fmt.Errorf("parameter %q: %w", p.Name, err))
			continue
		}
		for _, t := range array.Tensors() {
			read[t.Name] = true
		}
	}
	for _, name := range checkpoint.Names() {
		known := slices.ContainsFunc(unread, func(pattern string) bool {
			ok, err := path.Match(pattern, name)
			return ok && err == nil
		})
		if !read[name] && !known {
			errs = append(errs, fmt.Errorf("the graph does not read the checkpoint's tensor %q", name))
		}
	}
	return errors.Join(errs...)
}

// sameTargets holds what the Graph trains, by PEFT's names, to what PEFT trained.
func (c *Case) sameTargets(marked *graph.Graph) error {
	ours, theirs := map[string]bool{}, map[string]bool{}
	for _, s := range kernels.SavedTensors(marked) {
		ours[s.Key] = true
	}
	var errs []error
	for name := range c.Tensors {
		if key, ok := strings.CutPrefix(name, "gradient/"); ok {
			if theirs[key] = true; !ours[key] {
				errs = append(errs, fmt.Errorf("transformers trains %q, the graph has no such parameter", key))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		if !theirs[key] {
			errs = append(errs, fmt.Errorf("the graph trains %q, transformers does not", key))
		}
	}
	return errors.Join(errs...)
}

// CheckLogits holds a Graph that [Case.Mark] marked to the logits of the probes, packed
// at once, without the adapter and with it.
func (c *Case) CheckLogits(marked *graph.Graph, adapter string, checkpoint *weights.Checkpoint) error {
	start := map[string][]float32{}
	if adapter != "" {
		var err error
		if start, err = ReadTensors(filepath.Join(c.Folder, StartFolder, kernels.AdapterFile)); err != nil {
			return err
		}
	}
	var errs []error
	for _, logits := range []struct{ name, adapter string }{{"logits/base", ""}, {"logits/start", adapter}} {
		want, ok := c.Tensors[logits.name]
		if !ok {
			continue
		}
		got, err := Logits(marked, logits.adapter, checkpoint, start, c.Probes...)
		if err != nil {
			return err
		}
		errs = append(errs, Within(logits.name, got, want, LogitsTolerance))
	}
	return errors.Join(errs...)
}

// Logits are those of documents, packed at once, by the definition of g's operations:
// with the parameters of the checkpoint and, of adapters, those that saved holds by the
// names under which they are saved. adapter is the one that is asked for; "": none.
func Logits(g *graph.Graph, adapter string, checkpoint *weights.Checkpoint, saved map[string][]float32, documents ...[]int32) ([]float64, error) {
	params, err := parameters(g, checkpoint, saved)
	if err != nil {
		return nil, err
	}
	run, err := interp.New(g, params, Pack(documents...), interp.Options{Adapter: adapter})
	if err != nil {
		return nil, err
	}
	return run.Forward()
}

// parameters are those of g in float64: the checkpoint's and, by the names under which
// they are saved, those of an adapter's file.
func parameters(g *graph.Graph, checkpoint *weights.Checkpoint, adapter map[string][]float32) (interp.Params, error) {
	values := make([][]float64, len(g.Params))
	set := func(id graph.ParamID, v []float32) {
		values[id] = make([]float64, len(v))
		for i, x := range v {
			values[id][i] = float64(x)
		}
	}
	for _, p := range g.Params {
		if p.Source == nil {
			continue
		}
		array, err := weights.Resolve(checkpoint, p.Source)
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		v := make([]float32, p.Elements())
		if err := array.Float32(v, 0); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		set(p.ID, v)
	}
	for _, s := range kernels.SavedTensors(g) {
		if v, ok := adapter[s.Key]; ok {
			v, start := s.Split(v)
			set(s.Param.ID, v)
			if s.Start != nil {
				set(s.Start.ID, start)
			}
		}
		if values[s.Param.ID] == nil {
			return nil, fmt.Errorf("the adapter has no %q", s.Key)
		}
	}
	return func(id graph.ParamID) []float64 { return values[id] }, nil
}

// checkTraining trains by the reference backend and compares the first gradients and
// each step's loss.
func (c *Case) checkTraining(ctx context.Context, marked *graph.Graph, adapter string, files []string) error {
	b := refbackend.New()
	defer b.Close(ctx)
	load := &kernels.LoadRequest{Checkpoint: files}
	if adapter != "" {
		load.Adapter = filepath.Join(c.Folder, StartFolder)
	}
	_, err := b.Bind(ctx, &kernels.BindRequest{
		Graph: marked,
		Settings: kernels.Settings{
			Adapter: adapter, Seed: 1, Precision: "fp32", WeightType: "auto", MaxLength: c.MaxLength, Optimizer: c.AdamW(),
		},
		Phases: kernels.Phases{Train: true},
	})
	if err != nil {
		return err
	}
	if err := b.Load(ctx, load, func(int64, int64) {}); err != nil {
		return err
	}
	var errs []error
	for i := range c.Steps {
		r, err := oneStep(ctx, b, c.Step(i))
		if err != nil {
			return err
		}
		if i == 0 {
			errs = append(errs, c.checkGradients(ctx, marked, b))
		}
		errs = append(errs, near(fmt.Sprintf("the loss of step %d", i+1), r.Loss/r.Weight, c.Losses[i], LossTolerance),
			near(fmt.Sprintf("the gradient norm of step %d", i+1), r.GradNorm, c.GradNorms[i], NormTolerance))
	}
	return errors.Join(errs...)
}

// oneStep does a step and gives its result.
func oneStep(ctx context.Context, b kernels.Backend, step *kernels.Step) (*kernels.StepResult, error) {
	var result *kernels.StepResult
	next := func() (*kernels.Step, error) {
		if step == nil {
			return nil, io.EOF
		}
		s := step
		step = nil
		return s, nil
	}
	err := b.Train(ctx, next, func(r *kernels.StepResult) error { result = r; return nil })
	if err == nil && result == nil {
		err = errors.New("a step without a result")
	}
	return result, err
}

func (c *Case) checkGradients(ctx context.Context, marked *graph.Graph, b kernels.Backend) error {
	var errs []error
	for _, s := range kernels.SavedTensors(marked) {
		var got []float32
		_, err := b.ReadTensor(ctx, &kernels.ReadTensorRequest{Name: s.Param.Name, Kind: kernels.TensorGradient}, func(part []float32) error {
			got = append(got, part...)
			return nil
		})
		if err != nil {
			return err
		}
		errs = append(errs, Within("the gradient of "+s.Key, got, c.Tensors["gradient/"+s.Key], GradientTolerance))
	}
	return errors.Join(errs...)
}

// Apart is the distance of got from want as a part of want's norm.
func Apart[G, W float32 | float64](got []G, want []W) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var difference, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		difference += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(difference / norm)
}

// Within is an error unless got is within the tolerance of want.
func Within[G, W float32 | float64](what string, got []G, want []W, tolerance float64) error {
	// Not a number is not within.
	if d := Apart(got, want); !(d <= tolerance) {
		return fmt.Errorf("%s: %.2g of the norm apart, want at most %.0e (%d and %d numbers)", what, d, tolerance, len(got), len(want))
	}
	return nil
}

// near is an error unless got is near want, relatively.
func near(what string, got, want, tolerance float64) error {
	if d := math.Abs(got-want) / math.Abs(want); !(d <= tolerance) {
		return fmt.Errorf("%s is %.8g, want %.8g: %.2g of it apart, want at most %.0e", what, got, want, d, tolerance)
	}
	return nil
}
