package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// lookupNumberFilter are the filters of numbers, and those that make them.
func lookupNumberFilter(name string) filter {
	switch name {
	case "abs":
		return absFilter
	case "int":
		return intFilter
	case "float":
		return floatFilter
	case "round":
		return roundFilter
	case "filesizeformat":
		return filesizeFilter
	}
	return nil
}

func absFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	if _, err := given("abs", 0, args); err != nil {
		return nil, err
	}
	switch n := v.(type) {
	case Float:
		return Float(math.Abs(float64(n))), nil
	case bigInt:
		return bigInt{new(big.Int).Abs(n.value)}, nil
	}
	n, ok := asInt(v)
	if !ok {
		return nil, failf("abs needs a number, not a %s", v.typeName())
	}
	if n < 0 {
		return unary("-", Int(n))
	}
	return Int(n), nil
}

// intFilter makes an integer of a number or string, or gives the default.
func intFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("int", 0, args, "default", "base")
	if err != nil {
		return nil, err
	}
	other := bound[0]
	if other == nil {
		other = Int(0)
	}
	base, err := count("the base of int", bound[1], 10)
	if err != nil {
		return nil, err
	}
	switch n := v.(type) {
	case *undefined:
		return nil, n.fail()
	case bigInt:
		return n, nil
	case Float:
		if i, ok := floatToInteger(float64(n)); ok {
			return i, nil
		}
		return other, nil
	case String:
		if i, ok := parseInteger(n.Text, base); ok {
			return i, nil
		}
		if f, ok := parseFloat(n.Text); ok {
			if i, ok := floatToInteger(f); ok {
				return i, nil
			}
		}
		return other, nil
	}
	if n, ok := asInt(v); ok {
		return Int(n), nil
	}
	return other, nil
}

// parseInteger reads an integer as Python's int() does: white space around it, a
// sign, single underscores between digits, and for base 0 a prefix.
func parseInteger(s string, base int64) (Value, bool) {
	s = strings.TrimFunc(s, isSpace)
	if base != 0 && (base < 2 || base > 36) || len(s) > maxDigits {
		return nil, false
	}
	sign := ""
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, s = s[:1], s[1:]
	}
	if len(s) > 2 && s[0] == '0' {
		prefix := map[byte]int64{'b': 2, 'o': 8, 'x': 16}[s[1]|0x20]
		if prefix != 0 && (base == prefix || base == 0) {
			base, s = prefix, strings.TrimPrefix(s[2:], "_")
		}
	}
	if base == 0 {
		if strings.Trim(s, "0_") != "" && strings.HasPrefix(s, "0") {
			return nil, false
		}
		base = 10
	}
	if s == "" || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") || strings.ContainsAny(s, "+-") {
		return nil, false
	}
	n, ok := new(big.Int).SetString(strings.TrimPrefix(sign, "+")+strings.ReplaceAll(s, "_", ""), int(base))
	if !ok {
		return nil, false
	}
	return integer(n), true
}

