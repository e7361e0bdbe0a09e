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
}

func (d *differentiator) of(n *Node) *Node {
	if m, ok := d.done[n]; ok {
		return m
	}
	m := d.derive(n)
	d.done[n] = m
	return m
}

func (d *differentiator) derive(n *Node) *Node {
	in := d.in
	zero, one := in.constant(0), in.constant(1)
	arg := func(i int) *Node { return n.Args[i] }
	// chain is the derivative of a function of one argument whose own
	// derivative is outer.
	chain := func(outer *Node) *Node { return in.apply(Mul, outer, d.of(arg(0))) }
	switch n.Op {
	case Arg:
		if n.Arg == d.arg {
			return one
		}
		return zero
	case Add, Sub:
		return in.apply(n.Op, d.of(arg(0)), d.of(arg(1)))
	case Mul:
		return in.apply(Add, in.apply(Mul, d.of(arg(0)), arg(1)), in.apply(Mul, arg(0), d.of(arg(1))))
	case Div: // (a' − (a/b)·b') / b
		return in.apply(Div, in.apply(Sub, d.of(arg(0)), in.apply(Mul, n, d.of(arg(1)))), arg(1))
	case Neg:
		return in.apply(Neg, d.of(arg(0)))
	case Exp:
		return chain(n)
	case Log:
		return in.apply(Div, d.of(arg(0)), arg(0))
	case Log1p:
		return in.apply(Div, d.of(arg(0)), in.apply(Add, one, arg(0)))
	case Expm1:
		return chain(in.apply(Add, n, one))
	case Tanh:
		return chain(in.apply(Sub, one, in.apply(Mul, n, n)))
	case Sigmoid:
		return chain(in.apply(Mul, n, in.apply(Sub, one, n)))
	case Softplus:
		return chain(in.apply(Sigmoid, arg(0)))
	case Erf:
		gauss := in.apply(Exp, in.apply(Neg, in.apply(Mul, arg(0), arg(0))))
		return chain(in.apply(Mul, in.constant(2/math.Sqrt(math.Pi)), gauss))
	case Sqrt:
		return in.apply(Div, d.of(arg(0)), in.apply(Mul, in.constant(2), n))
	case Min:
		return in.apply(Where, in.apply(Less, arg(0), arg(1)), d.of(arg(0)), d.of(arg(1)))
	case Max:
		return in.apply(Where, in.apply(Greater, arg(0), arg(1)), d.of(arg(0)), d.of(arg(1)))
	case Where:
		return in.apply(Where, arg(0), d.of(arg(1)), d.of(arg(2)))
	}
	return zero // constants, pos, floor, comparisons
}

// Sum is a + b, for derivatives of one expression.
func Sum(a, b *Node) *Node {
	in := newInterner()
	return in.apply(Add, in.adopt(a), in.adopt(b))
}
