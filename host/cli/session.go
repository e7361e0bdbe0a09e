package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/host/hub"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/rope"
)

// A session is what a run file leads to, up to the point where weights are read:
// the model's Graph with what is trained marked, and the kernels plugin that has
// all that it needs.
type session struct {
	app   *app
	run   *runfile.Run
	model *basemodel.Model
	text  *basemodel.Text

	graph   *graph.Graph
	adapter string // the adapter's name; "" for full-parameter training
	bias    adapt.Bias

	kernels       *selected
	modelPlugin   pluginhost.ModelPlugin
	loggerPlugins []pluginhost.LoggerPlugin // one for each of the run's loggers

	encoder     *data.Encoder
	train, eval *data.Dataset
	report      *data.Report
	evalReport  *data.Report
}

// models lets basemodel ask for model plugins.
type models struct{ app *app }

// Model starts the plugin that answers for an architecture.
func (m models) Model(ctx context.Context, architecture string, gguf bool) (model.Model, func(), error) {
	find := func() (pluginhost.ModelPlugin, error) { return m.app.plugins().ModelFor(ctx, architecture) }
	if gguf {
		find = func() (pluginhost.ModelPlugin, error) { return m.app.plugins().ModelForGGUF(ctx, architecture) }
	}
	found, err := find()
	var missing *pluginhost.NoModelError
	switch {
	case errors.As(err, &missing):
		return nil, nil, fault.New(fault.Unsupported, "%w", err).
			WithHint("a plugin for it is installed by hone plugins install SOURCE, or required in the run file and installed by hone init")
	case err != nil:
		return nil, nil, err
	}
	m.app.answered = found
	process, err := pluginhost.Start(ctx, found.Plugin, m.app.pluginOptions(nil))
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		if err := process.Close(context.WithoutCancel(ctx)); err != nil {
			m.app.log().Warn("closing a plugin", "error", err)
		}
	}
	return process.Model(), release, nil
}

// pluginOptions are how plugins are started; env is what the run file grants.
func (a *app) pluginOptions(env []string) pluginhost.Options {
	return pluginhost.Options{Env: env, Logger: a.log(), LogLevel: a.log().GetLevel()}
}

// openModel opens a model; of the request, the cache is filled in.
func (a *app) openModel(ctx context.Context, req basemodel.Request) (*basemodel.Model, error) {
	req.Cache = hub.Environment(os.Getenv)
	return basemodel.Open(ctx, req, models{a})
}

// modelOf is the model of a run, stretched as the run has it, for documents of up to
// maxLength tokens.
func modelOf(run *runfile.Run, maxLength int) basemodel.Request {
	req := basemodel.Request{Source: run.Model.Source, Revision: run.Model.Revision, MaxLength: maxLength}
	if t := run.Tokens; t != nil {
		req.Tokens = &basemodel.Tokens{Add: t.Add, Special: t.Special}
	}
	if s := run.RoPEScaling; s != nil {
		req.Scaling = &rope.Scaling{
			Kind: s.Kind, Factor: s.Factor, Original: s.OriginalLength,
			AttentionFactor: s.AttentionFactor, BetaFast: s.BetaFast, BetaSlow: s.BetaSlow,
		}
	}
	return req
}

