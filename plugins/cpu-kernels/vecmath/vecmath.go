package vecmath

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// active is what this process uses.
var active = fastest()

func fastest() *implementation {
	level, _ := isa.Detect() // a HONE_CPU that is not to be had is reported by who asks isa
	if f := vectorised(level); f != nil {
		return f
	}
	return plain()
}

// An implementation is all functions of this package, for arguments of equal length.
type implementation struct {
	exp, expm1, log, log1p, tanh, sigmoid, softplus, erf, sqrt, floor, neg func(dst, x []float32)

	add, sub, mul, div, min, max                            func(dst, a, b []float32)
	less, lessEqual, greater, greaterEqual, equal, notEqual func(dst, a, b []float32)
	addProduct                                              func(dst, a, b []float32)
	where                                                   func(dst, c, a, b []float32)
	scale, addScaled                                        func(dst, x []float32, factor float32)
	expSum                                                  func(dst, x []float32, shift float32) float32
	sum, largest                                            func(x []float32) float32
	dot                                                     func(a, b []float32) float32
}

// Exp sets dst to eˣ.
func Exp(dst, x []float32) { active.exp(dst[:len(x)], x) }

// Expm1 sets dst to eˣ − 1.
func Expm1(dst, x []float32) { active.expm1(dst[:len(x)], x) }

// Log sets dst to the natural logarithm of x.
func Log(dst, x []float32) { active.log(dst[:len(x)], x) }

// Log1p sets dst to the natural logarithm of 1 + x.
func Log1p(dst, x []float32) { active.log1p(dst[:len(x)], x) }

// Tanh sets dst to the hyperbolic tangent of x.
func Tanh(dst, x []float32) { active.tanh(dst[:len(x)], x) }

// Sigmoid sets dst to 1/(1 + e⁻ˣ).
func Sigmoid(dst, x []float32) { active.sigmoid(dst[:len(x)], x) }

// Softplus sets dst to log(1 + eˣ).
func Softplus(dst, x []float32) { active.softplus(dst[:len(x)], x) }

// Erf sets dst to the error function of x.
func Erf(dst, x []float32) { active.erf(dst[:len(x)], x) }

// Sqrt sets dst to the square root of x.
func Sqrt(dst, x []float32) { active.sqrt(dst[:len(x)], x) }

// Floor sets dst to the greatest integer not above x.
func Floor(dst, x []float32) { active.floor(dst[:len(x)], x) }

// Neg sets dst to −x.
func Neg(dst, x []float32) { active.neg(dst[:len(x)], x) }

// Add sets dst to a + b.
func Add(dst, a, b []float32) { active.add(dst[:len(a)], a, b[:len(a)]) }

// Sub sets dst to a − b.
func Sub(dst, a, b []float32) { active.sub(dst[:len(a)], a, b[:len(a)]) }

// Mul sets dst to a·b.
func Mul(dst, a, b []float32) { active.mul(dst[:len(a)], a, b[:len(a)]) }

// Div sets dst to a/b.
func Div(dst, a, b []float32) { active.div(dst[:len(a)], a, b[:len(a)]) }

// Min sets dst to the lesser of a and b; to b where either is NaN or both are equal.
func Min(dst, a, b []float32) { active.min(dst[:len(a)], a, b[:len(a)]) }

// Max sets dst to the greater of a and b; to b where either is NaN or both are equal.
func Max(dst, a, b []float32) { active.max(dst[:len(a)], a, b[:len(a)]) }

// Less sets dst to 1 where a < b, else to 0.
func Less(dst, a, b []float32) { active.less(dst[:len(a)], a, b[:len(a)]) }

// LessEqual sets dst to 1 where a ≤ b, else to 0.
func LessEqual(dst, a, b []float32) { active.lessEqual(dst[:len(a)], a, b[:len(a)]) }

// Greater sets dst to 1 where a > b, else to 0.
func Greater(dst, a, b []float32) { active.greater(dst[:len(a)], a, b[:len(a)]) }

// GreaterEqual sets dst to 1 where a ≥ b, else to 0.
func GreaterEqual(dst, a, b []float32) { active.greaterEqual(dst[:len(a)], a, b[:len(a)]) }

// Equal sets dst to 1 where a = b, else to 0.
func Equal(dst, a, b []float32) { active.equal(dst[:len(a)], a, b[:len(a)]) }

// NotEqual sets dst to 1 where a ≠ b, which NaN is to all, else to 0.
func NotEqual(dst, a, b []float32) { active.notEqual(dst[:len(a)], a, b[:len(a)]) }

// Where sets dst to a where c is not 0, else to b.
func Where(dst, c, a, b []float32) { active.where(dst[:len(c)], c, a[:len(c)], b[:len(c)]) }

// Scale sets dst to factor·x.
func Scale(dst, x []float32, factor float32) { active.scale(dst[:len(x)], x, factor) }

// AddScaled adds factor·x to dst.
func AddScaled(dst, x []float32, factor float32) { active.addScaled(dst[:len(x)], x, factor) }

// AddProduct adds a·b to dst.
func AddProduct(dst, a, b []float32) { active.addProduct(dst[:len(a)], a, b[:len(a)]) }
