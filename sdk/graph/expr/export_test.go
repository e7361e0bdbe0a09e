package expr

// DerivativeFlipped is Derivative with the signs of some terms wrong: flip is asked
// for each term of each operation.
func (e *Expr) DerivativeFlipped(arg int, flip func(op Op, term int) bool) *Node {
	d := differentiator{in: newInterner(), arg: arg, done: map[*Node]*Node{}, flip: flip}
	return d.of(d.in.adopt(e.Root))
}
