package elementwise

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/expr"
)

// A Map is a map node's kernels.
type Map struct {
	spec    Spec
	args    []argument
	forward *pass
	inputs  *pass   // gradients of inputs as wide as y; nil: none
	groups  []*pass // of smaller inputs, by width
	columns *pass   // of parameters [Width]
	scalars *pass   // of parameters [1]

	sumColumns, sumScalar *device.Kernel
}

// A pass is a kernel over the elements of y.
type pass struct {
	*code
	kernel *device.Kernel
	vector int   // elements of a thread
	lanes  int   // of groups: threads of a group
	width  int   // of groups: the inputs' width
	of     []int // whose gradients they are: indices of the node's inputs, or of Step.Params
}

// New asks a set for what a node needs. A map with too many arguments is
// [fault.Unsupported].
func New(set *device.Set, spec Spec) (*Map, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	e, err := spec.Map.Parse()
	if err != nil {
		return nil, fault.New(fault.InvalidModel, "map %q: %w", spec.Map.Expr, err)
	}
	m := &Map{spec: spec, args: spec.arguments()}
	w := &writer{spec: &m.spec, args: m.args}
	m.forward = &pass{code: newCode(e.Root)}
	m.forward.add(set, "map_forward", w.forward)
	if spec.Step != nil {
		m.addInputs(set, w, spec.Step.Inputs)
		m.addParams(set, w, spec.Step.Params)
	}
	return m, nil
}

// add asks the set for the kernel that write writes.
func (p *pass) add(set *device.Set, name string, write func(*code) (device.Source, int)) {
	source, vector := write(p.code)
	p.kernel, p.vector = set.Kernel(source, name), vector
}

// addInputs puts the gradients of inputs into kernels by width. A value that is two
// inputs has one gradient, by the sum of the derivatives.
func (m *Map) addInputs(set *device.Set, w *writer, gradients []diff.InputGradient) {
	derivatives := map[int]*expr.Node{}
	first := map[graph.ValueID]int{}
	byWidth := map[int][]int{}
	var widths []int
	for _, g := range gradients {
		if before, ok := first[g.Value]; ok {
			derivatives[before] = expr.Sum(derivatives[before], g.Derivative)
			continue
		}
		first[g.Value] = g.Input
		derivatives[g.Input] = g.Derivative
		width := m.spec.Inputs[g.Input].Width
		if byWidth[width] == nil {
			widths = append(widths, width)
		}
		byWidth[width] = append(byWidth[width], g.Input)
	}
	for _, width := range widths {
		p := &pass{width: width, of: byWidth[width]}
		var roots []*expr.Node
		var types []device.Type
		for _, i := range p.of {
			roots, types = append(roots, derivatives[i]), append(types, m.spec.Inputs[i].Type)
		}
		p.code = newCode(roots...)
		if width == m.spec.Map.Width {
			p.add(set, "map_inputs", func(c *code) (device.Source, int) { return w.inputs(c, types) })
			m.inputs = p
			continue
		}
		source, lanes := w.groups(p.code, width, types)
		p.kernel, p.lanes = set.Kernel(source, "map_groups"), lanes
		m.groups = append(m.groups, p)
	}
}

// addParams puts the gradients of parameters into two kernels, by their layout.
func (m *Map) addParams(set *device.Set, w *writer, gradients []diff.ParamGradient) {
	of := map[layout][]int{}
	roots := map[layout][]*expr.Node{}
	for k, g := range gradients {
		for i, a := range m.spec.Map.Args {
			if a.Param == g.Param {
				l := m.args[i].layout
				of[l], roots[l] = append(of[l], k), append(roots[l], g.Derivative)
				break
			}
		}
	}
	sum := device.Source{Name: "sum.cu", Text: sumText}
	if len(of[column]) > 0 {
		m.columns = &pass{code: newCode(roots[column]...), of: of[column]}
		m.columns.add(set, "map_columns", w.columns)
		m.sumColumns = set.Kernel(sum, "sum_columns")
	}
	if len(of[scalar]) > 0 {
		m.scalars = &pass{code: newCode(roots[scalar]...), of: of[scalar]}
		m.scalars.add(set, "map_scalars", w.scalars)
		m.sumScalar = set.Kernel(sum, "sum_scalar")
	}
}

// read lists the arguments of a kernel that its code reads; none where there is no
// kernel.
func (m *Map) read(p *pass, in, params []device.Pointer, position device.Pointer) []any {
	if p == nil {
		return nil
	}
	var out []any
	for _, a := range p.args {
		if arg := m.args[a]; arg.input >= 0 {
			out = append(out, in[arg.input])
		} else {
			out = append(out, params[a])
		}
	}
	if p.pos {
		out = append(out, position)
	}
	return out
}

// Forward computes out [rows·Slots, Width] for rows tokens.
//
// in are the node's inputs; params are, by argument of the Map, the float32 values of
// a parameter (what stands for an argument that is an input is not read); position is
// int32 [rows], read only by expressions with pos. out may be an input of its own
// width and type.
func (m *Map) Forward(q *device.Queue, rows int, in, params []device.Pointer, position, out device.Pointer) {
	n := m.elements(rows)
	p := m.forward
	q.Launch(p.kernel, p.grid(n), append(m.read(p, in, params, position), out, n)...)
}

