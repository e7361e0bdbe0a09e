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
		for _, p := range g.Params {
			if p.Source != nil {
				continue
			}
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

func adapted(t *testing.T, rank int) *graph.Graph { return begun(t, rank, adapt.InitLoRA) }

func begun(t *testing.T, rank int, init adapt.Init) *graph.Graph {
	t.Helper()
	b := graph.New("Test")
	x := b.Embed("embed.weight", 5, 4)
	x = b.Linear(x, "up", 6, graph.RoleMLPUp)
	b.Logits(b.Linear(x, "head", 5, graph.RoleHead))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = adapt.Apply(g, adapt.LoRA{Rank: rank, Alpha: 1, Targets: []string{"up"}, Init: init}); err != nil {
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

// TestStarts: an adapter with a start is saved as the plain one that comes to the same,
// and comes back as it was.
func TestStarts(t *testing.T) {
	g, dir := begun(t, 2, adapt.InitPiSSA), t.TempDir()
	want := newMemory(g, 1)
	if _, err := trained.Save(dir, g, want, &trained.State{Updates: 7}); err != nil {
		t.Fatal(err)
	}
	got := newMemory(g, 0)
	if _, err := trained.Restore(dir, g, got); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []trained.Kind{trained.First, trained.Second} { // which it has none of
		for _, m := range []memory{want, got} {
			for _, p := range g.Params {
				if !p.Trainable {
					delete(m[kind], p.ID)
				}
			}
		}
	}
	if !got.equal(want) {
		t.Error("other numbers came back")
	}

	plain := adapted(t, 4)
	whole := newMemory(plain, 0)
	if err := trained.Load(dir, plain, whole); err != nil {
		t.Fatal(err)
	}
	a := graph.AdapterOf(g.Nodes[1].Op)
	p := graph.AdapterOf(plain.Nodes[1].Op)
	values := want[trained.Value]
	if !slices.Equal(whole[trained.Value][p.A], slices.Concat(values[a.A], values[a.Start.A])) {
		t.Errorf("A is %v, what it began with %v, the plain one's %v", values[a.A], values[a.Start.A], whole[trained.Value][p.A])
	}
	for i, v := range whole[trained.Value][p.B] {
		row, column := i/4, i%4
		part, sign := values[a.B], float32(1)
		if column > 1 {
			part, sign = values[a.Start.B], -1
		}
		if expected := sign * part[row*2+column%2]; v != expected {
			t.Errorf("row %d, column %d of B is %v, want %v", row, column, v, expected)
		}
	}
	if err := trained.Load(dir, begun(t, 3, adapt.InitPiSSA), newMemory(begun(t, 3, adapt.InitPiSSA), 0)); !errors.Is(err, fault.BadWeights) || !strings.Contains(err.Error(), "the graph expects [6 4]") {
		t.Errorf("another rank: %v", err)
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
