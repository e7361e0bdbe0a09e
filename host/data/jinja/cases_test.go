package jinja

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"
	"unicode/utf8"
)

// caseFile is testdata/cases.json: what jinja2 answered, made by gen_cases.py.
type caseFile struct {
	Variables json.RawMessage
	Cases     []struct {
		Group    string
		Template string
		Want     *string
		Spans    [][2]int // in characters
		Error    string
	}
}

func readCases(t testing.TB) (caseFile, *Dict) {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file caseFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	variables, err := ParseJSON(file.Variables)
	if err != nil {
		t.Fatal(err)
	}
	return file, variables.(*Dict)
}

// frozen is the clock of gen_cases.py.
func frozen() time.Time { return time.Date(2024, 2, 5, 14, 3, 9, 123456000, time.UTC) }

// TestCases holds the engine to jinja2: the same text, the same generation spans,
// and an error where jinja2 has one.
func TestCases(t *testing.T) {
	file, variables := readCases(t)
	if len(file.Cases) < 900 {
		t.Fatalf("cases.json has %d cases only", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Group, func(t *testing.T) {
			var got Result
			template, err := Parse("case", c.Template, Options{Now: frozen})
			if err == nil {
				got, err = template.Render(context.Background(), variables)
			}
			switch {
			case c.Error != "" && err == nil:
				t.Errorf("%q\n renders %q; jinja2 raises %s", c.Template, got.Text, c.Error)
			case c.Error == "" && err != nil:
				t.Errorf("%q\n fails: %v\n jinja2 renders %q", c.Template, err, *c.Want)
			case c.Error == "" && got.Text != *c.Want:
				t.Errorf("%q\n renders %q\n jinja2  %q", c.Template, got.Text, *c.Want)
			case c.Error == "":
				checkSpans(t, c.Template, got, c.Spans)
			}
		})
	}
}

func checkSpans(t *testing.T, template string, got Result, want [][2]int) {
	t.Helper()
	if len(got.Generations) != len(want) {
		t.Errorf("%q: spans %v, jinja2 has %v", template, got.Generations, want)
		return
	}
	for i, span := range got.Generations {
		start := utf8.RuneCountInString(got.Text[:span.Start])
		end := utf8.RuneCountInString(got.Text[:span.End])
		if start != want[i][0] || end != want[i][1] {
			t.Errorf("%q: span %d is %d–%d, jinja2 has %v", template, i, start, end, want[i])
		}
	}
}
