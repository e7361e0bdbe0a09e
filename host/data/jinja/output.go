package jinja

import "strings"

// output collects text, and where in it generation blocks wrote.
type output struct {
	text        strings.Builder
	generations []Span
}

// write appends a string, which the budget has already counted.
func (o *output) write(s String) {
	for _, g := range s.generations {
		o.generations = append(o.generations, Span{g.Start + o.text.Len(), g.End + o.text.Len()})
	}
	o.text.WriteString(s.Text)
}

// captured is what was collected, as a value.
func (o *output) captured() String {
	return String{Text: o.text.String(), generations: o.generations}
}

// capture runs f with an output of its own and returns what it wrote.
func (rt *renderer) capture(f func() error) (String, error) {
	before := rt.out
	rt.out = &output{}
	err := f()
	written := rt.out
	rt.out = before
	if err != nil {
		return String{}, err
	}
	return written.captured(), nil
}

// joined is a and b one after the other.
func joined(a, b String) String {
	out := String{Text: a.Text + b.Text}
	if a.generations != nil || b.generations != nil {
		out.generations = append(out.generations, a.generations...)
		for _, g := range b.generations {
			out.generations = append(out.generations, Span{g.Start + len(a.Text), g.End + len(a.Text)})
		}
	}
	return out
}
