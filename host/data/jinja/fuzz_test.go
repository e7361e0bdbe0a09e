package jinja

import (
	"context"
	"testing"
	"unicode/utf8"
)

// FuzzTemplate parses and renders anything: no panic, no hang, spans inside the
// text.
func FuzzTemplate(f *testing.F) {
	file, variables := readCases(f)
	for i, c := range file.Cases {
		if i%4 == 0 {
			f.Add(c.Template)
		}
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse("fuzz", source, Options{Now: frozen, Limits: Limits{Steps: 200_000, Bytes: 8 << 20}})
		if err != nil {
			return
		}
		got, err := template.Render(context.Background(), variables)
		if err != nil {
			return
		}
		if !utf8.ValidString(got.Text) {
			t.Errorf("the text is not UTF-8: %q", got.Text)
		}
		for _, span := range got.Generations {
			if span.Start < 0 || span.Start > span.End || span.End > len(got.Text) {
				t.Errorf("span %v in a text of %d bytes", span, len(got.Text))
			}
		}
	})
}

// FuzzParseJSON reads anything: no panic, and what was read can be written.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, 2.5, null, true, "é\n"]}`, `[`, `{"a": 1, "a": 2}`, `1e999`, `"\ud800"`, `-0`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseJSON(data)
		if err != nil {
			return
		}
		if _, err := FormatJSON(v); err != nil {
			t.Errorf("%q was read and cannot be written: %v", data, err)
		}
	})
}
