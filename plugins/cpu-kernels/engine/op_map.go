package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cpu-kernels/vecmath"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/expr"
)

// mapKernel evaluates an element-wise expression, a block of columns of a row at
// a time, each operation over the whole block.
type mapKernel struct {
	base
	op         *graph.Map
	value      *expr.Program
	inputs     []*expr.Program // derivative by input, for those that are wanted
	parameters []paramProgram
}

// A paramProgram is the derivative by a parameter.
type paramProgram struct {
	id      graph.ParamID
	program *expr.Program
}

func newMap(b base, o *graph.Map) (*mapKernel, error) {
	e, err := o.Parse()
	if err != nil {
		return nil, fmt.Errorf("node %q: %w", b.node.Name, err)
	}
	k := &mapKernel{base: b, op: o, value: expr.Compile(e.Root), inputs: make([]*expr.Program, len(b.node.Inputs))}
	if b.step == nil {
		return k, nil
	}
	for _, in := range b.step.Inputs {
		k.inputs[in.Input] = expr.Compile(in.Derivative)
	}
	for _, p := range b.step.Params {
		k.parameters = append(k.parameters, paramProgram{p.Param, expr.Compile(p.Derivative)})
	}
	return k, nil
}

// mapBlock is how many columns are evaluated at a time.
const mapBlock = 256

// evaluator runs programs over blocks; each worker has its own.
type evaluator struct {
	k         *mapKernel
	c         *call
	slots     int
	params    [][]float32 // by argument; nil for inputs
	registers [][]float32
}

func (k *mapKernel) evaluator(c *call, p *expr.Program) *evaluator {
	ev := &evaluator{k: k, c: c, slots: k.outSlots(), params: make([][]float32, len(k.op.Args))}
	for i, a := range k.op.Args {
		if a.Param != graph.NoParam {
			ev.params[i] = k.e.vector(a.Param)
		}
	}
	ev.registers = make([][]float32, len(p.Instrs))
	memory := make([]float32, len(p.Instrs)*mapBlock)
	for i := range ev.registers {
		ev.registers[i] = memory[i*mapBlock : (i+1)*mapBlock]
	}
	return ev
}

// argument fills dst with argument i of row t at the columns from on.
func (ev *evaluator) argument(i, t, from int, dst []float32) {
	a := ev.k.op.Args[i]
	if p := ev.params[i]; p != nil {
		if len(p) == 1 {
			fill(dst, p[0])
		} else {
			copy(dst, p[from:])
		}
		return
	}
	x, w, width := ev.c.in[a.Input], ev.k.inWidth(a.Input), ev.k.op.Width
	switch w {
	case width:
		copy(dst, x[t*w+from:])
	case 1:
		fill(dst, x[t])
	default:
		group := width / w
		for c := range dst {
			dst[c] = x[t*w+(from+c)/group]
		}
	}
}

func fill(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}

// run evaluates p for n columns of row t from column from on, and returns its
// output.
func (ev *evaluator) run(p *expr.Program, t, from, n int) []float32 {
	reg := func(i int) []float32 {
		if i < 0 {
			return nil
		}
		return ev.registers[i][:n]
	}
	for i, instr := range p.Instrs {
		dst := ev.registers[i][:n]
		switch instr.Op {
		case expr.Const:
			fill(dst, float32(instr.Const))
		case expr.Arg:
			ev.argument(instr.Arg, t, from, dst)
		case expr.Pos:
			fill(dst, float32(ev.c.rows.position[t/ev.slots]))
		default:
			elementwise(instr.Op, dst, reg(instr.A), reg(instr.B), reg(instr.C))
		}
	}
	return ev.registers[p.Outputs[0]][:n]
}

// blocks calls f for each block of columns of rows [from, to).
func (k *mapKernel) blocks(from, to int, f func(t, at, n int)) {
	for t := from; t < to; t++ {
		for at := 0; at < k.op.Width; at += mapBlock {
			f(t, at, min(mapBlock, k.op.Width-at))
		}
	}
}

func (k *mapKernel) forward(c *call) {
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		ev := k.evaluator(c, k.value)
		k.blocks(from, to, func(t, at, n int) { copy(c.out[0][t*k.op.Width+at:], ev.run(k.value, t, at, n)) })
	})
}

