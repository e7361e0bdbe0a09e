package elementwise

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed map.cu
var mapText string

//go:embed sum.cu
var sumText string

// threads is the size of all blocks; map.cu has it too.
const threads = 256

// A writer writes the kernels of a map.
type writer struct {
	spec *Spec
	args []argument
}

// source puts a kernel's text behind what all maps share.
func (w *writer) source(c *code, kernel string) device.Source {
	return device.Source{
		Name:    "map.cu",
		Text:    "#include \"hone.cuh\"\n" + mapText + "\n" + c.function() + "\n" + kernel,
		Defines: []string{fmt.Sprintf("WIDTH=%d", w.spec.Map.Width), fmt.Sprintf("SLOTS=%d", max(1, w.spec.Slots))},
	}
}

// rowed reports whether the code needs to know an element's row or column, so that a
// vector has to lie in one row.
func (w *writer) rowed(c *code) bool {
	for _, a := range c.args {
		if w.args[a].layout == spread || w.args[a].layout == column {
			return true
		}
	}
	return c.pos
}

// maxCode bounds the operations that are written out in a row: those of an expression
// times the elements of a vector.
const maxCode = 1024

// vector is how many elements a thread handles at once: 16 bytes of the smallest
// type, unless they do not divide the columns that have to stay together (0: any) or
// the expression is long.
func (w *writer) vector(c *code, together int, written ...device.Type) int {
	v := 4
	for _, a := range c.args {
		if w.args[a].layout == whole && w.args[a].typ != device.Float32 {
			v = 8
		}
	}
	for _, t := range written {
		if t != device.Float32 {
			v = 8
		}
	}
	for v > 1 && (together%v != 0 || v*len(c.program.Instrs) > maxCode) {
		v /= 2
	}
	return v
}

// together is what vector takes for kernels over all elements.
func (w *writer) together(c *code) int {
	if w.rowed(c) {
		return w.spec.Map.Width
	}
	return 0
}

// parameters declares what the code reads; names are these parameters' names.
func (w *writer) parameters(c *code) string {
	var out []string
	for _, a := range c.args {
		out = append(out, fmt.Sprintf("const %s *p%d", w.args[a].typ.C(), a))
	}
	if c.pos {
		out = append(out, "const int *position")
	}
	return join(out)
}

func (w *writer) names(c *code) string {
	var out []string
	for _, a := range c.args {
		out = append(out, fmt.Sprintf("p%d", a))
	}
	if c.pos {
		out = append(out, "position")
	}
	return join(out)
}

// join ends in a comma where there is something, for what follows.
func join(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + ", "
}

// reads fetches what the code takes for the elements [e, e + V), in the given row and
// from the given column on.
func (w *writer) reads(c *code) string {
	var b strings.Builder
	for _, a := range c.args {
		switch arg := w.args[a]; arg.layout {
		case whole:
			fmt.Fprintf(&b, "    float x%d[V]; load_floats<V>(p%d + e, x%d);\n", a, a, a)
		case spread:
			fmt.Fprintf(&b, "    float x%d[V]; fetch_spread<V, %d>(p%d + row * %d, column, x%d);\n",
				a, w.spec.Map.Width/arg.width, a, arg.width, a)
		case column:
			fmt.Fprintf(&b, "    float x%d[V]; load_floats<V>(p%d + column, x%d);\n", a, a, a)
		case scalar:
			fmt.Fprintf(&b, "    const float x%d = p%d[0];\n", a, a)
		}
	}
	if c.pos {
		b.WriteString("    const float pos = float(position[row / SLOTS]);\n")
	}
	return b.String()
}

// place computes row and column of element e.
const place = "    [[maybe_unused]] const i64 row = quotient<WIDTH>(e);\n" +
	"    [[maybe_unused]] const int column = int(e - row * WIDTH);\n"

// call is a call of compute for element j of a vector.
func (w *writer) call(c *code) string {
	var out []string
	for _, a := range c.args {
		if w.args[a].layout == scalar {
			out = append(out, fmt.Sprintf("x%d", a))
		} else {
			out = append(out, fmt.Sprintf("x%d[j]", a))
		}
	}
	if c.pos {
		out = append(out, "pos")
	}
	for k := range c.program.Outputs {
		out = append(out, fmt.Sprintf("d%d", k))
	}
	return "compute(" + strings.Join(out, ", ") + ");"
}

// each writes a text for each of n outputs, # standing for its number.
func each(n int, text string) string {
	var b strings.Builder
	for k := range n {
		b.WriteString(strings.ReplaceAll(text, "#", fmt.Sprint(k)))
	}
	return b.String()
}

// eachType is each, with @ standing for the output's type.
func eachType(types []device.Type, text string) string {
	var b strings.Builder
	for k, t := range types {
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(text, "#", fmt.Sprint(k)), "@", t.C()))
	}
	return b.String()
}

// fill puts texts in the place of names such as $READS.
func fill(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