// open opens the model of a run and marks what is trained.
func (a *app) open(ctx context.Context, run *runfile.Run) (*session, error) {
	s := &session{app: a, run: run}
	var err error
	if s.kernels, err = a.selectKernels(ctx, &run.Kernels, run.KernelsChosen); err != nil {
		return nil, err
	}
	for _, block := range run.Loggers {
		p, d, err := a.plugins().Logger(ctx, block.Name)
		if err != nil {
			return nil, err
		}
		s.loggerPlugins = append(s.loggerPlugins, pluginhost.LoggerPlugin{Plugin: p, Description: d})
	}
	if err := s.openModel(ctx); err != nil {
		return nil, err
	}
	s.modelPlugin = a.answered
	if err := s.prepare(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openModel opens the model for the run's max_length. A default that the model is
// too short for is lowered, and the model built anew, since RoPE scaling may depend
// on it.
func (s *session) openModel(ctx context.Context) error {
	for {
		length := s.run.Train.MaxLength
		var err error
		if s.model, err = s.app.openModel(ctx, modelOf(s.run, length)); err != nil {
			return s.explainScaling(err)
		}
		limit := s.model.Context()
		if limit == 0 {
			return nil
		}
		if err := s.app.show(s.run.CheckLength(limit, "the model "+s.model.Architecture)); err != nil {
			s.close()
			return err
		}
		if s.run.Train.MaxLength == length {
			return nil
		}
		s.close()
	}
}

// explainScaling shows why the model cannot be stretched at the block that asks for
// it.
func (s *session) explainScaling(err error) error {
	var scaling *basemodel.ScalingError
	if !errors.As(err, &scaling) {
		return err
	}
	ref := runfile.Ref{Block: "rope_scaling", Label: s.run.RoPEScaling.Kind}
	return s.app.show(s.run.Diagnose(ref, config.Diagnostics{{Summary: "the model cannot be scaled so", Detail: scaling.Error()}}))
}

func (s *session) close() {
	if err := s.model.Close(); err != nil {
		s.app.log().Warn("closing the model", "error", err)
	}
}

func (s *session) prepare(ctx context.Context) error {
	var err error
	if s.text, err = s.model.Text(); err != nil {
		return fmt.Errorf("model %s: %w", s.run.Model.Source, err)
	}
	if err := s.adapt(); err != nil {
		return err
	}
	if err := s.balance(); err != nil {
		return err
	}
	return s.able(ctx)
}

// able holds the Graph and the run to what the kernels plugin can do; one that hone
// chose itself gives way to the CPU's.
func (s *session) able(ctx context.Context) error {
	err := s.capable()
	if !s.kernels.replaceable(err) {
		return err
	}
	if err := s.kernels.replace(ctx, err); err != nil {
		return err
	}
	return s.capable()
}

// adapt marks what the run trains.
func (s *session) adapt() error {
	c := s.run.Adapter
	if c.Kind == runfile.AdapterFull {
		s.graph = adapt.Full(s.model.Graph)
		return nil
	}
	lora, err := s.lora()
	if err != nil {
		return err
	}
	if s.graph, err = adapt.Apply(s.model.Graph, lora); err != nil {
		return err
	}
	if s.graph, err = trainTokens(s.graph, s.model, s.run.Tokens); err != nil {
		return err
	}
	s.adapter, s.bias = adapt.DefaultName, lora.Bias
	return nil
}

// balance adds the balancing losses of experts that the run asks for.
func (s *session) balance() error {
	c := s.run.Train.ExpertBalance
	if c == 0 {
		return nil
	}
	g, err := adapt.Balance(s.graph, c)
	if errors.Is(err, adapt.ErrNoExperts) {
		return s.app.show(s.run.Diagnose(runfile.Ref{Block: "train"}, config.Diagnostics{{
			Path:    []string{"expert_balance"},
			Summary: fmt.Sprintf("expert_balance is %g, and the model %s has no mixtures of experts", c, s.model.Architecture),
			Detail:  "Leave expert_balance out.",
		}}))
	}
	if err != nil {
		return err
	}
	s.graph = g
	return nil
}

// lora is the adapter that the run trains.
func (s *session) lora() (adapt.LoRA, error) {
	c := s.run.Adapter
	if c.From != "" {
		l, err := export.ReadAdapterConfig(c.From)
		// What the adapter is comes from where it starts; how it is trained, from
		// the run file.
		l.Dropout = c.Dropout
		if err == nil && l.Tokens && s.run.Tokens == nil {
			return l, fault.New(fault.Unsupported, "the adapter in %s has rows of tokens (trainable_token_indices), and the run names none", c.From).
				WithHint("name the same tokens in a tokens block")
		}
		return l, err
	}
	return adapt.LoRA{
		Rank: c.Rank, Alpha: c.Alpha, RSLoRA: c.RSLoRA, Dropout: c.Dropout, Targets: c.Targets, Exclude: c.Exclude, Layers: c.Layers,
		Modules: c.AlsoTrain, Bias: adapt.Bias(c.Bias), LoRABias: c.LoRABias, DoRA: c.DoRA, Init: adapt.Init(c.Init),
	}.Except(s.model.Graph, c.Ranks, c.Alphas)
}

// trainTokens marks the rows of a run's tokens as trained; t may be nil.
func trainTokens(g *graph.Graph, m *basemodel.Model, t *runfile.TokensConfig) (*graph.Graph, error) {
	if t == nil {
		return g, nil
	}
	text, err := m.Text()
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, token := range slices.Concat(t.Add, t.Train) {
		id, ok := text.Tokenizer.TokenID(token)
		if !ok {
			return nil, fault.New(fault.BadInput, "tokens.train: %q is no token of the model", token).
				WithHint("tokens.add adds tokens that the model does not have")
		}
		ids = append(ids, int(id))
	}
	if g, err = adapt.TrainTokens(g, adapt.DefaultName, ids, m.Known); err != nil {
		return nil, fault.New(fault.Unsupported, "%s: %w", m.Architecture, err)
	}
	return g, nil
}

// capable compares what the Graph and the run need with what the kernels plugin
// says it can do.
func (s *session) capable() error {
	d, lacks := s.kernels.description, []string(nil)
	lack := func(have []string, want, format string) {
		if want != "" && !slices.Contains(have, want) {
			lacks = append(lacks, fmt.Sprintf(format, want))
		}
	}
	for _, op := range s.graph.Ops() {
		lack(d.Ops, op, "the operation %s, which "+s.model.Architecture+" uses")
	}
	lack(d.Objectives, kernels.CrossEntropy, "the objective %s")
	if s.adapter == "" {
		lack(d.Adapters, "full", "training of all parameters (adapter %q)")
	} else {
		lack(d.Adapters, "lora", "the adapter %q")
		if s.run.Tokens != nil {
			lack(d.Adapters, kernels.TokenRows, "%s: trained rows of tokens (tokens)")
		}
	}
	if s.run.Adapter.LoRABias {
		lack(d.Adapters, "lora_bias", "%s")
	}
	if s.run.Adapter.DoRA {
		lack(d.Adapters, "dora", "the adapter %q (adapter.dora)")
	}
	if s.run.Adapter.Init == string(adapt.InitPiSSA) {
		lack(d.Adapters, "pissa", "the adapter %q (adapter.init)")
	}
	if s.graph.Balanced() {
		lack(d.Capabilities, kernels.ExpertBalance, "%s: balancing losses of experts (train.expert_balance)")
	}
	if len(s.run.Adapter.AlsoTrain) > 0 {
		lack(d.Adapters, "full", "training of parameters of the model (adapter.also_train, %q)")
	}
	lack(d.WeightTypes, s.run.Model.DType, "weights held as %s (model.dtype)")
	if q := s.run.Model.Quantize; q != "" && q != "none" {
		lack(d.Quantizations, q, "the quantisation %s (model.quantize)")
	}
	if len(lacks) == 0 {
		return nil
	}
	err := fault.New(fault.Unsupported, "%s lacks %s", s.kernels.plugin, strings.Join(lacks, "; "))
	leave, block := "", "adapter"
	switch {
	case s.run.Adapter.DoRA && !slices.Contains(d.Adapters, "dora"):
		leave = "dora"
	case s.run.Adapter.Init == string(adapt.InitPiSSA) && !slices.Contains(d.Adapters, "pissa"):
		leave = "init"
	case s.graph.Balanced() && !slices.Contains(d.Capabilities, kernels.ExpertBalance):
		leave, block = "expert_balance", "train"
	}
	if leave != "" {
		return err.WithHint("leave %s out of the %s block, or choose another plugin with a block such as kernels %q {}", leave, block, cpuKernels)
	}
	return err
}

// load reads and tokenises the run's data.
func (s *session) load(ctx context.Context) error {
	if err := s.encode(); err != nil {
		return err
	}
	var err error
	s.train, s.report, err = s.dataset(ctx, s.run.Data.Train)
	if err != nil {
		return err
	}
	switch {
	case len(s.run.Data.Eval) > 0:
		s.eval, s.evalReport, err = s.dataset(ctx, s.run.Data.Eval)
	case s.run.Data.EvalFraction > 0:
		s.train, s.eval, err = s.train.Split(s.run.Data.EvalFraction, s.run.Seed)
	}
	return err
}

// dataset reads the files of data blocks.
func (s *session) dataset(ctx context.Context, blocks []runfile.DataConfig) (*data.Dataset, *data.Report, error) {
	spec := data.Spec{MaxLength: s.run.Train.MaxLength}
	for _, b := range blocks {
		files, err := data.Files(b.Source)
		if err != nil {
			return nil, nil, err
		}
		source := data.Source{
			Files: files, Loss: data.Loss(b.Loss), AppendEOS: data.AppendAuto, Overlong: data.Overlong(b.Overlong),
			OnError: data.OnError(b.OnError),
		}
		if !b.AppendEOS {
			source.AppendEOS = data.AppendNever
		}
		if b.ChatTemplate != "" {
			if source.Template, err = s.template(b.ChatTemplate); err != nil {
				return nil, nil, fmt.Errorf("data.chat_template: %w", err)
			}
		}
		spec.Sources = append(spec.Sources, source)
	}
	return data.Load(ctx, spec, s.encoder)
}
