package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// str is str(v): what {{ v }} prints.
func (rt *renderer) str(v Value) (String, error) {
	switch v := v.(type) {
	case String:
		v.safe = false
		return v, nil
	case *undefined:
		return String{}, nil
	}
	s, err := rt.repr(v)
	return text(s), err
}

// repr is repr(v): how Python writes v in code.
func (rt *renderer) repr(v Value) (string, error) {
	w := &reprWriter{rt: rt}
	if err := w.write(v); err != nil {
		return "", err
	}
	return w.out.String(), nil
}

type reprWriter struct {
	rt  *renderer
	out strings.Builder
	// open are the namespaces being written: they can hold themselves.
	open []*namespaceValue
}

func (w *reprWriter) text(s string) error {
	if err := w.rt.grow(len(s)); err != nil {
		return err
	}
	w.out.WriteString(s)
	return nil
}

func (w *reprWriter) write(v Value) error {
	if err := w.rt.step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case None:
		return w.text("None")
	case Bool:
		if v {
			return w.text("True")
		}
		return w.text("False")
	case Int:
		return w.text(strconv.FormatInt(int64(v), 10))
	case bigInt:
		return w.text(v.value.String())
	case Float:
		return w.text(reprFloat(float64(v)))
	case String:
		if v.safe {
			return w.text("Markup(" + reprText(v.Text) + ")")
		}
		return w.text(reprText(v.Text))
	case *List:
		return w.items("[", v.items, "]")
	case *Tuple:
		if len(v.items) == 1 {
			return w.items("(", v.items, ",)")
		}
		return w.items("(", v.items, ")")
	case *Dict:
		return w.dict(v)
	}
	return w.other(v)
}

func (w *reprWriter) other(v Value) error {
	switch v := v.(type) {
	case *undefined:
		return w.text("Undefined")
	case *rangeValue:
		s := "range(" + strconv.FormatInt(v.start, 10) + ", " + strconv.FormatInt(v.stop, 10)
		if v.step != 1 {
			s += ", " + strconv.FormatInt(v.step, 10)
		}
		return w.text(s + ")")
	case *viewValue:
		return w.view(v)
	case *namespaceValue:
		return w.namespace(v)
	case *macroValue:
		if v.definition.name == "" {
			return w.text("<Macro anonymous>")
		}
		return w.text("<Macro " + reprText(v.definition.name) + ">")
	case *loopValue:
		n, err := v.length(w.rt)
		if err != nil {
			return err
		}
		return w.text("<LoopContext " + strconv.Itoa(v.index0+1) + "/" + strconv.Itoa(n) + ">")
	case *functionValue:
		return w.text("<function " + v.name + ">")
	}
	return w.text("<" + v.typeName() + " object>")
}

// nested writes parts one level deeper.
func (w *reprWriter) nested(opening, closing string, n int, part func(i int) error) error {
	if err := w.rt.enter(); err != nil {
		return err
	}
	defer w.rt.leave()
	if err := w.text(opening); err != nil {
		return err
	}
	for i := 0; i < n; i++ {
		if i > 0 {
			if err := w.text(", "); err != nil {
				return err
			}
		}
		if err := part(i); err != nil {
			return err
		}
	}
	return w.text(closing)
}

func (w *reprWriter) items(opening string, items []Value, closing string) error {
	return w.nested(opening, closing, len(items), func(i int) error { return w.write(items[i]) })
}

func (w *reprWriter) dict(d *Dict) error {
	return w.nested("{", "}", d.Len(), func(i int) error {
		if err := w.write(d.entries[i].key); err != nil {
			return err
		}
		if err := w.text(": "); err != nil {
			return err
		}
		return w.write(d.entries[i].value)
	})
}

func (w *reprWriter) view(v *viewValue) error {
	return w.nested(v.typeName()+"([", "])", v.dict.Len(), func(i int) error {
		return w.write(v.dict.entries[i].as(v.kind))
	})
}

func (w *reprWriter) namespace(v *namespaceValue) error {
	for _, open := range w.open {
		if open == v {
			return w.text("<Namespace {...}>")
		}
	}
	w.open = append(w.open, v)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	if err := w.text("<Namespace "); err != nil {
		return err
	}
	if err := w.dict(v.attributes); err != nil {
		return err
	}
	return w.text(">")
}

// reprText is a string as a literal: in single quotes unless only they occur in it.
func reprText(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var out strings.Builder
	out.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			out.WriteString(numericEscape(r))
		}
	}
	out.WriteByte(quote)
	return out.String()
}

// reprFloat is the shortest text that reads back as f, in Python's layout: an
// exponent below 1e-4 and from 1e16 on, always a point or an exponent.
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if f == 0 || math.Abs(f) >= 1e-4 && math.Abs(f) < 1e16 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// floatToInteger is int(f): towards zero.
func floatToInteger(f float64) (Value, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	if math.Abs(f) < 1<<62 {
		return Int(int64(f)), true
	}
	n, _ := new(big.Float).SetFloat64(f).Int(nil)
	return integer(n), true
}
