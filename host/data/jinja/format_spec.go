package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth is the largest width or precision of a format.
const maxWidth = 1 << 20

// formatSpec is how a value is laid out: the format specification of Python's
// format(), [[fill]align][sign][z][#][0][width][grouping][.precision][kind].
type formatSpec struct {
	fill      string
	align     byte // < > = ^ or 0
	sign      byte // + - space or 0
	alternate bool
	zero      bool
	width     int
	grouping  byte // , _ or 0
	precision int  // -1: none
	kind      byte // 0: none
}

// parseFormatSpec reads a specification.
func parseFormatSpec(s string) (formatSpec, error) {
	spec := formatSpec{precision: -1}
	whole := s
	if _, n := utf8.DecodeRuneInString(s); n < len(s) && strings.IndexByte("<>=^", s[n]) >= 0 {
		spec.fill, spec.align = s[:n], s[n]
		s = s[n+1:]
	} else if s != "" && strings.IndexByte("<>=^", s[0]) >= 0 {
		spec.align = s[0]
		s = s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		spec.sign = s[0]
		s = s[1:]
	}
	if strings.HasPrefix(s, "#") {
		spec.alternate = true
		s = s[1:]
	}
	if strings.HasPrefix(s, "0") && spec.fill == "" {
		spec.zero = true
		s = s[1:]
	}
	var err error
	if spec.width, s, err = formatSize(s, 0); err != nil {
		return spec, err
	}
	if s != "" && (s[0] == ',' || s[0] == '_') {
		spec.grouping = s[0]
		s = s[1:]
	}
	if strings.HasPrefix(s, ".") {
		if spec.precision, s, err = formatSize(s[1:], -1); err != nil {
			return spec, err
		}
		if spec.precision < 0 {
			return spec, failf("the format '%s' has no precision after its point", shortened(whole))
		}
	}
	if s != "" {
		spec.kind = s[0]
		s = s[1:]
	}
	if s != "" {
		return spec, failf("'%s' is not a format", shortened(whole))
	}
	return spec, nil
}

func formatSize(s string, none int) (int, string, error) {
	n := 0
	for n < len(s) && isDecimal(s[n]) {
		n++
	}
	if n == 0 {
		return none, s, nil
	}
	size, err := strconv.Atoi(s[:n])
	if err != nil || size > maxWidth {
		return 0, "", limitf("a width or precision in a format is more than %d", maxWidth)
	}
	return size, s[n:], nil
}

// format is format(v, specification).
func (rt *renderer) format(v Value, specification string) (string, error) {
	if specification == "" {
		s, err := rt.str(v)
		return s.Text, err
	}
	switch v.(type) {
	case String, Int, Bool, Float, bigInt:
	default:
		return "", failf("a %s cannot be formatted with '%s'", v.typeName(), shortened(specification))
	}
	spec, err := parseFormatSpec(specification)
	if err != nil {
		return "", err
	}
	if s, ok := v.(String); ok {
		return rt.formatText(s.Text, &spec)
	}
	if spec.kind == 'n' && spec.grouping != 0 {
		return "", failf("the format 'n' groups digits itself")
	}
	if spec.kind == 'c' {
		if spec.precision >= 0 || spec.sign != 0 || spec.alternate || spec.grouping != 0 {
			return "", failf("the format 'c' takes no sign, precision or grouping")
		}
		c, err := character(v)
		if err != nil {
			return "", err
		}
		return rt.padText(c, &spec)
	}
	if strings.IndexByte("eEfFgG%", spec.kind) >= 0 && spec.kind != 0 || isFloat(v) {
		f, _ := asFloat(v)
		return rt.formatFloat(f, &spec)
	}
	return rt.formatInteger(v, &spec)
}

func (rt *renderer) formatText(s string, spec *formatSpec) (string, error) {
	if spec.kind != 0 && spec.kind != 's' || spec.sign != 0 || spec.alternate || spec.grouping != 0 || spec.align == '=' {
		return "", failf("a string cannot have this format")
	}
	if spec.zero && spec.fill == "" {
		spec.fill = "0"
	}
	if spec.align == 0 {
		spec.align = '<'
	}
	return rt.padText(s, spec)
}

// padText cuts a text to the precision and pads it to the width.
func (rt *renderer) padText(s string, spec *formatSpec) (string, error) {
	n, err := rt.characters(s)
	if err != nil {
		return "", err
	}
	if spec.precision >= 0 && n > spec.precision {
		s, n = substring(s, 0, spec.precision), spec.precision
	}
	left, right := 0, 0
	if missing := spec.width - n; missing > 0 {
		switch spec.align {
		case '<':
			right = missing
		case '^':
			left = missing / 2
			right = missing - left
		default:
			left = missing
		}
	}
	fill := spec.fill
	if fill == "" {
		fill = " "
	}
	if err := rt.grow(len(s) + (left+right)*len(fill)); err != nil {
		return "", err
	}
	return strings.Repeat(fill, left) + s + strings.Repeat(fill, right), nil
}

func signOf(negative bool, sign byte) string {
	switch {
	case negative:
		return "-"
	case sign == '+' || sign == ' ':
		return string(sign)
	}
	return ""
}

// padNumber pads a number; "=" puts the padding between prefix and digits.
func (rt *renderer) padNumber(prefix, digits string, spec *formatSpec) (string, error) {
	layout := *spec
	layout.precision = -1
	if layout.align == 0 {
		layout.align = '>'
	}
	if layout.align != '=' {
		return rt.padText(prefix+digits, &layout)
	}
	layout.align = '>'
	layout.width -= len(prefix)
	s, err := rt.padText(digits, &layout)
	return prefix + s, err
}

