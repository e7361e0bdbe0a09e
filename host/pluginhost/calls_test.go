package pluginhost

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

func TestErrorsOfAPlugin(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	_, err := open(testContext(t), proc, "fault", "")
	if !errors.Is(err, fault.Storage) || fault.HintOf(err) != "delete something" || err.Error() != "opening: no room" {
		t.Errorf("got %v, hint %q", err, fault.HintOf(err))
	}
	_, err = open(testContext(t), proc, "diagnose", "")
	var f *fault.Error
	want := config.Diagnostics{{Path: []string{"do"}, Summary: `"diagnose" is not done here`}}
	if !errors.As(err, &f) || f.Code != fault.InvalidConfig || !reflect.DeepEqual(f.Diagnostics, want) {
		t.Errorf("got %v", err)
	}
	backend := mustStart(t, bad(t, "bad-kernels"), Options{}).Kernels()
	_, err = backend.Bind(testContext(t), &kernels.BindRequest{Graph: tinyGraph(t)})
	if !errors.As(err, &f) || f.Code != fault.LimitTooSmall || f.NeedBytes != 12345 {
		t.Errorf("got %v", err)
	}
}

// tinyGraph is an embedding and a head.
func tinyGraph(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("TinyForCausalLM")
	b.MaxLength(8)
	b.Logits(b.Linear(b.Embed("embed", 4, 2), "lm_head", 4, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestErrorsOfTheHostItself(t *testing.T) {
	backend := mustStart(t, bad(t, "bad-kernels"), Options{}).Kernels()
	mine := errors.New("the host's own")
	err := backend.Train(testContext(t), func() (*kernels.Step, error) { return nil, mine }, nil)
	if !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	err = backend.Generate(testContext(t), &kernels.GenerateRequest{}, func(kernels.Token) error { return mine })
	if !errors.Is(err, mine) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	err = backend.Generate(ctx, &kernels.GenerateRequest{}, func(kernels.Token) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoiseInACall(t *testing.T) {
	var log logBuffer
	proc := mustStart(t, bad(t, "logger-good"), Options{Logger: log.logger()})
	opened, err := open(testContext(t), proc, "noise", "")
	if err != nil || opened.Notes[0] != "307200" {
		t.Fatalf("got %v, %v", opened, err)
	}
	if err := proc.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "xxxx") || len(got) > 1<<20 {
		t.Errorf("a log of %d bytes", len(got))
	}
}

func TestLargeMessages(t *testing.T) {
	backend := mustStart(t, bad(t, "bad-kernels"), Options{}).Kernels()
	echo := func(n int) (int, error) {
		got := 0
		err := backend.Score(testContext(t), &kernels.ScoreRequest{Batches: []*graph.Batch{{Weight: make([]float32, n)}}},
			func(p []float32) error { got += len(p); return nil })
		return got, err
	}
	n := plugin.MaxMessageBytes/4 - 64
	if got, err := echo(n); err != nil || got != n {
		t.Errorf("got %d of %d numbers, %v", got, n, err)
	}
	_, err := echo(n + 128)
	if !errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), "67108864") {
		t.Errorf("got %v", err)
	}
	if got, err := echo(1); err != nil || got != 1 {
		t.Errorf("afterwards: got %d, %v", got, err)
	}
}

func TestWrongKind(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-kernels"), Options{})
	_, err := proc.Logger().Describe(testContext(t))
	if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "does not answer /hone.v1.Logger/Describe") {
		t.Errorf("got %v", err)
	}
}

func TestInvalidGraphIsRefused(t *testing.T) {
	proc := mustStart(t, bad(t, "model-bad"), Options{})
	if g, err := proc.Model().Build(testContext(t), &model.BuildRequest{}); err == nil {
		t.Errorf("got %v", g)
	}
}
