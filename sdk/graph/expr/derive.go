package expr

import "math"

// Derivative is ∂e/∂arg for the argument with index arg, an expression over the
// same arguments. At the kinks of min, max, floor and where it is the derivative
// of the side that the value comes from, so relu'(0) is 0; comparisons and floor
// have the derivative 0.
func (e *Expr) Derivative(arg int) *Node {
	d := differentiator{in: newInterner(), arg: arg, done: map[*Node]*Node{}}
	return d.of(d.in.adopt(e.Root))
}

type differentiator struct {
	in   *interner
	arg  int
	done map[*Node]*Node
	// flip, for the tests, says whether the sign of an operation's term is wrong.
	flip func(op Op, term int) bool
}

func (d *differentiator) of(n *Node) *Node {
	if m, ok := d.done[n]; ok {
		return m
	}
	m := d.derive(n)
	d.done[n] = m
	return m
}

// derive is the chain rule: a term for each argument, factor times the argument's
// own derivative, put together as the operation asks.
func (d *differentiator) derive(n *Node) *Node {
	in := d.in
	zero, one := in.constant(0), in.constant(1)
	arg := func(i int) *Node { return n.Args[i] }
	term := func(i int, factor *Node) *Node {
		t := in.apply(Mul, factor, d.of(arg(i)))
		if d.flip != nil && d.flip(n.Op, i) {
			t = in.apply(Neg, t)
		}
		return t
	}
	switch n.Op {
	case Arg:
		if n.Arg == d.arg {
			return one
		}
		return zero
	case Add, Sub:
		return in.apply(n.Op, term(0, one), term(1, one))
	case Mul:
		return in.apply(Add, term(0, arg(1)), term(1, arg(0)))
	case Div: // (a' − (a/b)·b') / b
		return in.apply(Div, in.apply(Sub, term(0, one), term(1, n)), arg(1))
	case Neg:
		return in.apply(Neg, term(0, one))
	case Exp:
		return term(0, n)
	case Log:
		return in.apply(Div, term(0, one), arg(0))
	case Log1p:
		return in.apply(Div, term(0, one), in.apply(Add, one, arg(0)))
	case Expm1:
		return term(0, in.apply(Add, n, one))
	case Tanh:
		return term(0, in.apply(Sub, one, in.apply(Mul, n, n)))
	case Sigmoid:
		return term(0, in.apply(Mul, n, in.apply(Sub, one, n)))
	case Softplus:
		return term(0, in.apply(Sigmoid, arg(0)))
	case Erf:
		gauss := in.apply(Exp, in.apply(Neg, in.apply(Mul, arg(0), arg(0))))
		return term(0, in.apply(Mul, in.constant(2/math.Sqrt(math.Pi)), gauss))
	case Sqrt:
		return in.apply(Div, term(0, one), in.apply(Mul, in.constant(2), n))
	case Min:
		return in.apply(Where, in.apply(Less, arg(0), arg(1)), term(0, one), term(1, one))
	case Max:
		return in.apply(Where, in.apply(Greater, arg(0), arg(1)), term(0, one), term(1, one))
	case Where:
		return in.apply(Where, arg(0), term(1, one), term(2, one))
	}
	return zero // constants, pos, floor, comparisons
}

// Sum is a + b, for derivatives of one expression.
func Sum(a, b *Node) *Node {
	in := newInterner()
	return in.apply(Add, in.adopt(a), in.adopt(b))
}
