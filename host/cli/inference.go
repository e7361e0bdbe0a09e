package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
)

// inferenceFlags are the flags of commands that let a model write.
type inferenceFlags struct {
	kernels     string
	checkpoint  int64
	plain       bool
	maxTokens   int
	temperature float64
	topK        int
	topP        float64
	seed        uint64
	maxLength   int
}

// check refuses values that mean nothing, before anything is started.
func (f inferenceFlags) check(target string) error {
	switch {
	case f.maxTokens < 1:
		return usageError{fmt.Errorf("-max-tokens %d: an answer has at least one token", f.maxTokens)}
	case !(f.temperature >= 0) || math.IsInf(f.temperature, 0):
		return usageError{fmt.Errorf("-temperature %v: want 0 or more", f.temperature)}
	case f.topK < 0:
		return usageError{fmt.Errorf("-top-k %d: want 0 or more", f.topK)}
	case !(f.topP >= 0 && f.topP <= 1):
		return usageError{fmt.Errorf("-top-p %v: want a share, from 0 to 1", f.topP)}
	case f.maxLength < 0:
		return usageError{fmt.Errorf("-max-length %d: want 0 or more", f.maxLength)}
	case f.checkpoint < 0:
		return usageError{fmt.Errorf("-step %d: steps are counted from 1", f.checkpoint)}
	case (f.checkpoint > 0 || f.plain) && !isRun(target):
		return usageError{fmt.Errorf("-step and -plain are of runs, and %s is none", target)}
	}
	return nil
}

// An inference is a model that answers: a model by itself, or what a run made
// of one.
type inference struct {
	app     *app
	model   *basemodel.Model
	text    *basemodel.Text
	encoder *data.Encoder
	process *kernelsProcess
	adapter string
	flags   inferenceFlags
	length  int // the most tokens of prompt and answer together
}

// isRun reports whether target is the folder of a run.
func isRun(target string) bool {
	_, err := os.Stat(filepath.Join(target, rundir.RunFile))
	return err == nil
}

// trained is what a run left: the base model's Graph with what was trained
// marked, and the folder with the values.
type trained struct {
	run     *runfile.Run
	folder  string
	adapter string
	bias    adapt.Bias
}

// findTrained finds the result of a run, or a checkpoint: that of a step, or the
// last where there is no result. From then on the run's plugins are what is started.
func (a *app) findTrained(dir string, step int64) (*trained, error) {
	r, err := readRecord(dir)
	if err != nil {
		return nil, err
	}
	if err := a.pinRecord(r); err != nil {
		return nil, err
	}
	t := &trained{run: r.Run}
	if step > 0 {
		t.folder = filepath.Join(dir, rundir.CheckpointsName, fmt.Sprintf("step-%d", step))
	}
	for _, name := range []string{rundir.AdapterName, rundir.ModelName} {
		if path := filepath.Join(dir, name); t.folder == "" && exists(path) {
			t.folder = path
		}
	}
	if t.folder == "" {
		all, err := rundir.Checkpoints(dir)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fault.New(fault.BadInput, "%s has no result and no checkpoint yet", dir)
		}
		t.folder = all[len(all)-1].Path
	}
	if !exists(t.folder) {
		return nil, fault.New(fault.BadInput, "%s does not exist", t.folder)
	}
	return t, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// mark is the model's Graph with what the run trained marked as trainable.
func (t *trained) mark(m *basemodel.Model) (*graph.Graph, error) {
	g := m.Graph
	if t.run.Adapter.Kind == runfile.AdapterFull {
		return adapt.Full(g), nil
	}
	lora, err := export.ReadAdapterConfig(t.folder)
	if err != nil {
		return nil, err
	}
	t.adapter, t.bias = adapt.DefaultName, lora.Bias
	if g, err = adapt.Apply(g, lora); err != nil {
		return nil, err
	}
	return trainTokens(g, m, t.run.Tokens)
}

