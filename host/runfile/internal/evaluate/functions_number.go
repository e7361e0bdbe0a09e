package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func numberFunctions() []Function {
	one := func(f func(x float64) float64) function.Function {
		return numeric([]string{"x"}, "", func(x []float64) float64 { return f(x[0]) })
	}
	return []Function{
		{"abs", "abs(x)", "The number without its sign.", stdlib.AbsoluteFunc},
		{"ceil", "ceil(x)", "The nearest whole number that is not below x.", stdlib.CeilFunc},
		{"exp", "exp(x)", "The exponential function.", one(math.Exp)},
		{"floor", "floor(x)", "The nearest whole number that is not above x.", stdlib.FloorFunc},
		{"log", "log(x) or log(x, base)", "The logarithm, natural without a base.", numeric([]string{"x"}, "base", Log)},
		{"max", "max(numbers...)", "The greatest of the numbers.", stdlib.MaxFunc},
		{"min", "min(numbers...)", "The least of the numbers.", stdlib.MinFunc},
		{"pow", "pow(x, y)", "x to the power of y.", numeric([]string{"x", "y"}, "", func(x []float64) float64 { return math.Pow(x[0], x[1]) })},
		{"round", "round(x)", "The nearest whole number, halves away from zero.", one(math.Round)},
		{"signum", "signum(x)", "-1, 0 or 1: the sign of the number.", stdlib.SignumFunc},
		{"sqrt", "sqrt(x)", "The square root.", one(math.Sqrt)},
		{"sum", "sum(list)", "The sum of a list of numbers.", sumFunction()},
	}
}

// Log is the logarithm of x[0], to the base x[1] where there is one, else
// natural. Of a power of its base it is a whole number.
func Log(x []float64) float64 {
	if len(x) < 2 {
		return math.Log(x[0])
	}
	y := math.Log(x[0]) / math.Log(x[1])
	if whole := math.Round(y); math.Pow(x[1], whole) == x[0] {
		return whole
	}
	return y
}

// numeric is a function over float64s; optional names a last parameter that may
// be left out. A result that is no number is an error.
func numeric(params []string, optional string, f func([]float64) float64) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(cty.Number)}
	for _, name := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: name, Type: cty.Number})
	}
	if optional != "" {
		spec.VarParam = &function.Parameter{Name: optional, Type: cty.Number}
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if len(args) > len(params)+1 {
			return cty.NilVal, fmt.Errorf("at most %d arguments are possible", len(params)+1)
		}
		x := make([]float64, len(args))
		for i, arg := range args {
			x[i], _ = arg.AsBigFloat().Float64()
		}
		y := f(x)
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return cty.NilVal, fmt.Errorf("there is no such number for %v", x)
		}
		return cty.NumberFloatVal(y), nil
	}
	return function.New(spec)
}

func sumFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			total := cty.Zero
			for it := args[0].ElementIterator(); it.Next(); {
				_, x := it.Element()
				if x.IsNull() {
					return cty.NilVal, fmt.Errorf("an element is null")
				}
				total = total.Add(x)
			}
			return total, nil
		},
	})
}
