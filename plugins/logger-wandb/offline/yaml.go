package offline

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// configYAML is the file config.yaml: each topmost setting under a key "value".
func configYAML(t tree) []byte {
	var b bytes.Buffer
	for _, key := range t.keys() {
		fmt.Fprintf(&b, "%s:\n  value:", quoteYAML(key))
		writeYAML(&b, t[key], 2)
	}
	return b.Bytes()
}

// writeYAML writes what follows a key and its colon, with the end of the line.
func writeYAML(b *bytes.Buffer, value any, indent int) {
	pad := "\n" + strings.Repeat(" ", indent+2)
	switch v := value.(type) {
	case tree:
		for _, key := range v.keys() {
			fmt.Fprintf(b, "%s%s:", pad, quoteYAML(key))
			writeYAML(b, v[key], indent+2)
			b.Truncate(b.Len() - 1)
		}
		if len(v) == 0 {
			b.WriteString(" {}")
		}
	case string:
		b.WriteString(" " + quoteYAML(v))
	case bool:
		b.WriteString(" " + strconv.FormatBool(v))
	case float64:
		b.WriteString(" " + numberYAML(v))
	case int:
		b.WriteString(" " + strconv.Itoa(v))
	case int64:
		b.WriteString(" " + strconv.FormatInt(v, 10))
	default:
		b.WriteString(" null")
	}
	b.WriteByte('\n')
}

// numberYAML is a number as YAML 1.1 reads it: 1e-05 would be a string there, for
// want of a dot.
func numberYAML(v float64) string {
	switch {
	case math.IsNaN(v):
		return ".nan"
	case math.IsInf(v, 1):
		return ".inf"
	case math.IsInf(v, -1):
		return "-.inf"
	}
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if math.Abs(v) < 1e15 && v == math.Trunc(v) {
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
		text = mantissa + ".0e" + exponent
	}
	return text
}

// quoteYAML is a text in double quotes. What YAML does not take as printable is
// escaped.
func quoteYAML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == utf8.RuneError, r > 0xffff && unicode.IsGraphic(r), r < 0xffff && unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
