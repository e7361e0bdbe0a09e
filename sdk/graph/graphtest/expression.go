package graphtest

import (
	"fmt"
	"math/rand/v2"
)

// Expression draws an expression of package expr over args, each of which occurs
// in it, and over pos. Its value and its derivatives are bounded for arguments of
// moderate size. depth is how deep operations nest, at least.
func Expression(rng *rand.Rand, args []string, depth int) string {
	e := expression{rng: rng, args: args, unused: append([]string(nil), args...)}
	text := e.draw(depth)
	for len(e.unused) > 0 { // every argument has to occur
		text = "(" + text + " + " + fmt.Sprintf(e.pick(safe), e.leaf()) + ")"
	}
	return text
}

type expression struct {
	rng    *rand.Rand
	args   []string
	unused []string
}

func (e *expression) pick(from []string) string { return from[e.rng.IntN(len(from))] }

// leaf is an argument, one that has not occurred where there is one.
func (e *expression) leaf() string {
	if n := len(e.unused); n > 0 {
		i := e.rng.IntN(n)
		name := e.unused[i]
		e.unused = append(e.unused[:i], e.unused[i+1:]...)
		return name
	}
	switch e.rng.IntN(8) {
	case 0:
		return "pos"
	case 1:
		return fmt.Sprintf("%.3g", e.rng.Float64()*2)
	}
	return e.pick(e.args)
}

// safe are functions of one argument that are finite everywhere and, for
// arguments of moderate size, of moderate slope.
var safe = []string{
	"exp(tanh(%s))", "exp(-square(%s))", "log(0.7 + square(%s))", "log1p(square(%s))", "expm1(tanh(%s))",
	"tanh(%s)", "sigmoid(%s)", "softplus(%s)", "erf(%s)", "sqrt(0.5 + square(%s))",
	"silu(%s)", "relu(%s)", "gelu(%s)", "gelu_tanh(%s)", "tanh(0.4 * %s) * 2", "(-%s)",
	"0.5 * square(tanh(%s))", "floor(1.7 * %s) * 0.3", "(%s) / 1.7",
}

// joining are functions of two arguments, likewise. Comparisons are shifted: two
// values may be equal by the Graph's making, as what is rotated by an angle of 0, and
// differences say nothing where a function jumps.
var joining = []string{
	"(%s + %s)", "(%s - %s)", "tanh(%s) * %s", "%s * sigmoid(%s)", "%s / (1.5 + square(%s))", "%s / (1.3 + softplus(%s))",
	"min(%s, %s)", "max(%s, %s)", "(%s < %s + 0.17) * 0.5", "(%s <= %s - 0.23) * 0.5", "0.3 * (%s > %s + 0.19)", "0.3 * (%s >= %s - 0.13)",
	"0.5 * (floor(%s) == floor(%s))", "0.5 * (floor(%s) != floor(%s))",
}

// choosing are functions of four, likewise.
var choosing = []string{"where(%s > %s + 0.11, %s, %s)", "where(%s <= %s - 0.07, %s, 0.5 * %s)"}

func (e *expression) draw(depth int) string {
	if depth <= 0 {
		return e.leaf()
	}
	switch k := e.rng.IntN(10); {
	case k < 4:
		return fmt.Sprintf(e.pick(safe), e.draw(depth-1))
	case k < 9:
		return "(" + fmt.Sprintf(e.pick(joining), e.draw(depth-1), e.draw(depth-1)) + ")"
	}
	return fmt.Sprintf(e.pick(choosing), e.draw(depth-1), e.draw(depth-1), e.draw(depth-1), e.draw(depth-2))
}
