package model_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/internal/filled"
	"github.com/honeml/hone/sdk/internal/loopback"
	"github.com/honeml/hone/sdk/model"
)

// recorder is a model that keeps what it is asked and answers what it is told.
type recorder struct {
	description *model.Description
	graph       *graph.Graph
	from        *model.FromGGUFResponse
	to          *model.ToGGUFResponse
	asked       any
	err         error
}

func (r *recorder) Describe(context.Context) (*model.Description, error) { return r.description, r.err }

func (r *recorder) Build(_ context.Context, req *model.BuildRequest) (*graph.Graph, error) {
	r.asked = req
	return r.graph, r.err
}

func (r *recorder) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r.asked = req
	return r.from, r.err
}

func (r *recorder) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	r.asked = req
	return r.to, r.err
}

func dial(t *testing.T, r *recorder) model.Model {
	t.Helper()
	service, stop, err := loopback.Dial(t.Context(), model.NewPlugin(r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return service.(model.Model)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got  %+v\nwant %+v", what, got, want)
	}
}

// TestEveryFieldTravels fills each request and answer and holds what arrives to it.
func TestEveryFieldTravels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := &recorder{}
	c := dial(t, r)

	d := filled.New[model.Description](rng)
	r.description = &d
	gotDescription, err := c.Describe(t.Context())
	equal(t, "Describe", []any{gotDescription, err}, []any{&d, nil})

	b := graph.New("SmallForCausalLM")
	b.Note("rope", "default")
	b.MaxLength(12)
	b.Logits(b.Linear(b.Embed("embed", 6, 4), "lm_head", 6, graph.RoleHead))
	if r.graph, err = b.Graph(); err != nil {
		t.Fatal(err)
	}
	build := filled.New[model.BuildRequest](rng)
	g, err := c.Build(t.Context(), &build)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the request", r.asked, &build)
	equal(t, "the graph", []any{g.Text(), g.Notes, g.MaxLength}, []any{r.graph.Text(), r.graph.Notes, 12})

	from, answer := filled.New[model.FromGGUFRequest](rng), filled.New[model.FromGGUFResponse](rng)
	from.Metadata = map[string]any{
		"a": "text", "b": true, "c": int64(-1), "d": uint64(1 << 63), "e": 0.5, "f": []string{"x"}, "g": []int64{1}, "h": []float64{2},
		"i": []bool{true},
	}
	r.from = &answer
	gotFrom, err := c.FromGGUF(t.Context(), &from)
	equal(t, "FromGGUF", []any{r.asked, gotFrom, err}, []any{&from, &answer, nil})

	to, written := filled.New[model.ToGGUFRequest](rng), filled.New[model.ToGGUFResponse](rng)
	written.Metadata = map[string]any{
		"a": "text", "b": true, "c": int32(-1), "d": uint32(7), "e": float32(0.1), "f": []string{"x"}, "g": []uint32{1}, "h": []float32{0.1},
	}
	r.to = &written
	gotTo, err := c.ToGGUF(t.Context(), &to)
	equal(t, "ToGGUF", []any{r.asked, gotTo, err}, []any{&to, &written, nil})
}

func TestErrorsTravel(t *testing.T) {
	r := &recorder{err: fault.New(fault.InvalidModel, "no rank")}
	c := dial(t, r)
	calls := map[string]func() error{
		"Describe": func() error { _, err := c.Describe(t.Context()); return err },
		"Build":    func() error { _, err := c.Build(t.Context(), &model.BuildRequest{}); return err },
		"FromGGUF": func() error { _, err := c.FromGGUF(t.Context(), &model.FromGGUFRequest{}); return err },
		"ToGGUF":   func() error { _, err := c.ToGGUF(t.Context(), &model.ToGGUFRequest{}); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, fault.InvalidModel) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestInvalidGraphIsRefused: a Graph is checked when it arrives.
func TestInvalidGraphIsRefused(t *testing.T) {
	c := dial(t, &recorder{graph: &graph.Graph{Architecture: "X", Logits: 3}})
	if g, err := c.Build(t.Context(), &model.BuildRequest{}); err == nil {
		t.Errorf("got %v", g)
	}
}
