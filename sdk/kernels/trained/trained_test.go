package trained_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/trained"
)

// memory is a Store in maps.
type memory map[trained.Kind]map[graph.ParamID][]float32

func newMemory(g *graph.Graph, first float32) memory {
	m := memory{}
	for kind := trained.Value; kind <= trained.Second; kind++ {
		m[kind] = map[graph.ParamID][]float32{}
		for _, p := range g.Trainable() {
			x := make([]float32, p.Elements())
			for i := range x {
				x[i] = first * float32(1+int(kind)*1000+int(p.ID)*100+i)
			}
			m[kind][p.ID] = x
		}
	}
	return m
}

func (m memory) Read(p *graph.Param, kind trained.Kind, at int, dst []float32) error {
	copy(dst, m[kind][p.ID][at:])
	return nil
}

func (m memory) Write(p *graph.Param, kind trained.Kind, at int, src []float32) error {
	copy(m[kind][p.ID][at:], src)
	return nil
}

func (m memory) equal(o memory) bool {
	for kind, params := range m {
		for id, x := range params {
			if !slices.Equal(x, o[kind][id]) {
				return false
			}
		}
	}
	return true
}

func adapted(t *testing.T, rank int) *graph.Graph {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed.weight", 5, 4)
	x = b.Linear(x, "up", 6, graph.RoleMLPUp)
	b.Logits(b.Linear(x, "head", 5, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: rank, Alpha: 1, Targets: []string{"up"}}); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRoundTrip(t *testing.T) {
	g, dir := adapted(t, 2), t.TempDir()
	want := newMemory(g, 1)
	files, err := trained.Save(dir, g, want, &trained.State{Updates: 7, Seed: 9, Backend: []byte(`{"scale":4}`)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(files, []string{kernels.AdapterFile, "state.safetensors", "state.json"}) {
		t.Errorf("files %q", files)
	}
	got := newMemory(g, 0)
	s, err := trained.Restore(dir, g, got)
	if err != nil {
		t.Fatal(err)
	}
	if !got.equal(want) {
		t.Error("other numbers came back")
	}
	if s.Updates != 7 || s.Seed != 9 || string(s.Backend) != `{"scale":4}` {
		t.Errorf("state %+v", s)
	}
}

func TestWeightsAlone(t *testing.T) {
	g, dir := adapted(t, 2), t.TempDir()
	files, err := trained.Save(dir, g, newMemory(g, 1), nil)
	if err != nil || !slices.Equal(files, []string{kernels.AdapterFile}) {
		t.Fatalf("files %q, %v", files, err)
	}
	got := newMemory(g, 0)
	if err := trained.Load(dir, g, got); err != nil {
		t.Fatal(err)
	}
	if a := g.Trainable()[0]; got[trained.Value][a.ID][1] == 0 || got[trained.First][a.ID][1] != 0 {
		t.Error("Load read no parameter, or a moment")
	}
}

func TestBadFolders(t *testing.T) {
	g := adapted(t, 2)
	saved := func(t *testing.T, from *graph.Graph) string {
		dir := t.TempDir()
		if _, err := trained.Save(dir, from, newMemory(from, 1), &trained.State{}); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	replace := func(t *testing.T, dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		dir  func(t *testing.T) string
		code fault.Code
		want string
	}{
		"nothing there": {func(t *testing.T) string { return t.TempDir() }, fault.BadWeights, kernels.AdapterFile},
		"another rank":  {func(t *testing.T) string { return saved(t, adapted(t, 3)) }, fault.BadWeights, "the graph expects [2 4]"},
		"another format": {func(t *testing.T) string {
			dir := saved(t, g)
			replace(t, dir, "state.json", `{"format":2}`)
			return dir
		}, fault.Storage, "format 2"},
		"no JSON": {func(t *testing.T) string {
			dir := saved(t, g)
			replace(t, dir, "state.json", `{`)
			return dir
		}, fault.Storage, "state.json"},
		"moments cut short": {func(t *testing.T) string {
			dir := saved(t, g)
			replace(t, dir, "state.safetensors", "xy")
			return dir
		}, fault.Storage, "state.safetensors"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := trained.Restore(test.dir(t), g, newMemory(g, 0))
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s with %q", err, test.code, test.want)
			}
		})
	}
}