func (k *mapKernel) backward(c *call) {
	for _, in := range k.step.Inputs {
		k.inputBackward(c, in)
	}
	for _, p := range k.parameters {
		k.paramBackward(c, p)
	}
}

// inputBackward is dx = Σ dy·∂y/∂x over the columns that x was broadcast to.
func (k *mapKernel) inputBackward(c *call, in diff.InputGradient) {
	p, width, w := k.inputs[in.Input], k.op.Width, k.inWidth(in.Input)
	dx, accumulate := c.dIn[in.Input], c.accumulate[in.Input]
	group := width / w
	k.e.eachRow(k.rowsOf(c), func(from, to int) {
		ev := k.evaluator(c, p)
		if !accumulate && group > 1 {
			clear(dx[from*w : to*w])
		}
		k.blocks(from, to, func(t, at, n int) {
			d := ev.run(p, t, at, n)
			dy := c.dOut[0][t*width+at : t*width+at+n]
			if group > 1 {
				for i, v := range d {
					dx[t*w+(at+i)/group] += dy[i] * v
				}
				return
			}
			dst := dx[t*w+at : t*w+at+n]
			if accumulate {
				vecmath.AddProduct(dst, d, dy)
			} else {
				vecmath.Mul(dst, d, dy)
			}
		})
	})
}

// paramBackward is dp = Σ dy·∂y/∂p over tokens, and over columns for a scalar.
func (k *mapKernel) paramBackward(c *call, p paramProgram) {
	d, width := k.e.gradient(p.id), k.op.Width
	if len(d) == 1 && width > 1 {
		// Each row sums on its own, then the rows in order.
		sums := make([]float64, k.rowsOf(c))
		k.e.eachRow(len(sums), func(from, to int) {
			ev := k.evaluator(c, p.program)
			k.blocks(from, to, func(t, at, n int) {
				for i, v := range ev.run(p.program, t, at, n) {
					sums[t] += float64(v) * float64(c.dOut[0][t*width+at+i])
				}
			})
		})
		total := 0.0
		for _, s := range sums {
			total += s
		}
		d[0] += float32(total)
		return
	}
	blocks := (width + mapBlock - 1) / mapBlock
	k.e.pool.Run(blocks, func(b int) {
		ev := k.evaluator(c, p.program)
		at := b * mapBlock
		n := min(mapBlock, width-at)
		for t := range k.rowsOf(c) {
			for i, v := range ev.run(p.program, t, at, n) {
				d[at+i] += v * c.dOut[0][t*width+at+i]
			}
		}
	})
}

// elementwise is op over blocks.
func elementwise(op expr.Op, dst, a, b, c []float32) {
	switch {
	case op == expr.Where:
		vecmath.Where(dst, a, b, c)
	case b != nil:
		binary(op)(dst, a, b)
	default:
		unary(op)(dst, a)
	}
}

// binary is a function of two arguments over blocks.
func binary(op expr.Op) func(dst, a, b []float32) {
	switch op {
	case expr.Add:
		return vecmath.Add
	case expr.Sub:
		return vecmath.Sub
	case expr.Mul:
		return vecmath.Mul
	case expr.Div:
		return vecmath.Div
	case expr.Min:
		return vecmath.Min
	case expr.Max:
		return vecmath.Max
	case expr.Less:
		return vecmath.Less
	case expr.LessEqual:
		return vecmath.LessEqual
	case expr.Greater:
		return vecmath.Greater
	case expr.GreaterEqual:
		return vecmath.GreaterEqual
	case expr.Equal:
		return vecmath.Equal
	}
	return vecmath.NotEqual
}

// unary is a function of one argument over blocks.
func unary(op expr.Op) func(dst, x []float32) {
	switch op {
	case expr.Neg:
		return vecmath.Neg
	case expr.Exp:
		return vecmath.Exp
	case expr.Log:
		return vecmath.Log
	case expr.Log1p:
		return vecmath.Log1p
	case expr.Expm1:
		return vecmath.Expm1
	case expr.Tanh:
		return vecmath.Tanh
	case expr.Sigmoid:
		return vecmath.Sigmoid
	case expr.Softplus:
		return vecmath.Softplus
	case expr.Erf:
		return vecmath.Erf
	case expr.Sqrt:
		return vecmath.Sqrt
	}
	return vecmath.Floor
}
