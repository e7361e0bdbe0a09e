package jinja

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
)

// jsonLayout is how tojson writes: the parameters of Python's json.dumps.
type jsonLayout struct {
	ascii     bool    // escape what is not ASCII
	indent    *string // nil: on one line
	item, key string  // separators between items, and after a key
	sort      bool    // keys in order
}

// jsonWriter writes a value as JSON.
type jsonWriter struct {
	rt     *renderer
	layout jsonLayout
	out    strings.Builder
	level  int
}

func (rt *renderer) json(v Value, layout jsonLayout) (string, error) {
	w := &jsonWriter{rt: rt, layout: layout}
	if err := w.value(v); err != nil {
		return "", err
	}
	return w.out.String(), nil
}

func (w *jsonWriter) text(s string) error {
	if err := w.rt.grow(len(s)); err != nil {
		return err
	}
	w.out.WriteString(s)
	return nil
}

func (w *jsonWriter) value(v Value) error {
	if err := w.rt.step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case String:
		return w.text(quoteJSON(v.Text, w.layout.ascii))
	case *List:
		return w.list(v.items)
	case *Tuple:
		return w.list(v.items)
	case *Dict:
		return w.dict(v)
	}
	if s, ok := jsonScalar(v); ok {
		return w.text(s)
	}
	if u, ok := v.(*undefined); ok {
		return failf("an undefined value cannot be written as JSON: %s", u.message)
	}
	return failf("a %s cannot be written as JSON", v.typeName())
}

// jsonScalar is a constant or number as JSON; floats that are no numbers are
// written as Python's json writes them.
func jsonScalar(v Value) (string, bool) {
	switch v := v.(type) {
	case None:
		return "null", true
	case Bool:
		return strconv.FormatBool(bool(v)), true
	case Int:
		return strconv.FormatInt(int64(v), 10), true
	case bigInt:
		return v.value.String(), true
	case Float:
		switch f := float64(v); {
		case math.IsNaN(f):
			return "NaN", true
		case math.IsInf(f, 1):
			return "Infinity", true
		case math.IsInf(f, -1):
			return "-Infinity", true
		default:
			return reprFloat(f), true
		}
	}
	return "", false
}

// newline begins a line at the current level, if the layout has lines.
func (w *jsonWriter) newline() error {
	if w.layout.indent == nil {
		return nil
	}
	size, err := w.rt.repeated(len(*w.layout.indent), w.level)
	if err == nil {
		err = w.rt.grow(size)
	}
	if err != nil {
		return err
	}
	w.out.WriteString("\n" + strings.Repeat(*w.layout.indent, w.level))
	return nil
}

// group writes n parts between brackets.
func (w *jsonWriter) group(opening, closing string, n int, part func(i int) error) error {
	if n == 0 {
		return w.text(opening + closing)
	}
	if err := w.rt.enter(); err != nil {
		return err
	}
	defer w.rt.leave()
	if err := w.text(opening); err != nil {
		return err
	}
	w.level++
	for i := 0; i < n; i++ {
		if i > 0 {
			if err := w.text(w.layout.item); err != nil {
				return err
			}
		}
		if err := w.newline(); err != nil {
			return err
		}
		if err := part(i); err != nil {
			return err
		}
	}
	w.level--
	if err := w.newline(); err != nil {
		return err
	}
	return w.text(closing)
}

func (w *jsonWriter) list(items []Value) error {
	return w.group("[", "]", len(items), func(i int) error { return w.value(items[i]) })
}

func (w *jsonWriter) dict(d *Dict) error {
	entries := d.entries
	if w.layout.sort {
		var err error
		if entries, err = w.sorted(entries); err != nil {
			return err
		}
	}
	return w.group("{", "}", len(entries), func(i int) error {
		key, ok := entries[i].key.(String)
		if !ok {
			s, ok := jsonScalar(entries[i].key)
			if !ok {
				return failf("the keys of a JSON object cannot be a %s", entries[i].key.typeName())
			}
			key = text(s)
		}
		if err := w.text(quoteJSON(key.Text, w.layout.ascii) + w.layout.key); err != nil {
			return err
		}
		return w.value(entries[i].value)
	})
}

func (w *jsonWriter) sorted(entries []entry) ([]entry, error) {
	out := append([]entry(nil), entries...)
	var failed error
	sort.SliceStable(out, func(i, j int) bool {
		less, err := w.rt.compare("<", out[i].key, out[j].key)
		if err != nil && failed == nil {
			failed = err
		}
		return less
	})
	return out, failed
}

const hexDigits = "0123456789abcdef"

// quoteJSON is a string as JSON.
func quoteJSON(s string, ascii bool) string {
	var out strings.Builder
	out.Grow(len(s) + 2)
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '\b':
			out.WriteString(`\b`)
		case r == '\f':
			out.WriteString(`\f`)
		case r < ' ', ascii && r == 0x7f, ascii && r > 0x7f && r < 0x10000:
			writeUnit(&out, uint16(r))
		case ascii && r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			writeUnit(&out, uint16(high))
			writeUnit(&out, uint16(low))
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// writeUnit writes \uNNNN.
func writeUnit(out *strings.Builder, u uint16) {
	out.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		out.WriteByte(hexDigits[u>>shift&15])
	}
}
