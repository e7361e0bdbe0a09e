package graphtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/honeml/hone/sdk/graph"
)

// A drawer grows a Graph: it draws an operation, gives it values that are there,
// whatever made them, and puts a linear between only where no width fits.
type drawer struct {
	rng    *rand.Rand
	o      Options
	b      *graph.Builder
	values []value
	size   map[graph.ValueID]float64 // about how large a value's elements are
	used   map[graph.ValueID]bool
	count  int // names given
	scope  string

	embeds  []table
	linears []linear
	norms   []norm
	vectors []vector // parameters of maps
	keys    []keys
	stacks  []stack

	routing *routing // of the mixture under way; nil: none
}

// A value that operations can take.
type value struct {
	id    graph.ValueID
	width int
}

type table struct {
	name  string
	param graph.ParamID
	width int
}

type linear struct {
	scope   string
	module  string
	in, out int
	bias    bool
	param   graph.ParamID
}

type norm struct {
	scope  string
	module string
	width  int
	spec   graph.NormSpec
}

type vector struct {
	param graph.ParamID
	width int
}

// keys are keys and values that an attention took.
type keys struct{ k, v value }

var widths = []int{4, 6, 8, 12, 16}

func (d *drawer) chance(oneIn int) bool { return d.rng.IntN(oneIn) == 0 }

func pick[T any](d *drawer, from []T) T { return from[d.rng.IntN(len(from))] }

// name is a new name under the present scope, such as part7.
func (d *drawer) name() string {
	d.count++
	return fmt.Sprintf("part%d", d.count)
}

// in calls f under another scope.
func (d *drawer) in(scope string, f func() graph.ValueID) graph.ValueID {
	d.b.Scope("%s", scope)
	defer d.b.Scope("%s", d.scope)
	return f()
}

// take is a value to use: a late one more often than an early one.
func (d *drawer) take() value {
	n := len(d.values)
	v := d.values[max(d.rng.IntN(n), d.rng.IntN(n))]
	d.used[v.id] = true
	return v
}

// takeWidth is a value of that width, from a linear where there is none.
func (d *drawer) takeWidth(width int) value {
	var fit []value
	for _, v := range d.values {
		if v.width == width {
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 || d.chance(5) {
		return d.project(d.take(), width)
	}
	v := pick(d, fit)
	d.used[v.id] = true
	return v
}

// project is a linear of x, or one of the experts of the mixture under way.
func (d *drawer) project(x value, width int) value {
	if d.routing != nil {
		return d.expertLinear(x, width)
	}
	return d.linear(x, width)
}

// add notes a value that an operation gave.
func (d *drawer) add(id graph.ValueID, width int, size float64) value {
	v := value{id, width}
	d.values = append(d.values, v)
	d.size[id] = size
	return v
}

func (d *drawer) graph() *graph.Graph {
	d.embed()
	for i := range d.o.Nodes {
		// Layers of a few nodes, with some outside of any.
		if i%5 == 0 {
			d.scope = fmt.Sprintf("model.layers.%d", i/5)
			if d.chance(4) {
				d.scope = "model"
			}
			d.b.Scope("%s", d.scope)
		}
		d.operation()
		if v := d.values[len(d.values)-1]; d.size[v.id] > 3 {
			d.used[v.id] = true
			d.norm(v)
		}
	}
	d.scope = ""
	d.b.Scope("")
	d.finish()
	return must(d.b.Graph())
}

func (d *drawer) operation() {
	kinds := 22
	if d.o.Dense {
		kinds = 20
	}
	switch d.rng.IntN(kinds) {
	case 0:
		d.embed()
	case 1, 2:
		d.linear(d.take(), pick(d, widths))
	case 3, 4:
		d.norm(d.take())
	case 5, 6:
		d.rope(d.take())
	case 7, 8:
		d.attention()
	case 9, 10, 11:
		d.expression()
	case 12, 13:
		d.split(d.take())
	case 14, 15:
		d.concat()
	case 16, 17:
		d.conv(d.take())
	case 18:
		d.residual()
	case 19:
		d.again()
	case 20, 21:
		d.mixture()
	}
}

// finish gathers what nothing uses, but for a few, into the logits.
func (d *drawer) finish() {
	var parts []graph.ConcatPart
	width, largest := 0, 0.0
	for _, v := range d.values {
		if !d.used[v.id] && !d.chance(8) {
			parts = append(parts, graph.Part(v.id))
			width += v.width
			largest = math.Max(largest, d.size[v.id])
		}
	}
	x := d.values[len(d.values)-1]
	if len(parts) > 0 {
		x = d.add(d.b.Concat(d.name(), 1, parts...), width, largest)
	}
	if d.size[x.id] > 1.5 {
		x = d.norm(x)
	}
	if t := pick(d, d.embeds); d.chance(2) { // a head tied to the embeddings
		x = d.linear(x, t.width)
		d.b.Logits(d.b.Linear(x.id, "lm_head", d.o.Vocabulary, graph.RoleHead, graph.Tied(t.param)))
		return
	}
	logits := d.b.Linear(x.id, "lm_head", d.o.Vocabulary, graph.RoleHead, graph.WithBias(d.chance(2)))
	if d.chance(3) {
		logits = d.b.SoftCap(logits, 5, "cap")
	}
	d.b.Logits(logits)
}

// divisors of n.
func divisors(n int) []int {
	var out []int
	for i := 1; i <= n; i++ {
		if n%i == 0 {
			out = append(out, i)
		}
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the drawer makes valid graphs: a mistake of this package
	}
	return v
}
