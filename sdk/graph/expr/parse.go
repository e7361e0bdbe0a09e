package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limits of an expression: what anyone writes is far below them, and they keep
// the parser and the derivative from growing without bound.
const (
	MaxLength = 4096 // bytes of text
	MaxNodes  = 2048 // nodes after expansion
	maxDepth  = 100  // nested parentheses and calls
)

// An Expr is a parsed expression over named arguments.
type Expr struct {
	Text string   // as it was written
	Args []string // the arguments' names
	Root *Node
}

// primitives maps the functions that are operations to their operation; the
// number of arguments follows from arity.
var primitives = map[string]Op{
	"exp": Exp, "log": Log, "log1p": Log1p, "expm1": Expm1, "tanh": Tanh, "sigmoid": Sigmoid,
	"softplus": Softplus, "erf": Erf, "sqrt": Sqrt, "floor": Floor, "min": Min, "max": Max, "where": Where,
}

func arity(op Op) int {
	switch op {
	case Const, Arg, Pos:
		return 0
	case Add, Sub, Mul, Div, Min, Max, Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual:
		return 2
	case Where:
		return 3
	}
	return 1
}

// defined are the functions that stand for others. Each has one argument.
var defined = map[string]func(*interner, *Node) *Node{
	"silu": func(in *interner, x *Node) *Node { return in.apply(Mul, x, in.apply(Sigmoid, x)) },
	"relu": func(in *interner, x *Node) *Node { return in.apply(Max, x, in.constant(0)) },
	"square": func(in *interner, x *Node) *Node {
		return in.apply(Mul, x, x)
	},
	"gelu": func(in *interner, x *Node) *Node {
		erf := in.apply(Erf, in.apply(Mul, x, in.constant(1/math.Sqrt2)))
		return in.apply(Mul, in.apply(Mul, in.constant(0.5), x), in.apply(Add, in.constant(1), erf))
	},
	"gelu_tanh": func(in *interner, x *Node) *Node {
		cube := in.apply(Mul, in.apply(Mul, x, x), x)
		inner := in.apply(Add, x, in.apply(Mul, in.constant(0.044715), cube))
		tanh := in.apply(Tanh, in.apply(Mul, in.constant(math.Sqrt(2/math.Pi)), inner))
		return in.apply(Mul, in.apply(Mul, in.constant(0.5), x), in.apply(Add, in.constant(1), tanh))
	},
}

// Reserved reports whether name cannot name an argument: it is pos or a function.
func Reserved(name string) bool {
	_, function := primitives[name]
	return name == "pos" || function || defined[name] != nil
}

// Parse reads text, an expression over the arguments args. Errors name the byte
// at which the text stops making sense, counted from 1.
func Parse(text string, args []string) (*Expr, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("expression of %d bytes: at most %d are allowed", len(text), MaxLength)
	}
	names := make(map[string]int, len(args))
	for i, a := range args {
		if !isName(a) || Reserved(a) {
			return nil, fmt.Errorf("%q cannot name an argument", a)
		}
		if _, twice := names[a]; twice {
			return nil, fmt.Errorf("two arguments are named %q", a)
		}
		names[a] = i
	}
	p := parser{text: text, names: names, in: newInterner()}
	root, err := p.expression(0)
	if err == nil {
		p.space()
		if p.at < len(text) {
			err = p.errorf("unexpected %q", text[p.at:])
		}
	}
	if err == nil && len(p.in.nodes) > MaxNodes {
		err = fmt.Errorf("more than %d operations", MaxNodes)
	}
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	return &Expr{Text: text, Args: append([]string(nil), args...), Root: root}, nil
}

