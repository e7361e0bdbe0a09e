package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/bench/shapes"
	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/bench"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// benchFlags are the flags of hone bench train.
type benchFlags struct {
	tokens, steps, warmup, microBatch int
	length                            string
	seed                              uint64

	rank    int
	alpha   float64
	dropout float64
	dora    bool
	targets []string

	kernels, precision, dtype, recompute, memoryLimit string

	profile, json bool
}

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure how fast this machine trains", Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.benchTrainCommand())
	return cmd
}

func (a *app) benchTrainCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "train MODEL_CONFIG",
		Short: "Train a model of a real shape, on random weights and tokens, and say how fast",
		Long: "Train a model of a real shape, on random weights and tokens, and say how fast.\n\n" +
			"MODEL_CONFIG is a config.json, a folder that holds one, or one of " + strings.Join(shapes.Names(), ", ") + ".\n" +
			"Weights are drawn from N(0, 0.02); loss and gradient norm stand beside the speed, to be compared with another program's.",
		Args: exactly(1, "the configuration of a model"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.benchTrain(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.IntVar(&f.tokens, "tokens", 8192, "the `tokens` of a step")
	flags.StringVar(&f.length, "length", "2048", "the `tokens` of a document, or a range such as 200-800")
	flags.IntVar(&f.steps, "steps", 10, "`steps` that are measured")
	flags.IntVar(&f.warmup, "warmup", 3, "`steps` before them")
	flags.IntVar(&f.rank, "rank", 16, "the adapters' `rank`")
	flags.Float64Var(&f.alpha, "alpha", 0, "their `scale`, by the rank; 0: the rank")
	flags.Float64Var(&f.dropout, "dropout", 0, "the `probability` of dropout in the adapters")
	flags.BoolVar(&f.dora, "dora", false, "adapters with DoRA")
	flags.StringSliceVar(&f.targets, "targets", []string{adapt.Auto}, "the `linears` that get an adapter")
	flags.StringVar(&f.kernels, "kernels", "", "the kernels `plugin`; without it the GPU's where there is a GPU")
	flags.StringVar(&f.precision, "precision", "bf16", "what activations are computed in: bf16, fp16 or fp32")
	flags.StringVar(&f.dtype, "dtype", "auto", "how frozen weights are held: auto, float32, bfloat16 or float16")
	flags.StringVar(&f.recompute, "recompute", "", "what the backward pass computes again: `what` the plugin offers, such as auto, none or layers")
	flags.StringVar(&f.memoryLimit, "memory-limit", "", "the most memory to plan for, a `size` such as 24GiB")
	flags.IntVar(&f.microBatch, "micro-batch", 0, "the most `tokens` to compute at once; 0 chooses")
	flags.Uint64Var(&f.seed, "seed", 1, "what weights and tokens are drawn by")
	flags.BoolVar(&f.profile, "profile", false, "say which kind of kernel takes how much of a step")
	flags.BoolVar(&f.json, "json", false, "print one JSON object on one line")
	return cmd
}

func (a *app) benchTrain(ctx context.Context, target string, f benchFlags) error {
	work := bench.Work{Tokens: f.tokens, Steps: f.steps, Warmup: f.warmup, Seed: f.seed}
	var err error
	if work.Length, err = bench.ParseLengths(f.length); err != nil {
		return usageError{err}
	}
	if err := work.Check(); err != nil {
		return usageError{err}
	}
	s, err := a.benchSession(ctx, target, f, work)
	if err != nil {
		return err
	}
	work.Ceilings = s.run.Kernels.Values["ceilings"] == true
	result, err := s.measure(ctx, work)
	if err != nil {
		return benchError(err)
	}
	result.Program, result.Model = "hone "+s.kernels.plugin.Name, shapeName(target)
	if note := s.kernels.note; note != "" && !slices.Contains(result.Notes, note) {
		result.Notes = append(result.Notes, note)
	}
	if f.json {
		return json.NewEncoder(a.Out).Encode(result)
	}
	if f.profile && len(result.Families) == 0 {
		result.Notes = append(result.Notes, s.kernels.plugin.String()+" does not say what takes how long")
	}
	_, err = result.WriteTo(a.Out)
	return err
}

// measure starts the kernels plugin and has it work.
func (s *session) measure(ctx context.Context, work bench.Work) (*bench.Result, error) {
	process, err := s.kernels.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := process.Close(context.WithoutCancel(ctx)); err != nil {
			s.app.log().Warn("closing a plugin", "error", err)
		}
	}()
	display := s.app.display(false)
	defer display.Close()
	bind := s.bindRequest()
	return bench.Train(ctx, process.Backend(), &bind, work, func(what string, done, total int64) {
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.Progress, Message: what, Done: done, Total: total})
	})
}

