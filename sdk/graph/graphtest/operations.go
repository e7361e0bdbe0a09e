package graphtest

import (
	"fmt"
	"math"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
)

func (d *drawer) embed() {
	scale := 1.0
	if d.chance(2) {
		scale = 0.5 + d.rng.Float64()
	}
	if len(d.embeds) > 0 && d.chance(2) { // a table that is there
		t := pick(d, d.embeds)
		id := d.in("", func() graph.ValueID { return d.b.EmbedScaled(t.name, d.o.Vocabulary, t.width, scale) })
		d.add(id, t.width, scale)
		return
	}
	t := table{name: "model." + d.name() + ".weight", width: pick(d, widths)}
	id := d.in("", func() graph.ValueID {
		t.param = d.b.Param(t.name, []int{d.o.Vocabulary, t.width}, graph.RoleEmbed)
		return d.b.EmbedScaled(t.name, d.o.Vocabulary, t.width, scale)
	})
	d.embeds = append(d.embeds, t)
	d.add(id, t.width, scale)
}

var linearRoles = []graph.Role{
	graph.RoleAttnQ, graph.RoleAttnK, graph.RoleAttnV, graph.RoleAttnO, graph.RoleMLPGate, graph.RoleMLPUp, graph.RoleMLPDown,
}

// again applies a linear that is there to another value, where one fits.
func (d *drawer) again() value {
	if len(d.linears) == 0 {
		return d.linear(d.take(), pick(d, widths))
	}
	l := pick(d, d.linears)
	return d.linear(d.takeWidth(l.in), l.out)
}

func (d *drawer) linear(x value, out int) value {
	for _, l := range d.linears {
		switch {
		case l.in != x.width || l.out != out || !d.chance(2):
		case d.chance(2): // the same module once more
			id := d.in(l.scope, func() graph.ValueID {
				return d.b.Linear(x.id, l.module, out, graph.RoleMLPUp, graph.WithBias(l.bias))
			})
			return d.add(id, out, 1.2*d.size[x.id])
		default: // another module with the same weight
			id := d.b.Linear(x.id, d.name(), out, graph.RoleMLPUp, graph.Tied(l.param))
			return d.add(id, out, 1.2*d.size[x.id])
		}
	}
	l := linear{scope: d.scope, module: d.name(), in: x.width, out: out, bias: d.chance(2)}
	role := pick(d, linearRoles)
	options := []graph.LinearOption{graph.WithBias(l.bias)}
	if d.chance(3) {
		options = append(options, graph.Float32Out())
	}
	id := d.b.Linear(x.id, l.module, out, role, options...)
	if d.chance(2) {
		l.param = d.b.Param(l.module+".weight", []int{out, x.width}, role)
		d.linears = append(d.linears, l)
	}
	return d.add(id, out, 1.2*d.size[x.id])
}

func (d *drawer) norm(x value) value {
	for _, n := range d.norms {
		if n.width == x.width && d.chance(3) { // the same module once more
			return d.add(d.in(n.scope, func() graph.ValueID { return d.b.Norm(x.id, n.module, n.spec) }), x.width, 1.2)
		}
	}
	s := graph.NormSpec{
		Centre: d.chance(2), Epsilon: 0.01 + 0.2*d.rng.Float64(), Groups: 1, PerColumn: d.chance(2),
		Bias: d.chance(2), PlusOne: d.chance(2), NoWeight: d.chance(4),
	}
	// Groups of one or two columns have results of 0 and ±1.
	if groups := divisors(x.width); d.chance(2) {
		for s.Groups = pick(d, groups); x.width/s.Groups < 3 && s.Groups > 1; {
			s.Groups = pick(d, groups)
		}
	}
	if d.chance(4) {
		s.Epsilon = 1e-5
	}
	if s.NoWeight {
		s.Bias, s.PlusOne = false, false
	}
	n := norm{scope: d.scope, module: d.name(), width: x.width, spec: s}
	if d.chance(2) {
		d.norms = append(d.norms, n)
	}
	if !s.NoWeight && s.Groups == 1 && d.chance(2) {
		weight := d.b.Param(n.module+".weight", []int{x.width}, graph.RoleNorm)
		d.vectors = append(d.vectors, vector{weight, x.width})
	}
	return d.add(d.b.Norm(x.id, n.module, s), x.width, 1.2)
}

func (d *drawer) rope(x value) value {
	var heads []int
	for _, h := range divisors(x.width) {
		if x.width/h >= 2 {
			heads = append(heads, h)
		}
	}
	if len(heads) == 0 {
		return d.rope(d.linear(x, 8))
	}
	op := graph.RoPE{Heads: pick(d, heads), Interleaved: d.chance(2), Factor: 1}
	width := x.width / op.Heads
	rotated := 1 + d.rng.IntN(width/2)
	if d.chance(2) {
		rotated = width / 2
	}
	if rest := width - 2*rotated; rest > 0 && d.chance(2) {
		op.Offset = 1 + d.rng.IntN(rest)
	}
	for range rotated {
		f := d.rng.Float32() * 1.5
		if d.chance(6) {
			f = 0
		}
		op.Freq = append(op.Freq, f)
	}
	if d.chance(2) {
		op.Factor = 0.6 + d.rng.Float32()
	}
	return d.add(d.b.RoPE(x.id, d.name(), op), x.width, float64(max(1, op.Factor))*d.size[x.id])
}

