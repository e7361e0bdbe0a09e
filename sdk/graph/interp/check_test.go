package interp

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/graphtest"
)

// A probe is a direction in the space of one parameter: the gradient along it is
// held to a difference of losses.
type probe struct {
	param     graph.ParamID
	direction []float64
	slope     float64 // by differences
}

func (p *probe) along(gradient []float64) float64 {
	sum := 0.0
	for i, g := range gradient {
		sum += p.direction[i] * g
	}
	return sum
}

// agree is how exactly a gradient has to be that of the differences. The second
// term is the differences' own error: losses are of order 10 and exact to some
// 1e-15, and are divided by twice the step.
func agree(a, b float64) bool {
	return math.Abs(a-b) <= 1e-6*(math.Abs(a)+math.Abs(b))+2e-7
}

// A subject is a case with what checks need: a run, and probes whose slopes are
// known.
type subject struct {
	c        *graphtest.Case
	run      *Run
	schedule *diff.Schedule
	probes   []probe
	kinks    int // probes that met one at the first step size
}

func newSubject(t testing.TB, c *graphtest.Case) *subject {
	t.Helper()
	run, err := New(c.Graph, c.Param, c.Batch, Options{Adapter: c.Adapter, Training: true, Seed: c.Seed, Step: c.Step})
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Graph.Text())
	}
	schedule, err := diff.Differentiate(c.Graph, diff.Options{Adapter: c.Adapter})
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Graph.Text())
	}
	run.norms = map[*graph.Linear][]float64{} // constants, to the gradient
	return &subject{c: c, run: run, schedule: schedule}
}

// gradients runs the schedule and gives every trainable parameter's gradient.
func (s *subject) gradients(schedule *diff.Schedule) (map[graph.ParamID][]float64, error) {
	_, found, err := s.run.Step(schedule)
	if err != nil {
		return nil, err
	}
	out := map[graph.ParamID][]float64{}
	for _, p := range s.c.Graph.Trainable() {
		out[p.ID] = found[p.ID]
		if found[p.ID] == nil {
			out[p.ID] = make([]float64, p.Elements())
		}
		delete(found, p.ID)
	}
	if len(found) > 0 {
		return nil, fmt.Errorf("gradients of parameters that are not trainable: %v", slices.Collect(maps.Keys(found)))
	}
	return out, nil
}

// measure draws probes, a random direction and a few single elements for each
// trainable parameter, and takes their slopes by central differences. A kink or a
// jump near the point makes a difference wrong, but not one with a smaller step; a
// wrong gradient disagrees with all.
func (s *subject) measure(rng *rand.Rand, singles int) (wrong []string, err error) {
	gradients, err := s.gradients(s.schedule)
	if err != nil {
		return nil, err
	}
	if _, err := s.run.Forward(); err != nil {
		return nil, err
	}
	// Parameters that are first used late come first: what stands before a
	// parameter's first use is then as the last Forward left it.
	params := s.c.Graph.Trainable()
	slices.SortStableFunc(params, func(a, b *graph.Param) int { return s.firstUse(b.ID) - s.firstUse(a.ID) })
	for _, p := range params {
		for _, pr := range probesOf(rng, p, singles) {
			want := pr.along(gradients[p.ID])
			for i, h := range []float64{2e-5, 2e-6, 2e-7} {
				if pr.slope, err = s.slope(&pr, h); err != nil {
					return nil, err
				}
				if agree(pr.slope, want) {
					break
				}
				if i == 0 {
					s.kinks++
				}
			}
			if !agree(pr.slope, want) {
				wrong = append(wrong, fmt.Sprintf("%s %v: gradient %.10g along a direction, differences give %.10g", p.Name, p.Shape, want, pr.slope))
			}
			s.probes = append(s.probes, pr)
		}
	}
	return wrong, nil
}

func (s *subject) firstUse(id graph.ParamID) int {
	return slices.IndexFunc(s.c.Graph.Nodes, func(n *graph.Node) bool { return slices.Contains(graph.ParamsOf(n.Op), id) })
}

func probesOf(rng *rand.Rand, p *graph.Param, singles int) []probe {
	n := p.Elements()
	all := probe{param: p.ID, direction: make([]float64, n)}
	for i := range all.direction {
		all.direction[i] = rng.NormFloat64() / math.Sqrt(float64(n))
	}
	out := []probe{all}
	for range singles {
		one := probe{param: p.ID, direction: make([]float64, n)}
		one.direction[rng.IntN(n)] = 1
		out = append(out, one)
	}
	return out
}

// slope is the central difference of the loss with step h.
func (s *subject) slope(p *probe, h float64) (float64, error) {
	values := s.c.Values[p.param]
	saved := slices.Clone(values)
	defer copy(values, saved)
	var loss [2]float64
	for side, sign := range []float64{1, -1} {
		for i := range values {
			values[i] = saved[i] + sign*h*p.direction[i]
		}
		if err := s.run.forwardFrom(s.firstUse(p.param)); err != nil {
			return 0, err
		}
		loss[side] = s.run.loss + s.run.Balance()
	}
	return (loss[0] - loss[1]) / (2 * h), nil
}

// caught reports whether the probes tell that gradients are wrong.
func (s *subject) caught(gradients map[graph.ParamID][]float64) bool {
	return slices.ContainsFunc(s.probes, func(p probe) bool { return !agree(p.along(gradients[p.param]), p.slope) })
}

func (s *subject) String() string {
	return s.c.Graph.Text() + fmt.Sprintf("adapter %q, documents %v", s.c.Adapter, s.c.Batch.DocEnd)
}

// table is counts by name, in columns.
func table(counts map[string]int, order []string) string {
	var b strings.Builder
	for i, name := range order {
		fmt.Fprintf(&b, "%-44s %5d   ", name, counts[name])
		if i%3 == 2 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
