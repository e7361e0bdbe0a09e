package jinja

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAgainstPython compares random templates with jinja2 itself. It needs the
// Python that HONE_TEST_PYTHON names, with transformers and jinja2;
// HONE_TEST_SEED chooses other templates, HONE_TEST_COUNT how many.
func TestAgainstPython(t *testing.T) {
	python := os.Getenv("HONE_TEST_PYTHON")
	if python == "" {
		t.Skip("set HONE_TEST_PYTHON to a Python with transformers and jinja2")
	}
	seed := os.Getenv("HONE_TEST_SEED")
	if seed == "" {
		seed = "1"
	}
	count := os.Getenv("HONE_TEST_COUNT")
	if count == "" {
		count = "1500"
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "gen_random.py"), seed, count)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gen_random.py: %v", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<26)
	lines.Scan()
	var header struct{ Variables json.RawMessage }
	if err := json.Unmarshal(lines.Bytes(), &header); err != nil {
		t.Fatal(err)
	}
	variables, err := ParseJSON(header.Variables)
	if err != nil {
		t.Fatal(err)
	}
	same, failed := 0, 0
	for lines.Scan() {
		var c struct {
			Template string
			Want     *string
			Error    string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		got, err := renderOnce(c.Template, variables.(*Dict))
		switch {
		case beyond(c.Want, err):
			continue
		case c.Error != "" && err == nil:
			t.Errorf("%q\n renders %q; jinja2 raises %s", c.Template, got, c.Error)
		case c.Error == "" && err != nil:
			t.Errorf("%q\n fails: %v\n jinja2 renders %q", c.Template, err, *c.Want)
		case c.Error == "" && got != *c.Want:
			t.Errorf("%q\n renders %q\n jinja2  %q", c.Template, got, *c.Want)
		case c.Error != "":
			failed++
		default:
			same++
		}
	}
	t.Logf("%d templates render the same, %d fail in both", same, failed)
	if same < 500 {
		t.Errorf("only %d templates were compared", same)
	}
}

func renderOnce(source string, variables *Dict) (string, error) {
	template, err := Parse("case", source, Options{Now: frozen})
	if err != nil {
		return "", err
	}
	got, err := template.Render(context.Background(), variables)
	return got.Text, err
}

// beyond is what is known to differ: addresses of Python objects, integers beyond
// 64 bits, and what is not supported.
func beyond(want *string, err error) bool {
	if want != nil && (strings.Contains(*want, " at 0x") || strings.Contains(*want, "<built-in") || strings.Contains(*want, "<function")) {
		return true
	}
	return KindOf(err) == Unsupported || err != nil && strings.Contains(err.Error(), "beyond 64 bits")
}