// integerDigits are the digits of an integer in the base of a format kind.
func integerDigits(v Value, kind byte) (digits string, negative bool) {
	n := new(big.Int)
	if b, ok := v.(bigInt); ok {
		n.Set(b.value)
	} else {
		i, _ := asInt(v)
		n.SetInt64(i)
	}
	negative = n.Sign() < 0
	n.Abs(n)
	switch kind {
	case 'b':
		return n.Text(2), negative
	case 'o':
		return n.Text(8), negative
	case 'x':
		return n.Text(16), negative
	case 'X':
		return strings.ToUpper(n.Text(16)), negative
	}
	return n.String(), negative
}

func (rt *renderer) formatInteger(v Value, spec *formatSpec) (string, error) {
	kind := spec.kind
	if kind == 0 || kind == 'n' {
		kind = 'd'
	}
	if strings.IndexByte("bodxX", kind) < 0 || spec.precision >= 0 {
		return "", failf("an integer cannot have this format")
	}
	digits, negative := integerDigits(v, kind)
	size := 3
	if kind != 'd' {
		if spec.grouping == ',' {
			return "", failf("',' groups decimal digits only")
		}
		size = 4
	}
	prefix := signOf(negative, spec.sign)
	if spec.alternate && kind != 'd' {
		prefix += "0" + string(kind)
	}
	return rt.grouped(prefix, digits, "", size, spec)
}

// grouped pads a number whose whole digits are grouped, with zeros if asked to.
func (rt *renderer) grouped(prefix, digits, rest string, size int, spec *formatSpec) (string, error) {
	if spec.zero {
		spec.fill = "0"
		if spec.align == 0 {
			spec.align = '='
		}
	}
	if spec.grouping != 0 {
		if spec.align == '=' && spec.fill == "0" {
			digits = zeroFilled(digits, spec.width-len(prefix)-len(rest), size)
		}
		digits = group(digits, spec.grouping, size)
	}
	return rt.padNumber(prefix, digits+rest, spec)
}

// zeroFilled adds zeros until the grouped digits take the width.
func zeroFilled(digits string, width, size int) string {
	if width > maxWidth {
		width = maxWidth
	}
	n := len(digits)
	for n+(n-1)/size < width {
		n++
	}
	return strings.Repeat("0", n-len(digits)) + digits
}

func group(digits string, separator byte, size int) string {
	var out strings.Builder
	for i := 0; i < len(digits); i++ {
		if i > 0 && (len(digits)-i)%size == 0 {
			out.WriteByte(separator)
		}
		out.WriteByte(digits[i])
	}
	return out.String()
}

// formatFloat lays out a float.
func (rt *renderer) formatFloat(f float64, spec *formatSpec) (string, error) {
	if spec.precision > 5000 {
		return "", limitf("a float cannot have a precision of more than 5000")
	}
	percent := ""
	if spec.kind == '%' {
		f *= 100
		percent = "%"
	}
	digits, err := floatDigits(math.Abs(f), spec)
	if err != nil {
		return "", err
	}
	prefix := signOf(math.Signbit(f) && !math.IsNaN(f), spec.sign)
	whole, rest := digits, ""
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		whole, rest = digits[:i], digits[i:]
	}
	return rt.grouped(prefix, whole, rest+percent, 3, spec)
}

// floatDigits is a float that is not negative, without padding.
func floatDigits(f float64, spec *formatSpec) (string, error) {
	kind, precision := spec.kind, spec.precision
	if math.IsInf(f, 0) || math.IsNaN(f) {
		s := reprFloat(f)
		if kind == 'E' || kind == 'F' || kind == 'G' {
			s = strings.ToUpper(s)
		}
		return s, nil
	}
	if kind == 0 && precision < 0 {
		return reprFloat(f), nil
	}
	if precision < 0 {
		precision = 6
	}
	switch kind {
	case 'f', 'F', '%':
		return pointed(strconv.FormatFloat(f, 'f', precision, 64), spec.alternate), nil
	case 'e', 'E':
		return pointed(strconv.FormatFloat(f, kind, precision, 64), spec.alternate), nil
	case 'g', 'G', 'n', 0:
		return generalFloat(f, kind, precision, spec.alternate), nil
	}
	return "", failf("a float cannot have the format '%c'", kind)
}

// generalFloat is the g format: precision significant digits, with an exponent
// where the number is very large or small. Without a kind, Python keeps ".0" on
// whole numbers and takes the exponent one digit sooner.
func generalFloat(f float64, kind byte, precision int, alternate bool) string {
	precision = max(precision, 1)
	exponential := strconv.FormatFloat(f, 'e', precision-1, 64)
	at := strings.IndexByte(exponential, 'e')
	exponent, _ := strconv.Atoi(exponential[at+1:])
	limit := precision
	if kind == 0 {
		limit = precision - 1
	}
	if alternate {
		exponential = pointed(exponential, true)
		at = strings.IndexByte(exponential, 'e')
	}
	if exponent < -4 || exponent >= limit {
		s := trimZeros(exponential[:at], alternate) + exponential[at:]
		if kind == 'G' {
			s = strings.ToUpper(s)
		}
		return s
	}
	s := pointed(trimZeros(strconv.FormatFloat(f, 'f', max(precision-1-exponent, 0), 64), alternate), alternate)
	if kind == 0 && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// pointed is a number with a point, if it must have one.
func pointed(s string, must bool) string {
	if !must || strings.Contains(s, ".") {
		return s
	}
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		return s[:at] + "." + s[at:]
	}
	return s + "."
}

func trimZeros(s string, keep bool) string {
	if keep || !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