func (d *drawer) attention() value {
	q := d.take()
	s := graph.AttentionSpec{Heads: pick(d, divisors(q.width))}
	width := q.width / s.Heads
	s.KVHeads = pick(d, divisors(s.Heads))
	var k, v value
	for _, earlier := range d.keys {
		if earlier.k.width == s.KVHeads*width && earlier.v.width%s.KVHeads == 0 && d.chance(2) {
			k, v = earlier.k, earlier.v
		}
	}
	if k.width == 0 {
		k, v = d.takeWidth(s.KVHeads*width), d.takeWidth(s.KVHeads*pick(d, []int{width, width, 1, 2, 3, 4}))
		d.keys = append(d.keys, keys{k, v})
	}
	// Scores of about 1.
	s.Scale = 1 / (math.Sqrt(float64(width)) * math.Max(0.5, d.size[q.id]*d.size[k.id]))
	if d.chance(3) {
		s.Window = 1 + d.rng.IntN(4)
	}
	if d.chance(3) {
		s.Chunk = 1 + d.rng.IntN(4)
	}
	if d.chance(3) {
		s.Cap = 0.5 + 2*d.rng.Float64()
	}
	if d.chance(3) {
		s.Sinks = d.name() + ".sinks"
	}
	return d.add(d.b.Attention(q.id, k.id, v.id, d.name(), s), v.width/s.KVHeads*s.Heads, d.size[v.id])
}

func (d *drawer) residual() value {
	x := d.take()
	y := d.takeWidth(x.width)
	if x.id == y.id {
		y = d.linear(x, x.width)
	}
	return d.add(d.b.Add(x.id, y.id, d.name()), x.width, 1.4*math.Max(d.size[x.id], d.size[y.id]))
}

// expression adds a map over one to three inputs and up to two parameters.
func (d *drawer) expression() {
	widest := d.take()
	inputs := []value{widest}
	for range d.rng.IntN(3) {
		narrow := d.takeWidth(pick(d, divisors(widest.width)))
		if narrow.width != 0 {
			inputs = append(inputs, narrow)
		}
	}
	d.rng.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
	var args []graph.NamedArg
	var names []string
	var sizes []float64
	for i, x := range inputs {
		name := fmt.Sprintf("x%d", i)
		args, names, sizes = append(args, graph.In(name, x.id)), append(names, name), append(sizes, d.size[x.id])
	}
	for i := range d.rng.IntN(3) {
		name := fmt.Sprintf("w%d", i)
		p := d.vector(widest.width)
		args, names, sizes = append(args, graph.Par(name, p)), append(names, name), append(sizes, 0.5)
	}
	for {
		text := Expression(d.rng, names, 1+d.rng.IntN(3))
		if size, ok := d.tame(text, names, sizes); ok {
			d.add(d.b.Map(d.name(), text, args...), widest.width, size)
			return
		}
	}
}

// vector is a parameter for a map: a number a column or a single one, now and
// then one that another operation has.
func (d *drawer) vector(width int) graph.ParamID {
	for _, v := range d.vectors {
		if (v.width == width || v.width == 1) && d.chance(4) {
			return v.param
		}
	}
	if d.chance(2) {
		width = 1
	}
	v := vector{d.b.Param(d.name()+".weight", []int{width}, graph.RoleMapParam), width}
	d.vectors = append(d.vectors, v)
	return v.param
}

// tame reports whether an expression and its derivatives stay of moderate size,
// and how large its values are.
func (d *drawer) tame(text string, names []string, sizes []float64) (size float64, ok bool) {
	e := must(expr.Parse(text, names))
	roots := []*expr.Node{e.Root}
	for i := range names {
		if !e.Root.Uses(i) {
			return 0, false // it cancelled out
		}
		roots = append(roots, e.Derivative(i))
	}
	p := expr.Compile(roots...)
	args, registers := make([]float64, len(names)), make([]float64, len(p.Instrs))
	const samples = 100
	for range samples {
		for i := range args {
			args[i] = sizes[i] * d.rng.NormFloat64()
		}
		p.Eval(args, float64(d.rng.IntN(12)), registers)
		for i, r := range p.Outputs {
			if v := math.Abs(registers[r]); !(v < 15) {
				return 0, false
			}
			if i == 0 {
				size += registers[r] * registers[r] / samples
			}
		}
	}
	return math.Sqrt(size), true
}

func (d *drawer) split(x value) {
	groups := pick(d, divisors(x.width))
	var sizes []int
	for rest := x.width / groups; rest > 0; {
		n := 1 + d.rng.IntN(rest)
		if len(sizes) == 3 {
			n = rest
		}
		sizes = append(sizes, n)
		rest -= n
	}
	outs := d.b.Split(x.id, d.name(), groups, sizes...)
	for i, id := range outs {
		d.add(id, groups*sizes[i], d.size[x.id])
	}
}

func (d *drawer) concat() {
	groups := pick(d, []int{1, 2, 2, 3, 4})
	var parts []graph.ConcatPart
	width, largest := 0, 0.0
	for range 1 + d.rng.IntN(3) {
		x := d.take()
		repeat := x.width%groups != 0 || d.chance(3)
		w := x.width
		if repeat {
			w *= groups
		}
		if width+w > 24 && width > 0 {
			continue
		}
		part := graph.Part(x.id)
		if repeat {
			part = graph.Repeated(x.id)
		}
		parts = append(parts, part)
		width += w
		largest = math.Max(largest, d.size[x.id])
	}
	y := d.add(d.b.Concat(d.name(), groups, parts...), width, largest)
	if width > 24 {
		d.used[y.id] = true
		d.project(y, pick(d, widths))
	}
}

func (d *drawer) conv(x value) value {
	return d.add(d.b.Conv(x.id, d.name(), 1+d.rng.IntN(4), d.chance(2)), x.width, 1.2*d.size[x.id])
}
