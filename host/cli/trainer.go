package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
)

// bindRequest is what the kernels plugin is asked for.
func (s *session) bindRequest() kernels.BindRequest {
	r := s.run
	req := kernels.BindRequest{
		Graph: s.graph,
		Settings: kernels.Settings{
			Adapter: s.adapter, Seed: r.Seed, Precision: r.Train.Precision, WeightType: r.Model.DType,
			StoredType: s.model.StoredType, MaxLength: r.Train.MaxLength, TokensPerStep: r.Train.TokensPerStep,
			Optimizer: kernels.Optimizer{
				Beta1: r.Train.Betas[0], Beta2: r.Train.Betas[1], Epsilon: r.Train.Epsilon,
				WeightDecay: r.Train.WeightDecay, MaxGradNorm: r.Train.MaxGradNorm,
			},
		},
		Limits: kernels.Limits{MemoryBytes: r.MemoryLimit},
		Phases: kernels.Phases{Train: true, Score: s.eval != nil},
	}
	if n := len(r.Evaluate.Prompts); n > 0 {
		req.Phases.GenerateSequences = min(n, 8)
		req.Phases.GenerateLength = r.Train.MaxLength + r.Evaluate.MaxTokens
	}
	return req
}

// trainer prepares the training loop, and writes run.json.
func (s *session) trainer(
	ctx context.Context, dir *rundir.Dir, journal *metrics.Journal, display ui.Display, r *record,
) (*train.Trainer, error) {
	run := s.run
	prompts, err := s.prompts(ctx)
	if err != nil {
		return nil, err
	}
	t := &train.Trainer{
		Dir: dir, Journal: journal, Display: display,
		Start: s.startKernels, Died: pluginDied,
		Bind: s.bindRequest(), Load: kernels.LoadRequest{Checkpoint: s.model.Files, Adapter: run.Adapter.From},
		Documents: s.train.Documents, Fingerprint: s.train.Fingerprint(),
		Order:    orderSpec(run),
		Packing:  run.Data.Packing,
		Schedule: train.Schedule{Kind: run.Train.Schedule, Rate: run.Train.LearningRate}, Warmup: run.Train.Warmup,
		EvaluateAt: run.Evaluate.Every, Prompts: prompts,
		Generate: train.Generate{MaxTokens: run.Evaluate.MaxTokens, Temperature: run.Evaluate.Temperature, Stop: s.text.Stop, Decode: s.decode},
		Checkpoint: train.CheckpointSpec{
			Every: run.Checkpoint.Every, Keep: run.Checkpoint.Keep, Best: run.Checkpoint.Best,
		},
		WriteResult: s.writeResult, Stop: s.app.stop,
	}
	if s.eval != nil {
		t.Evaluation = s.eval.Documents
	}
	for _, m := range run.Metrics {
		t.Metrics = append(t.Metrics, metric{m})
	}
	if err := s.fill(r, journal); err != nil {
		return nil, err
	}
	t.Planned(func(p *kernels.Plan) {
		r.Device, r.Memory, r.Notes = p.Device, p.Memory, p.Notes
		r.Plugins = s.pluginRecords() // Bind may have taken another
		if err := writeRecord(dir, r); err != nil {
			s.app.log().Warn("run.json", "error", err)
		}
	})
	return t, writeRecord(dir, r)
}

// fill completes run.json for this start.
func (s *session) fill(r *record, journal *metrics.Journal) (err error) {
	if r.Content, err = s.content(); err != nil {
		return err
	}
	r.Hone, r.Run = s.app.version, s.run
	r.Data = dataRecord{
		Fingerprint: s.train.Fingerprint(), Documents: len(s.train.Documents), Tokens: s.train.Tokens(),
		Supervised: s.train.Supervised(), Files: s.report.Files,
	}
	r.Plugins = s.pluginRecords()
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	r.Attempts = append(r.Attempts, attempt{Number: journal.Attempt(), Start: time.Now().UTC(), Host: host})
	return nil
}

// pluginRecords are the plugins of the run.
func (s *session) pluginRecords() []pluginRecord {
	entries, _ := s.app.store().List(release.Here()) // what cannot be read was not started
	records := []pluginRecord{
		s.app.pluginRecord(s.kernels.plugin, s.kernels.description.Version, entries),
		s.app.pluginRecord(s.modelPlugin.Plugin, s.modelPlugin.Description.Version, entries),
	}
	for _, l := range s.loggerPlugins {
		records = append(records, s.app.pluginRecord(l.Plugin, l.Description.Version, entries))
	}
	return records
}

// content identifies the model and the adapter that the run starts from.
func (s *session) content() (c contentRecord, err error) {
	if c.Model, err = modelFingerprint(s.model); err != nil {
		return c, fmt.Errorf("model %s: %w", s.run.Model.Source, err)
	}
	if s.run.Adapter.From != "" {
		c.Adapter, err = adapterFingerprint(s.run.Adapter.From)
	}
	return c, err
}

// metric is a run file's metric as the loop takes it.
type metric struct{ runfile.Metric }