// parseFloat reads a float as Python's float() does.
func parseFloat(s string) (float64, bool) {
	s = strings.TrimFunc(s, isSpace)
	if strings.ContainsAny(s, "xXpP") {
		return 0, false
	}
	if strings.Contains(s, "_") {
		for i := range s {
			if s[i] == '_' && (i == 0 || i+1 == len(s) || !isDecimal(s[i-1]) || !isDecimal(s[i+1])) {
				return 0, false
			}
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func floatFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("float", 0, args, "default")
	if err != nil {
		return nil, err
	}
	switch n := v.(type) {
	case *undefined:
		return nil, n.fail()
	case String:
		if f, ok := parseFloat(n.Text); ok {
			return Float(f), nil
		}
	default:
		if f, ok := asFloat(v); ok {
			return Float(f), nil
		}
	}
	if bound[0] == nil {
		return Float(0), nil
	}
	return bound[0], nil
}

// roundFilter rounds: 'common' to the nearest, halves to even, 'ceil' up, 'floor'
// down.
func roundFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("round", 0, args, "precision", "method")
	if err != nil {
		return nil, err
	}
	method := text("common")
	if bound[1] != nil {
		method, _ = bound[1].(String)
	}
	precision, err := count("the precision of round", bound[0], 0)
	if err != nil {
		return nil, err
	}
	f, ok := asFloat(v)
	if !ok {
		return nil, failf("round needs a number, not a %s", v.typeName())
	}
	if n, ok := asInt(v); ok && method.Text == "common" {
		return roundInteger(n, precision)
	}
	var toward func(float64) float64
	switch method.Text {
	case "common":
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return Float(f), nil
		}
		return Float(roundFloat(f, precision)), nil
	case "ceil":
		toward = math.Ceil
	case "floor":
		toward = math.Floor
	default:
		return nil, failf("the method of round must be 'common', 'ceil' or 'floor'")
	}
	if precision > 300 || precision < -300 {
		return nil, failf("the precision of round is beyond 300 digits")
	}
	scale := math.Pow(10, float64(precision))
	scaled := toward(f * scale)
	if math.IsInf(scaled, 0) || math.IsNaN(scaled) {
		return nil, failf("%s cannot be rounded to %d digits", reprFloat(f), precision)
	}
	return Float(scaled / scale), nil
}

// roundInteger rounds to tens, hundreds … for a negative precision, halves to even.
func roundInteger(n, precision int64) (Value, error) {
	if precision >= 0 {
		return Int(n), nil
	}
	if precision < -18 {
		return Int(0), nil
	}
	scale, _ := power(10, -precision)
	quotient := floorDivide(n, scale)
	rest := n - quotient*scale
	if rest > scale-rest || rest == scale-rest && quotient%2 != 0 {
		quotient++
	}
	rounded, ok := multiply(quotient, scale)
	if !ok {
		return nil, overflow()
	}
	return Int(rounded), nil
}

// roundFloat rounds the exact value of f to decimal digits, halves to even.
func roundFloat(f float64, precision int64) float64 {
	switch {
	case precision > 340:
		return f
	case precision < -310:
		return math.Copysign(0, f)
	case precision >= 0:
		out, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
		return out
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(-precision), nil)
	exact := new(big.Rat).SetFloat64(f)
	exact.Quo(exact, new(big.Rat).SetInt(scale))
	whole, rest := new(big.Int).DivMod(exact.Num(), exact.Denom(), new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(exact.Denom()) {
	case 1:
		whole.Add(whole, big.NewInt(1))
	case 0:
		whole.Add(whole, new(big.Int).And(whole, big.NewInt(1)))
	}
	out, _ := new(big.Float).SetInt(whole.Mul(whole, scale)).Float64()
	if out == 0 {
		return math.Copysign(0, f)
	}
	return out
}

// filesizeFilter is a number of bytes for people to read.
func filesizeFilter(_ *renderer, v Value, args callArguments) (Value, error) {
	bound, err := given("filesizeformat", 0, args, "binary")
	if err != nil {
		return nil, err
	}
	size, ok := asFloat(v)
	if s, isText := v.(String); isText {
		size, ok = parseFloat(s.Text)
	}
	if !ok {
		return nil, failf("filesizeformat needs a number, not a %s", v.typeName())
	}
	base, suffix := 1000.0, "B"
	prefixes := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if flag(bound[0]) {
		base, suffix = 1024, "iB"
		prefixes[0] = "K"
	}
	switch {
	case size == 1:
		return text("1 Byte"), nil
	case size < base:
		n, ok := floatToInteger(size)
		if !ok {
			return nil, failf("filesizeformat needs a finite number")
		}
		digits, negative := integerDigits(n, 'd')
		return text(signOf(negative, 0) + digits + " Bytes"), nil
	}
	for i, prefix := range prefixes {
		unit := math.Pow(base, float64(i+2))
		if size < unit || i == len(prefixes)-1 {
			return text(strconv.FormatFloat(base*size/unit, 'f', 1, 64) + " " + prefix + suffix), nil
		}
	}
	return nil, failf("filesizeformat needs a finite number")
}