// benchError is an error with what the plugin finds wrong in its settings, which stand
// in no file.
func benchError(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && errors.Is(f, fault.InvalidConfig) {
		for _, d := range f.Diagnostics {
			return usageError{fmt.Errorf("%s: %s", strings.Join(d.Path, "."), d.Summary)}
		}
	}
	return err
}

// shapeName is how a result calls the model.
func shapeName(target string) string {
	name := filepath.Base(filepath.Clean(target))
	if name == "config.json" {
		name = filepath.Base(filepath.Dir(target))
	}
	return strings.TrimSuffix(name, ".json")
}

// benchSession is a session of a run that no file describes.
func (a *app) benchSession(ctx context.Context, target string, f benchFlags, work bench.Work) (*session, error) {
	configuration, err := readShape(target)
	if err != nil {
		return nil, err
	}
	run, err := f.run(work)
	if err != nil {
		return nil, err
	}
	if run.Kernels.Name == "" {
		c, err := a.chooseKernels(false)
		if err != nil {
			return nil, err
		}
		run.Kernels.Name, run.KernelsChosen = c.name, c.own
	}
	s := &session{app: a, run: run}
	if s.kernels, err = a.selectKernels(ctx, &run.Kernels, run.KernelsChosen); err != nil {
		return nil, err
	}
	shape, err := basemodel.OpenShape(ctx, configuration, work.Length.Most, models{a})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	s.model = &basemodel.Model{Architecture: shape.Architecture, Graph: shape.Graph, StoredType: shape.StoredType}
	if err := s.adapt(); err != nil {
		return nil, err
	}
	if err := s.able(ctx); err != nil {
		return nil, err
	}
	run.Kernels.Values, err = f.block(s.kernels)
	return s, err
}

// readShape is the configuration that an argument names.
func readShape(target string) ([]byte, error) {
	if data, ok := shapes.Config(target); ok && !exists(target) {
		return data, nil
	}
	path := target
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		path = filepath.Join(target, "config.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.InvalidModel, "%w", err).
			WithHint("a config.json, its folder, or one of %s", strings.Join(shapes.Names(), ", "))
	}
	return data, nil
}

// run is what a run file would say.
func (f benchFlags) run(work bench.Work) (*runfile.Run, error) {
	limit, err := config.ParseBytes(f.memoryLimit)
	switch {
	case err != nil:
		return nil, usageError{fmt.Errorf("-memory-limit: %w", err)}
	case f.rank < 1 || f.alpha < 0 || !(f.dropout >= 0 && f.dropout < 1):
		return nil, usageError{fmt.Errorf("an adapter of rank %d, alpha %g, dropout %g", f.rank, f.alpha, f.dropout)}
	case !slices.Contains([]string{"bf16", "fp16", "fp32"}, f.precision):
		return nil, usageError{fmt.Errorf("-precision is bf16, fp16 or fp32, not %q", f.precision)}
	}
	alpha := f.alpha
	if alpha == 0 {
		alpha = float64(f.rank)
	}
	return &runfile.Run{
		Name: "bench", Seed: f.seed, MemoryLimit: limit,
		Model:   runfile.ModelConfig{DType: f.dtype},
		Adapter: runfile.AdapterConfig{Kind: runfile.AdapterLoRA, Rank: f.rank, Alpha: alpha, Dropout: f.dropout, DoRA: f.dora, Targets: f.targets},
		Train: runfile.TrainConfig{
			TokensPerStep: work.Tokens, MaxLength: work.Length.Most, Precision: f.precision,
			Betas: [2]float64{0.9, 0.999}, Epsilon: 1e-8, MaxGradNorm: 1,
		},
		Kernels: runfile.PluginBlock{Kind: runfile.KindKernels, Name: f.kernels},
	}, nil
}

// block is what the plugin is told: what flags ask for, as far as its schema has it.
func (f benchFlags) block(k *selected) (map[string]any, error) {
	out := k.description.Schema.Defaults()
	if f.profile && k.description.Schema.Attribute("profile") != nil {
		out["profile"] = true
	}
	if k.description.Schema.Attribute("ceilings") != nil {
		out["ceilings"] = true
	}
	asked := map[string]any{}
	if f.recompute != "" {
		asked["recompute"] = f.recompute
	}
	if f.microBatch != 0 {
		asked["micro_batch_tokens"] = float64(f.microBatch)
	}
	for name, value := range asked {
		a := k.description.Schema.Attribute(name)
		if a == nil {
			return nil, usageError{fmt.Errorf("%s has no setting %s", k.plugin, name)}
		}
		if text, ok := value.(string); ok && len(a.OneOf) > 0 && !slices.Contains(a.OneOf, text) {
			return nil, usageError{fmt.Errorf("-%s is %s, not %q", name, strings.Join(a.OneOf, ", "), text)}
		}
		out[name] = value
	}
	return out, nil
}
