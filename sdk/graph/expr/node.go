package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Op is what a [Node] computes.
type Op uint8

// The primitive operations.
const (
	Const Op = iota // the number Node.Const
	Arg             // the argument Node.Arg
	Pos             // the token's position in its document
	Add
	Sub
	Mul
	Div
	Neg
	Exp
	Log
	Log1p
	Expm1
	Tanh
	Sigmoid
	Softplus
	Erf
	Sqrt
	Floor
	Min
	Max
	Less
	LessEqual
	Greater
	GreaterEqual
	Equal
	NotEqual
	Where // Args: condition, then, else
	numOps
)

var opNames = [numOps]string{
	Const: "const", Arg: "arg", Pos: "pos", Add: "+", Sub: "-", Mul: "*", Div: "/", Neg: "-",
	Exp: "exp", Log: "log", Log1p: "log1p", Expm1: "expm1", Tanh: "tanh", Sigmoid: "sigmoid",
	Softplus: "softplus", Erf: "erf", Sqrt: "sqrt", Floor: "floor", Min: "min", Max: "max",
	Less: "<", LessEqual: "<=", Greater: ">", GreaterEqual: ">=", Equal: "==", NotEqual: "!=", Where: "where",
}

// String is the operation's sign or function name in the grammar.
func (o Op) String() string {
	if o < numOps {
		return opNames[o]
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// A Node is one operation of an expression. Nodes are immutable; equal
// subexpressions of one [Expr] are one Node.
type Node struct {
	Op    Op
	Args  []*Node
	Const float64 // Op == Const
	Arg   int     // Op == Arg: index into Expr.Args

	id int // unique within the interner that made it
}

// An interner makes nodes, simplifies them and keeps equal ones one.
type interner struct {
	nodes map[nodeKey]*Node
}

type nodeKey struct {
	op      Op
	a, b, c int
	bits    uint64
	arg     int
}

func newInterner() *interner { return &interner{nodes: map[nodeKey]*Node{}} }

func (in *interner) intern(n Node) *Node {
	key := nodeKey{op: n.Op, a: -1, b: -1, c: -1, bits: math.Float64bits(n.Const), arg: n.Arg}
	for i, a := range n.Args {
		switch i {
		case 0:
			key.a = a.id
		case 1:
			key.b = a.id
		case 2:
			key.c = a.id
		}
	}
	if old, ok := in.nodes[key]; ok {
		return old
	}
	n.id = len(in.nodes)
	in.nodes[key] = &n
	return &n
}

func (in *interner) constant(v float64) *Node { return in.intern(Node{Op: Const, Const: v}) }
func (in *interner) arg(i int) *Node          { return in.intern(Node{Op: Arg, Arg: i}) }
func (in *interner) pos() *Node               { return in.intern(Node{Op: Pos}) }

// adopt makes the nodes below n this interner's own.
func (in *interner) adopt(n *Node) *Node {
	return in.adoptWith(n, map[*Node]*Node{})
}

func (in *interner) adoptWith(n *Node, done map[*Node]*Node) *Node {
	if m, ok := done[n]; ok {
		return m
	}
	c := Node{Op: n.Op, Const: n.Const, Arg: n.Arg}
	for _, a := range n.Args {
		c.Args = append(c.Args, in.adoptWith(a, done))
	}
	m := in.intern(c)
	done[n] = m
	return m
}

// apply makes op(args…), simplified where that changes no value but that of
// NaNs and infinities times zero.
func (in *interner) apply(op Op, args ...*Node) *Node {
	if folded, ok := fold(op, args); ok {
		return in.constant(folded)
	}
	a := args[0]
	var b *Node
	if len(args) > 1 {
		b = args[1]
	}
	switch {
	case op == Add && isConst(a, 0), op == Mul && isConst(a, 1):
		return b
	case (op == Add || op == Sub) && isConst(b, 0), (op == Mul || op == Div) && isConst(b, 1):
		return a
	case op == Mul && (isConst(a, 0) || isConst(b, 0)), op == Div && isConst(a, 0):
		return in.constant(0)
	case op == Sub && isConst(a, 0):
		return in.apply(Neg, b)
	case op == Mul && isConst(a, -1):
		return in.apply(Neg, b)
	case op == Mul && isConst(b, -1):
		return in.apply(Neg, a)
	case op == Neg && a.Op == Neg:
		return a.Args[0]
	case op == Add && b.Op == Neg:
		return in.apply(Sub, a, b.Args[0])
	case op == Where && args[1] == args[2]:
		return args[1]
	case op == Where && a.Op == Const:
		if a.Const != 0 {
			return args[1]
		}
		return args[2]
	}
	return in.intern(Node{Op: op, Args: args})
}

func isConst(n *Node, v float64) bool { return n != nil && n.Op == Const && n.Const == v }

func fold(op Op, args []*Node) (float64, bool) {
	var v [3]float64
	for i, a := range args {
		if a.Op != Const {
			return 0, false
		}
		v[i] = a.Const
	}
	return evaluate(op, v[0], v[1], v[2]), true
}

// Uses reports whether n depends on argument i.
func (n *Node) Uses(i int) bool {
	return n.any(map[*Node]bool{}, func(m *Node) bool { return m.Op == Arg && m.Arg == i })
}

// UsesPos reports whether n depends on pos.
func (n *Node) UsesPos() bool {
	return n.any(map[*Node]bool{}, func(m *Node) bool { return m.Op == Pos })
}

func (n *Node) any(seen map[*Node]bool, f func(*Node) bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	if f(n) {
		return true
	}
	for _, a := range n.Args {
		if a.any(seen, f) {
			return true
		}
	}
	return false
}

// maxFormat bounds what Format writes: a subexpression that is shared is written
// each time, which may be exponentially often.
const maxFormat = 1 << 16

// Format is n in the grammar of the package, fully parenthesised, with names
// for its arguments. Defined functions appear as what they stand for. A text that
// would be longer than 64 KiB ends in ….
func (n *Node) Format(names []string) string {
	var b strings.Builder
	n.format(&b, names)
	return b.String()
}

func (n *Node) format(b *strings.Builder, names []string) {
	if b.Len() > maxFormat {
		if !strings.HasSuffix(b.String(), "…") {
			b.WriteString("…")
		}
		return
	}
	switch n.Op {
	case Const:
		b.WriteString(strconv.FormatFloat(n.Const, 'g', -1, 64))
	case Arg:
		b.WriteString(names[n.Arg])
	case Pos:
		b.WriteString("pos")
	case Neg:
		b.WriteString("(-")
		n.Args[0].format(b, names)
		b.WriteString(")")
	case Add, Sub, Mul, Div, Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual:
		b.WriteString("(")
		n.Args[0].format(b, names)
		b.WriteString(" " + n.Op.String() + " ")
		n.Args[1].format(b, names)
		b.WriteString(")")
	default:
		b.WriteString(n.Op.String() + "(")
		for i, a := range n.Args {
			if i > 0 {
				b.WriteString(", ")
			}
			a.format(b, names)
		}
		b.WriteString(")")
	}
}