// Name is the name that the run file gives it.
func (m metric) Name() string { return m.Metric.Name }

// prompts are what evaluations let the model continue.
func (s *session) prompts(ctx context.Context) ([]train.Prompt, error) {
	var out []train.Prompt
	for _, text := range s.run.Evaluate.Prompts {
		ids, err := s.encoder.Prompt(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("evaluate.prompts: %q: %w", text, err)
		}
		if len(ids) == 0 || len(ids) > s.run.Train.MaxLength {
			return nil, fault.New(fault.BadInput, "evaluate.prompts: %q has %d tokens, train.max_length is %d", text, len(ids), s.run.Train.MaxLength)
		}
		out = append(out, train.Prompt{Text: text, IDs: ids})
	}
	return out, nil
}

// decode is the text of an answer.
func (s *session) decode(ids []int32) string {
	text, err := s.text.Tokenizer.Decode(ids, true)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return text
}

func (s *session) startKernels(ctx context.Context) (train.Process, error) {
	p, err := s.kernels.start(ctx)
	if err != nil {
		return nil, err // not a process that is nil
	}
	return p, nil
}

// grants are the variables of the environment that a block's env() read, for its
// plugin alone.
func grants(b runfile.PluginBlock) []string {
	var out []string
	for _, name := range b.Env {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// pluginDied reports whether an error means that a plugin's process ended.
func pluginDied(err error) bool {
	var exited *pluginhost.ExitedError
	return errors.As(err, &exited)
}

// explain shows an error of the kernels plugin at the lines of its block, where
// it has such.
func (s *session) explain(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && errors.Is(f, fault.InvalidConfig) && len(f.Diagnostics) > 0 {
		return s.app.show(s.run.Diagnose(s.run.Kernels.Ref(), f.Diagnostics))
	}
	return err
}

// loggerProcess is a logger plugin that runs.
type loggerProcess struct{ *pluginhost.Process }

// Logger is its service.
func (p loggerProcess) Logger() logger.Logger { return p.Process.Logger() }

// loggers starts the run's loggers.
func (s *session) loggers(ctx context.Context, dir *rundir.Dir, journal *metrics.Journal) (*metrics.Fanout, error) {
	resolved, hyperparameters, err := s.described()
	if err != nil {
		return nil, err
	}
	var sinks []metrics.Sink
	for i, l := range s.loggerPlugins {
		block, p := s.run.Loggers[i], l.Plugin
		sinks = append(sinks, metrics.Sink{
			Name: block.Name,
			Start: func(ctx context.Context) (metrics.Connection, error) {
				process, err := pluginhost.Start(ctx, p, s.app.pluginOptions(grants(block)))
				if err != nil {
					return nil, err
				}
				return loggerProcess{process}, nil
			},
			Died: pluginDied,
			Run: logger.Run{
				Name: filepath.Base(dir.Path), Directory: dir.Path, Attempt: journal.Attempt(), Start: time.Now(),
				Resolved: resolved, Hyperparameters: hyperparameters, Config: block.Values,
			},
		})
	}
	fanout, err := metrics.NewFanout(ctx, journal, s.app.log(), sinks)
	if err != nil {
		return nil, s.explainLogger(err)
	}
	return fanout, nil
}

// explainLogger shows what a logger finds wrong in its block at its line.
func (s *session) explainLogger(err error) error {
	var diags config.Diagnostics
	var f *fault.Error
	if errors.As(err, &f) {
		diags = f.Diagnostics
	}
	if len(diags) == 0 {
		return err
	}
	for i := range s.run.Loggers {
		if errors.Is(err, metrics.SinkError(s.run.Loggers[i].Name)) {
			return s.app.show(s.run.Diagnose(s.run.Loggers[i].Ref(), diags))
		}
	}
	return err
}

// writeResult writes what belongs beside saved weights.
func (s *session) writeResult(dir string) error {
	if s.adapter == "" {
		return nil
	}
	c, err := export.AdapterConfig(s.graph, s.run.Model.Source, s.bias)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, export.AdapterConfigFile), c, 0o644); err != nil {
		return err
	}
	return s.writeBase(dir)
}

// writeBase writes beside an adapter what it needs of its base that the base does
// not have by itself.
func (s *session) writeBase(dir string) error {
	fused := export.FusedByPEFT(s.graph)
	if s.run.RoPEScaling == nil && (s.run.Tokens == nil || len(s.run.Tokens.Add) == 0) && len(fused) == 0 {
		return nil
	}
	card := export.Card{Name: s.run.Name, Base: s.run.Model.Source, Scaling: s.scalingLine(), Fused: fused}
	var err error
	if s.run.RoPEScaling != nil {
		err = export.WriteConfiguration(filepath.Join(dir, "config.json"), s.model.Configuration, nil)
	}
	if t := s.run.Tokens; t != nil && len(t.Add) > 0 {
		card.Tokens = t.Add
		if s.model.Grown > 0 {
			card.Vocabulary = s.model.Graph.IDs()
		}
		err = errors.Join(err, writeText(s.model, s.text, dir))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, export.CardFile), card.Markdown(), 0o644))
}