// Backward computes the gradients that Spec.Step names.
//
// dy is the gradient of y [rows·Slots, Width]. dIn are, by input of the node, where
// its gradient goes, and accumulate says whether it is added to what is there; those
// of inputs without a gradient are not read, nor is that of a value's second
// occurrence. dParams are, by Step.Params, float32 gradients, which are added to.
// workspace has Workspace bytes. Inputs that no derivative depends on may be 0.
//
// The gradient of an input as wide as y may stand in the place of dy or of an input of
// its type.
func (m *Map) Backward(q *device.Queue, rows int, in, params []device.Pointer, position, dy device.Pointer,
	dIn []device.Pointer, accumulate []bool, dParams []device.Pointer, workspace device.Pointer) {
	n := m.elements(rows)
	m.sumOverColumns(q, rows, m.read(m.columns, in, params, position), dy, dParams, workspace)
	m.sumOverAll(q, n, m.read(m.scalars, in, params, position), dy, dParams, workspace)
	for _, p := range m.groups {
		cells := n / int64(m.spec.Map.Width) * int64(p.width)
		args := m.results(p, append(m.read(p, in, params, position), dy), dIn, accumulate)
		q.Launch(p.kernel, device.Grid{X: ceil(cells, int64(threads/p.lanes)), Threads: threads}, append(args, cells)...)
	}
	if p := m.inputs; p != nil { // last: it may overwrite what the others read
		args := m.results(p, append(m.read(p, in, params, position), dy), dIn, accumulate)
		q.Launch(p.kernel, p.grid(n), append(args, n)...)
	}
}

// results appends where the gradients of inputs go and the bits that say which are
// added to.
func (m *Map) results(p *pass, args []any, dIn []device.Pointer, accumulate []bool) []any {
	added := uint64(0)
	for k, i := range p.of {
		args = append(args, dIn[i])
		if accumulate[i] {
			added |= 1 << k
		}
	}
	return append(args, added)
}

func (m *Map) sumOverColumns(q *device.Queue, rows int, args []any, dy device.Pointer, dParams []device.Pointer, workspace device.Pointer) {
	p := m.columns
	if p == nil {
		return
	}
	width := m.spec.Map.Width
	grid := m.columnGrid(rows)
	q.Launch(p.kernel, grid, append(args, dy, workspace, m.elements(rows)/int64(width))...)
	for k, i := range p.of {
		partial := workspace.Offset(int64(k) * int64(grid.Y) * int64(width) * 4)
		q.Launch(m.sumColumns, device.Grid{X: ceil(int64(width), 32), Threads: 256}, partial, dParams[i], int32(grid.Y), int32(width))
	}
}

func (m *Map) sumOverAll(q *device.Queue, n int64, args []any, dy device.Pointer, dParams []device.Pointer, workspace device.Pointer) {
	p := m.scalars
	if p == nil {
		return
	}
	grid := p.scalarGrid(n)
	q.Launch(p.kernel, grid, append(args, dy, workspace, n)...)
	for k, i := range p.of {
		partial := workspace.Offset(int64(k) * int64(grid.X) * 8)
		q.Launch(m.sumScalar, device.Grid{X: 1, Threads: 256}, partial, dParams[i], int32(grid.X))
	}
}

// Workspace is the bytes that Backward takes for rows tokens; 0 where no parameter is
// trained.
func (m *Map) Workspace(rows int) int64 {
	bytes := int64(0)
	if p := m.columns; p != nil {
		bytes = int64(len(p.of)) * int64(m.columnGrid(rows).Y) * int64(m.spec.Map.Width) * 4
	}
	if p := m.scalars; p != nil {
		bytes = max(bytes, int64(len(p.of))*int64(p.scalarGrid(m.elements(rows)).X)*8)
	}
	return bytes
}

func (m *Map) elements(rows int) int64 {
	return int64(rows) * int64(max(1, m.spec.Slots)) * int64(m.spec.Map.Width)
}

// grid has a thread for each vector of n elements.
func (p *pass) grid(n int64) device.Grid {
	return device.Grid{X: ceil(n, int64(threads*p.vector)), Threads: threads}
}

// columnGrid has a block for 32 vectors of columns and a share of the rows: some 512
// blocks, as long as each warp has 8 rows.
func (m *Map) columnGrid(rows int) device.Grid {
	across := ceil(int64(m.spec.Map.Width), int64(32*m.columns.vector))
	shares := ceil(int64(rows)*int64(max(1, m.spec.Slots)), 64)
	return device.Grid{X: across, Y: max(1, min(shares, ceil(512, int64(across)))), Threads: threads}
}

// scalarGrid has at most 1024 blocks.
func (p *pass) scalarGrid(n int64) device.Grid {
	return device.Grid{X: min(1024, ceil(n, int64(threads*p.vector))), Threads: threads}
}

func ceil(n, by int64) int { return int(device.Ceil(n, by)) }

// String is the expression, for plans and messages.
func (m *Map) String() string { return fmt.Sprintf("map %q", m.spec.Map.Expr) }
