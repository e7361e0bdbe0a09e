package formula

import (
	"math"
	"strconv"
	"strings"
)

// A kind is the type of a node's value. Truth values are 0 and 1 when they are
// computed.
type kind string

const (
	number kind = "number"
	truth  kind = "bool"
)

// A node is one operation of a formula.
type node interface {
	kind() kind
	eval(vars map[string]float64) float64
	text() string // in the grammar of HCL
	level() int   // of precedence; a child of a lower one needs parentheses
	children() []node
}

// Levels of precedence, as HCL has them.
const (
	levelCondition = iota
	levelOr
	levelAnd
	levelEqual
	levelCompare
	levelAdd
	levelMultiply
	levelUnary
	levelTerm
)

type constant struct {
	value float64
	of    kind
}

func (c constant) kind() kind                      { return c.of }
func (c constant) eval(map[string]float64) float64 { return c.value }
func (c constant) children() []node                { return nil }
func (c constant) level() int {
	if c.value < 0 {
		return levelUnary
	}
	return levelTerm
}
func (c constant) text() string {
	if c.of == truth {
		return strconv.FormatBool(c.value != 0)
	}
	return strconv.FormatFloat(c.value, 'g', -1, 64)
}

type variable string

func (v variable) kind() kind                           { return number }
func (v variable) eval(vars map[string]float64) float64 { return vars[string(v)] }
func (v variable) children() []node                     { return nil }
func (v variable) level() int                           { return levelTerm }
func (v variable) text() string                         { return string(v) }

type unary struct {
	operator string // "-" or "!"
	x        node
}

func (u unary) kind() kind {
	if u.operator == "!" {
		return truth
	}
	return number
}
func (u unary) eval(vars map[string]float64) float64 {
	x := u.x.eval(vars)
	if u.operator == "!" {
		return fromBool(x == 0)
	}
	return -x
}
func (u unary) children() []node { return []node{u.x} }
func (u unary) level() int       { return levelUnary }
func (u unary) text() string     { return u.operator + within(u.x, levelTerm) }

type binary struct {
	operator string
	x, y     node
}

func (b binary) kind() kind {
	if b.level() >= levelAdd {
		return number
	}
	return truth
}

func (b binary) eval(vars map[string]float64) float64 {
	x, y := b.x.eval(vars), b.y.eval(vars)
	switch b.operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "%":
		return math.Mod(x, y)
	case "||":
		return fromBool(x != 0 || y != 0)
	case "&&":
		return fromBool(x != 0 && y != 0)
	case "==":
		return fromBool(x == y)
	case "!=":
		return fromBool(x != y)
	case ">":
		return fromBool(x > y)
	case ">=":
		return fromBool(x >= y)
	case "<":
		return fromBool(x < y)
	}
	return fromBool(x <= y)
}

func (b binary) children() []node { return []node{b.x, b.y} }

func (b binary) level() int {
	switch b.operator {
	case "||":
		return levelOr
	case "&&":
		return levelAnd
	case "==", "!=":
		return levelEqual
	case "<", "<=", ">", ">=":
		return levelCompare
	case "+", "-":
		return levelAdd
	}
	return levelMultiply
}

// text groups to the left, as HCL does.
func (b binary) text() string {
	return within(b.x, b.level()) + " " + b.operator + " " + within(b.y, b.level()+1)
}

type condition struct{ test, yes, no node }

func (c condition) kind() kind { return c.yes.kind() }
func (c condition) eval(vars map[string]float64) float64 {
	if c.test.eval(vars) != 0 {
		return c.yes.eval(vars)
	}
	return c.no.eval(vars)
}
func (c condition) children() []node { return []node{c.test, c.yes, c.no} }
func (c condition) level() int       { return levelCondition }
func (c condition) text() string {
	return within(c.test, levelOr) + " ? " + within(c.yes, levelOr) + " : " + within(c.no, levelOr)
}

type call struct {
	name string
	f    func([]float64) float64
	args []node
}

func (c call) kind() kind { return number }
func (c call) eval(vars map[string]float64) float64 {
	x := make([]float64, len(c.args))
	for i, arg := range c.args {
		x[i] = arg.eval(vars)
	}
	return c.f(x)
}
func (c call) children() []node { return c.args }
func (c call) level() int       { return levelTerm }
func (c call) text() string {
	args := make([]string, len(c.args))
	for i, arg := range c.args {
		args[i] = arg.text()
	}
	return c.name + "(" + strings.Join(args, ", ") + ")"
}

// within is a node's text, in parentheses where its level is below.
func within(n node, level int) string {
	if n.level() < level {
		return "(" + n.text() + ")"
	}
	return n.text()
}

func fromBool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
