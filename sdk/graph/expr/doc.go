// Package expr is the language of the Graph's map op: element-wise expressions
// such as
//
//	silu(gate) * up
//	30 * tanh(logits / 30)
//	where(x > 0, x, alpha * expm1(x))
//
// An expression is over named arguments and the constant pos, the token's
// position in its document. [Parse] reads it, [Expr.Derivative] differentiates
// it by an argument, and [Compile] turns one or more expressions into a
// [Program]: straight-line code over registers, common subexpressions computed
// once, which a backend interprets, vectorises or prints in its own language.
// How arguments broadcast is the Graph's business, not this package's.
//
// # Grammar
//
//	expression = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ]
//	sum        = product { ( "+" | "-" ) product }
//	product    = unary { ( "*" | "/" ) unary }
//	unary      = "-" unary | primary
//	primary    = number | name | function "(" expression { "," expression } ")" | "(" expression ")"
//	number     = decimal digits with an optional fraction and exponent
//	name       = a letter or underscore, then letters, digits and underscores
//
// A comparison is 1 where it holds and 0 where it does not; a comparison with a
// NaN does not hold, but for !=.
//
// # Functions
//
// Primitive, and all that a backend has to know: exp, log, log1p, expm1, tanh,
// sigmoid, softplus, erf, sqrt, floor, min, max, where(condition, then, else).
// min and max give their second argument where either is NaN or both are equal;
// where takes "then" if the condition is not 0, and neither the value nor the
// derivative of the branch not taken has any effect. softplus(x) is
// log(1 + exp(x)), without overflow.
//
// Defined by the others: silu(x) = x * sigmoid(x); relu(x) = max(x, 0);
// square(x) = x * x; gelu(x) = x * (1 + erf(x / √2)) / 2; gelu_tanh(x) =
// x * (1 + tanh(√(2/π) * (x + 0.044715 x³))) / 2 (Hendrycks and Gimpel, 2016).
//
// # Precision
//
// Constants are float64 and rounded to the precision that a backend computes
// in. A backend evaluates a whole expression in float32 or better and rounds
// once, at its end.
package expr