type parser struct {
	text  string
	at    int
	names map[string]int
	in    *interner
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// accept skips white space and then the first of tokens that stands here.
func (p *parser) accept(tokens ...string) string {
	p.space()
	for _, t := range tokens {
		if strings.HasPrefix(p.text[p.at:], t) {
			p.at += len(t)
			return t
		}
	}
	return ""
}

var comparisons = map[string]Op{
	"<=": LessEqual, ">=": GreaterEqual, "==": Equal, "!=": NotEqual, "<": Less, ">": Greater,
}

func (p *parser) expression(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, p.errorf("nested more than %d deep", maxDepth)
	}
	left, err := p.binary(depth, 0)
	if err != nil {
		return nil, err
	}
	sign := p.accept("<=", ">=", "==", "!=", "<", ">")
	if sign == "" {
		return left, nil
	}
	right, err := p.binary(depth, 0)
	if err != nil {
		return nil, err
	}
	return p.in.apply(comparisons[sign], left, right), nil
}

// levels are the binary operators, the loosest first.
var levels = [][2]struct {
	sign string
	op   Op
}{{{"+", Add}, {"-", Sub}}, {{"*", Mul}, {"/", Div}}}

func (p *parser) binary(depth, level int) (*Node, error) {
	if level == len(levels) {
		return p.unary(depth)
	}
	left, err := p.binary(depth, level+1)
	for err == nil {
		var right *Node
		op := levels[level][0].op
		switch p.accept(levels[level][0].sign, levels[level][1].sign) {
		case "":
			return left, nil
		case levels[level][1].sign:
			op = levels[level][1].op
		}
		if right, err = p.binary(depth, level+1); err == nil {
			left = p.in.apply(op, left, right)
		}
	}
	return nil, err
}

func (p *parser) unary(depth int) (*Node, error) {
	negative := false
	for p.accept("-") != "" {
		negative = !negative
	}
	n, err := p.primary(depth)
	if err == nil && negative {
		n = p.in.apply(Neg, n)
	}
	return n, err
}

func (p *parser) primary(depth int) (*Node, error) {
	if p.accept("(") != "" {
		n, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.accept(")") == "" {
			return nil, p.errorf("expected )")
		}
		return n, nil
	}
	p.space()
	start := p.at
	for p.at < len(p.text) && (isLetter(p.text[p.at]) || p.at > start && isDigit(p.text[p.at])) {
		p.at++
	}
	if name := p.text[start:p.at]; name != "" {
		return p.named(name, start, depth)
	}
	return p.number()
}

func (p *parser) number() (*Node, error) {
	start := p.at
	digits := func() {
		for p.at < len(p.text) && isDigit(p.text[p.at]) {
			p.at++
		}
	}
	digits()
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		digits()
	}
	if p.at > start && p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		p.at++
		if p.at < len(p.text) && (p.text[p.at] == '+' || p.text[p.at] == '-') {
			p.at++
		}
		digits()
	}
	v, err := strconv.ParseFloat(p.text[start:p.at], 64)
	if err != nil || math.IsInf(v, 0) {
		p.at = start
		return nil, p.errorf("expected a number, a name or (")
	}
	return p.in.constant(v), nil
}

func (p *parser) named(name string, start, depth int) (*Node, error) {
	op, primitive := primitives[name]
	sugar := defined[name]
	if !primitive && sugar == nil {
		if name == "pos" {
			return p.in.pos(), nil
		}
		if i, ok := p.names[name]; ok {
			return p.in.arg(i), nil
		}
		p.at = start
		return nil, p.errorf("%q is no argument and no function", name)
	}
	want := 1
	if primitive {
		want = arity(op)
	}
	if p.accept("(") == "" {
		return nil, p.errorf("expected ( after %s", name)
	}
	var args []*Node
	for {
		a, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
		if p.accept(",") == "" {
			break
		}
	}
	if p.accept(")") == "" {
		return nil, p.errorf("expected )")
	}
	if len(args) != want {
		p.at = start
		return nil, p.errorf("%s takes %d arguments, not %d", name, want, len(args))
	}
	if sugar != nil {
		return sugar(p.in, args[0]), nil
	}
	return p.in.apply(op, args...), nil
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func isName(s string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (i == 0 || !isDigit(s[i])) {
			return false
		}
	}
	return s != ""
}
