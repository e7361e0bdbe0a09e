package expr

import "math"

// An Instr is one instruction of a [Program]. Its result goes to the register
// with the instruction's own index.
type Instr struct {
	Op      Op
	A, B, C int     // registers of the operands; -1 where the operation has fewer
	Const   float64 // Op == Const
	Arg     int     // Op == Arg: index of the argument
}

// A Program is straight-line code that computes one or more expressions over
// the same arguments.
type Program struct {
	Instrs  []Instr
	Outputs []int // the register of each root
}

// Compile orders the operations of the roots so that each comes after its
// operands, and each subexpression that occurs twice is computed once.
func Compile(roots ...*Node) *Program {
	p := &Program{}
	in := newInterner()
	register := map[*Node]int{}
	var emit func(n *Node) int
	emit = func(n *Node) int {
		if r, ok := register[n]; ok {
			return r
		}
		operands := [3]int{-1, -1, -1}
		for i, a := range n.Args {
			operands[i] = emit(a)
		}
		p.Instrs = append(p.Instrs, Instr{
			Op: n.Op, A: operands[0], B: operands[1], C: operands[2], Const: n.Const, Arg: n.Arg,
		})
		register[n] = len(p.Instrs) - 1
		return register[n]
	}
	for _, r := range roots {
		p.Outputs = append(p.Outputs, emit(in.adopt(r)))
	}
	return p
}

// Eval runs the program in float64. registers has room for all instructions;
// after the call output i stands in registers[p.Outputs[i]].
func (p *Program) Eval(args []float64, pos float64, registers []float64) {
	operand := func(r int) float64 {
		if r < 0 {
			return 0
		}
		return registers[r]
	}
	for i, instr := range p.Instrs {
		switch instr.Op {
		case Const:
			registers[i] = instr.Const
		case Arg:
			registers[i] = args[instr.Arg]
		case Pos:
			registers[i] = pos
		default:
			registers[i] = evaluate(instr.Op, operand(instr.A), operand(instr.B), operand(instr.C))
		}
	}
}

// evaluate is the definition of each operation.
func evaluate(op Op, a, b, c float64) float64 {
	switch op {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Div:
		return a / b
	case Neg:
		return -a
	case Exp:
		return math.Exp(a)
	case Log:
		return math.Log(a)
	case Log1p:
		return math.Log1p(a)
	case Expm1:
		return math.Expm1(a)
	case Tanh:
		return math.Tanh(a)
	case Sigmoid:
		return 1 / (1 + math.Exp(-a))
	case Softplus:
		return math.Max(a, 0) + math.Log1p(math.Exp(-math.Abs(a)))
	case Erf:
		return math.Erf(a)
	case Sqrt:
		return math.Sqrt(a)
	case Floor:
		return math.Floor(a)
	case Min:
		return choose(a < b, a, b)
	case Max:
		return choose(a > b, a, b)
	case Less:
		return choose(a < b, 1, 0)
	case LessEqual:
		return choose(a <= b, 1, 0)
	case Greater:
		return choose(a > b, 1, 0)
	case GreaterEqual:
		return choose(a >= b, 1, 0)
	case Equal:
		return choose(a == b, 1, 0)
	case NotEqual:
		return choose(a != b, 1, 0)
	case Where:
		return choose(a != 0, b, c)
	}
	return math.NaN()
}

func choose(condition bool, a, b float64) float64 {
	if condition {
		return a
	}
	return b
}