// infer opens a model or a run for writing.
func (a *app) infer(ctx context.Context, target string, flags inferenceFlags) (*inference, error) {
	if err := flags.check(target); err != nil {
		return nil, err
	}
	i := &inference{app: a, flags: flags}
	var t *trained
	model := basemodel.Request{Source: target, MaxLength: flags.maxLength}
	load := kernels.LoadRequest{}
	weightType, block, own := "auto", runfile.PluginBlock{Kind: runfile.KindKernels, Name: flags.kernels}, false
	if isRun(target) {
		var err error
		if t, err = a.findTrained(target, flags.checkpoint); err != nil {
			return nil, err
		}
		// Positions that are scaled by length are those of the training.
		model, weightType = modelOf(t.run, cmp.Or(flags.maxLength, t.run.Train.MaxLength)), t.run.Model.DType
		if block.Name == "" && !t.run.KernelsChosen {
			block.Name, block.Values = t.run.Kernels.Name, t.run.Kernels.Values
		}
	}
	if block.Name == "" {
		c, err := a.chooseKernels(false)
		if err != nil {
			return nil, err
		}
		block.Name, own = c.name, c.own
	}
	k, err := a.selectKernels(ctx, &block, own)
	if err != nil {
		return nil, err
	}
	if i.model, err = a.openModel(ctx, model); err != nil {
		return nil, err
	}
	g := i.model.Graph
	if t != nil && !flags.plain {
		if g, err = t.mark(i.model); err != nil {
			return nil, errors.Join(err, i.model.Close())
		}
		load.Adapter, i.adapter = t.folder, t.adapter
	}
	load.Checkpoint = i.model.Files
	if err := i.start(ctx, k, g, weightType, load); err != nil {
		return nil, errors.Join(err, i.close(ctx))
	}
	return i, nil
}

// defaultLength is the most tokens of prompt and answer together where nobody says
// and the model has room for as many.
const defaultLength = 4096

func (i *inference) start(
	ctx context.Context, k *selected, g *graph.Graph, weightType string, load kernels.LoadRequest,
) error {
	var err error
	if i.text, err = i.model.Text(); err != nil {
		return err
	}
	if i.encoder, err = newEncoder(i.model, i.text, time.Now); err != nil {
		return err
	}
	if i.process, err = k.start(ctx); err != nil {
		return err
	}
	if i.length = i.flags.maxLength; i.length == 0 {
		i.length = defaultLength
		if limit := i.model.Context(); limit > 0 {
			i.length = min(limit, defaultLength)
		}
	}
	req := kernels.BindRequest{
		Graph: g,
		Settings: kernels.Settings{
			Adapter: i.adapter, Precision: "fp32", WeightType: weightType, StoredType: i.model.StoredType,
			MaxLength: min(i.length, 512),
		},
		Phases: kernels.Phases{GenerateSequences: 1, GenerateLength: i.length},
	}
	display := i.app.display(false)
	defer display.Close()
	chosen := k.note
	if _, err := i.process.Backend().Bind(ctx, &req); err != nil {
		return err
	}
	if k.note != chosen { // Bind took another
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.Info, Message: k.note})
	}
	return i.process.Backend().Load(ctx, &load, func(done, total int64) {
		display.Emit(ui.Event{Kind: ui.Progress, Message: "loading weights", Done: done, Total: total})
	})
}

func (i *inference) close(ctx context.Context) error {
	var err error
	if i.process != nil {
		err = i.process.Close(context.WithoutCancel(ctx))
	}
	return errors.Join(err, i.model.Close())
}

// write continues a prompt and gives the text to show, piece by piece. The answer
// ends where there is no room for more.
func (i *inference) write(ctx context.Context, prompt []int32, show func(string)) (string, error) {
	room := i.length - len(prompt)
	if room < 1 {
		return "", fault.New(fault.BadInput, "the prompt has %d tokens, and there is room for %d of prompt and answer together", len(prompt), i.length).
			WithHint("-max-length sets it, up to what the model can do")
	}
	stream := i.text.Tokenizer.NewStream(true)
	answer := ""
	take := func(text string, err error) error {
		answer += text
		show(text)
		return err
	}
	req := kernels.GenerateRequest{
		Adapter: i.adapter, Prompts: [][]int32{prompt}, MaxTokens: min(i.flags.maxTokens, room), Temperature: i.flags.temperature,
		TopK: i.flags.topK, TopP: i.flags.topP, Seed: i.flags.seed, Stop: i.text.Stop,
	}
	err := i.process.Backend().Generate(ctx, &req, func(t kernels.Token) error {
		if t.Finish == kernels.FinishStop {
			return nil
		}
		return take(stream.Push(t.ID))
	})
	if err != nil {
		return answer, err
	}
	return answer, take(stream.Flush())
}
