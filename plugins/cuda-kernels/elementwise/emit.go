package elementwise

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/graph/expr"
)

// code is one or more expressions as a function of CUDA C++, compute, and what it
// takes: argument i as a float xi, then pos.
type code struct {
	program *expr.Program
	args    []int // indices of the arguments that it reads, ascending
	pos     bool
}

func newCode(roots ...*expr.Node) *code {
	c := &code{program: expr.Compile(roots...)}
	for _, i := range c.program.Instrs {
		switch i.Op {
		case expr.Arg:
			if !slices.Contains(c.args, i.Arg) {
				c.args = append(c.args, i.Arg)
			}
		case expr.Pos:
			c.pos = true
		}
	}
	slices.Sort(c.args)
	return c
}

// function is the text of compute. Output k goes to its reference parameter outk.
func (c *code) function() string {
	var b strings.Builder
	var params []string
	for _, a := range c.args {
		params = append(params, fmt.Sprintf("float x%d", a))
	}
	if c.pos {
		params = append(params, "float pos")
	}
	for k := range c.program.Outputs {
		params = append(params, fmt.Sprintf("float &out%d", k))
	}
	fmt.Fprintf(&b, "__device__ __forceinline__ void compute(%s) {\n", strings.Join(params, ", "))
	for i, instr := range c.program.Instrs {
		fmt.Fprintf(&b, "    const float r%d = %s;\n", i, operation(instr))
	}
	for k, r := range c.program.Outputs {
		fmt.Fprintf(&b, "    out%d = r%d;\n", k, r)
	}
	b.WriteString("}\n")
	return b.String()
}

// operations are the texts of an operation, A, B and C standing for its operands.
// Each is the definition in package expr, in float32.
var operations = map[expr.Op]string{
	expr.Add: "A + B", expr.Sub: "A - B", expr.Mul: "A * B", expr.Div: "A / B", expr.Neg: "-A",
	expr.Exp: "expf(A)", expr.Log: "logf(A)", expr.Log1p: "log1pf(A)", expr.Expm1: "expm1f(A)",
	expr.Tanh: "tanhf(A)", expr.Sigmoid: "1.0f / (1.0f + expf(-A))",
	expr.Softplus: "fmaxf(A, 0.0f) + log1pf(expf(-fabsf(A)))",
	expr.Erf:      "erff(A)", expr.Sqrt: "sqrtf(A)", expr.Floor: "floorf(A)",
	expr.Min: "A < B ? A : B", expr.Max: "A > B ? A : B",
	expr.Less: "A < B ? 1.0f : 0.0f", expr.LessEqual: "A <= B ? 1.0f : 0.0f",
	expr.Greater: "A > B ? 1.0f : 0.0f", expr.GreaterEqual: "A >= B ? 1.0f : 0.0f",
	expr.Equal: "A == B ? 1.0f : 0.0f", expr.NotEqual: "A != B ? 1.0f : 0.0f",
	expr.Where: "A != 0.0f ? B : C",
}

func operation(i expr.Instr) string {
	switch i.Op {
	case expr.Const:
		return constant(i.Const)
	case expr.Arg:
		return fmt.Sprintf("x%d", i.Arg)
	case expr.Pos:
		return "pos"
	}
	register := func(r int) string { return fmt.Sprintf("r%d", r) }
	return strings.NewReplacer("A", register(i.A), "B", register(i.B), "C", register(i.C)).Replace(operations[i.Op])
}

// constant is a number's float32 to the bit, infinities and NaN too.
func constant(v float64) string {
	return fmt.Sprintf("__uint_as_float(0x%08xu)", math.Float32bits(float32(v)))
}
