package evaluate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

func environment(name string) (string, bool) {
	v, ok := map[string]string{"HOME": "/home/ada", "KEY": "s3cr3t-key", "EMPTY": ""}[name]
	return v, ok
}

// evaluateText evaluates an expression and gives its value as JSON.
func evaluateText(t testing.TB, e *evaluate.Evaluator, text string, variables map[string]cty.Value) (string, hcl.Diagnostics) {
	t.Helper()
	x, diags := evaluate.ParseExpression("test.hcl", []byte(text))
	if diags.HasErrors() {
		return "", diags
	}
	v, diags := e.Value(x, e.Context(variables))
	if diags.HasErrors() {
		return "", diags
	}
	if !v.IsWhollyKnown() {
		t.Fatalf("%s: an unknown value without an error", text)
	}
	v, _ = v.UnmarkDeep()
	out, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		t.Fatal(err)
	}
	return string(out), diags
}

func TestFunctions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("a note"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ text, want string }{
		{`abs(-2.5)`, `2.5`}, {`ceil(1.2)`, `2`}, {`floor(-1.2)`, `-2`}, {`exp(0)`, `1`}, {`log(1)`, `0`},
		{`log(8, 2)`, `3`}, {`log(1000, 10)`, `3`}, {`log(81, 3)`, `4`}, {`max(1, 3, 2)`, `3`}, {`min(1, 3, 2)`, `1`},
		{`pow(2, 10)`, `1024`}, {`round(2.5)`, `3`}, {`signum(-9)`, `-1`}, {`sqrt(9)`, `3`}, {`sum([1, 2, 3.5])`, `6.5`},
		{`endswith("a.gguf", ".gguf")`, `true`}, {`startswith("a.gguf", "b")`, `false`}, {`format("%s-r%02d", "x", 8)`, `"x-r08"`},
		{`join(", ", ["a", "b"])`, `"a, b"`}, {`split(",", "a,b")`, `["a","b"]`}, {`lower("ABC")`, `"abc"`}, {`upper("abc")`, `"ABC"`},
		{`regex("^[a-z]+", "abc1")`, `"abc"`}, {`replace("a-b-c", "-", "_")`, `"a_b_c"`}, {`substr("hello", 1, 3)`, `"ell"`},
		{`trim("--a-", "-")`, `"a"`}, {`trimprefix("hf://a", "hf://")`, `"a"`}, {`trimsuffix("a.b", ".b")`, `"a"`}, {`trimspace(" a\n")`, `"a"`},
		{`coalesce(null, "a")`, `"a"`}, {`compact(["a", "", "b"])`, `["a","b"]`}, {`concat([1], [2, 3])`, `[1,2,3]`},
		{`contains(["a"], "a")`, `true`}, {`element(["a", "b"], 3)`, `"b"`}, {`flatten([[1], [2, [3]]])`, `[1,2,3]`},
		{`keys({b = 1, a = 2})`, `["a","b"]`}, {`values({b = 1, a = 2})`, `[2,1]`}, {`length([1, 2])`, `2`}, {`length("né")`, `2`},
		{`length({a = 1})`, `1`}, {`lookup({a = 1}, "b", 5)`, `5`}, {`merge({a = 1}, {a = 2, b = 3})`, `{"a":2,"b":3}`},
		{`range(3)`, `[0,1,2]`}, {`range(1, 7, 2)`, `[1,3,5]`}, {`reverse([1, 2])`, `[2,1]`}, {`slice(["a", "b", "c"], 1, 2)`, `["b"]`},
		{`sort(["b", "a"])`, `["a","b"]`}, {`zipmap(["a", "b"], [1, 2])`, `{"a":1,"b":2}`},
		{`can(1 / 0)`, `false`}, {`try(1 / 0, "no")`, `"no"`}, {`jsondecode("{\"a\": [1]}")`, `{"a":[1]}`}, {`jsonencode({a = [1]})`, `"{\"a\":[1]}"`},
		{`tobool("true")`, `true`}, {`tolist([1, 2])`, `[1,2]`}, {`tomap({a = 1})`, `{"a":1}`}, {`tonumber("2e-4")`, `0.0002`},
		{`toset(["a", "a"])`, `["a"]`}, {`tostring(5)`, `"5"`}, {`sensitive("x")`, `"x"`},
		{`abspath("a/../b")`, fmt.Sprintf("%q", filepath.Join(dir, "b"))}, {`basename("a/b.txt")`, `"b.txt"`}, {`dirname("a/b.txt")`, `"a"`},
		{`file("note.txt")`, `"a note"`}, {`pathexpand("~/x")`, `"/home/ada/x"`}, {`env("KEY")`, `"s3cr3t-key"`}, {`env("NONE")`, `null`},
		{`env("NONE", "x")`, `"x"`}, {`env("EMPTY", "x")`, `""`},
		{`[for i in range(3) : i * i if i > 0]`, `[1,4]`}, {`{for k, v in {a = 1} : upper(k) => v}`, `{"A":1}`}, {`[{a = 1}, {a = 2}][*].a`, `[1,2]`},
		{`"%{ for x in ["a", "b"] }${x};%{ endfor }"`, `"a;b;"`}, {`true ? "a" : "b"`, `"a"`}, {`{"a" = 1}.a`, `1`}, {`"1" + 1`, `2`}, {`max([1, 5]...)`, `5`},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, diags := evaluateText(t, evaluate.New(t.Context(), dir, environment), tt.text, nil)
			if diags.HasErrors() || got != tt.want {
				t.Errorf("got %s, want %s; %v", got, tt.want, diags)
			}
		})
		for _, f := range evaluate.Functions() {
			seen[f.Name] = seen[f.Name] || strings.Contains(tt.text, f.Name+"(")
		}
	}
	for _, f := range evaluate.Functions() {
		if !seen[f.Name] {
			t.Errorf("%s has no case", f.Name)
		}
		if f.Doc == "" || !strings.HasPrefix(f.Usage, f.Name+"(") {
			t.Errorf("%s lacks its documentation", f.Name)
		}
	}
}

func TestEvaluationEnds(t *testing.T) {
	big := `"` + strings.Repeat("x", 1<<10) + `"`
	tests := []struct{ name, text string }{
		{"loops in loops", `[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 1]]]`},
		{"loops in conditions", `[for a in range(1000) : 1 if [for b in range(1000) : 1 if [for c in range(1000) : 1 if c > 0] == []] == []]`},
		{"strings put together", `[for a in range(1000) : "${join("", [for b in range(1000) : ` + big + `])}"]`},
		{"a template's loop", `"%{ for a in range(1000) }%{ for b in range(1000) }` + strings.Repeat("x", 100) + `%{ endfor }%{ endfor }"`},
		{"a huge number", `1e600000000`},
		{"a huge number in a string", `"1e600000000" % 7`},
		{"a binary exponent in a string", `"1p2147483640" % 7`},
		{"a huge index", `[1][1e600000000]`},
		{"a huge index in a string", `[1]["1e600000000"]`},
		{"a computed index", `[1]["1e60000${0}0000"]`},
		{"a huge number for a function", `floor("1e600000000")`},
		{"a huge number for a list of numbers", `max(["1e600000000", 1]...) % 3`},
		{"a huge number for format", `format("%d", "1e600000000")`},
		{"a huge number decoded", `jsondecode("1e600000000") % 2`},
		{"infinity", `tonumber("1e600000000") * tonumber("1e600000000")`},
		{"squares of squares", `[for x in [1e300 * 1e300] : x * x]`},
		{"a wide format", `format("%1000000000d", 1)`},
		{"a precise format", `format("%.1000000000f", 1)`},
		{"many formats", `format(join("", [for i in range(1000) : "%999d%999d%999d"]), 1)`},
		{"a long join", `join(` + big + `, range(1024), range(1024))`},
		{"a growing replace", `replace(join("", [for i in range(1000) : "aaaaaaaaaaaaaaaaaaaa"]), "a", ` + big + `)`},
		{"a large split", `split("", join("", [for i in range(1000) : "aaaaaaaaaaaaaaaaaaaa"]))`},
		{"a hard pattern", `regex("(((a{1,9}){1,9}){1,9}b)", join("", [for i in range(1000) : "aaaaaaaaaaaaaaaaaaaa"]))`},
		{"lists of lists", `concat([for i in range(1000) : range(1000)]...)`},
		{"one type for many", `tolist(concat(range(1000), range(1000), range(1000), range(1000), ["a"]))`},
		{"one type for two branches", `true ? [for i in concat(range(1000), range(1000), range(1000)) : i] : [for i in range(1000) : "a"]`},
		{"nested tries", strings.Repeat("try(1 + try(", 40) + "1" + strings.Repeat("))", 40)},
		{"many errors", `[for i in range(1000) : i.x]`},
		{"deep brackets", strings.Repeat("[", 5000) + strings.Repeat("]", 5000)},
		{"deep parentheses", strings.Repeat("(", 100000)},
		{"many signs", strings.Repeat("!", 100000) + "true"},
		{"many operators", strings.Repeat("1+", 100000) + "1"},
		{"many conditions", strings.Repeat("true?1:", 20000) + "1"},
		{"many splats", "x" + strings.Repeat(".*.a", 60000)},
		{"nested templates", strings.Repeat(`"${`, 5000)},
		{"nested directives", `"` + strings.Repeat(`%{ if true }`, 20000) + `"`},
		{"too long", `"` + strings.Repeat("x", evaluate.MaxSourceBytes) + `"`},
		{"not UTF-8", "\"\xff\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, diags := evaluate.ParseExpression("test.hcl", []byte(tt.text))
			if !diags.HasErrors() {
				e := evaluate.New(t.Context(), t.TempDir(), nil)
				_, diags = e.Value(x, e.Context(nil))
			}
			if !diags.HasErrors() || len(diags) > 100 {
				t.Fatalf("got %d diagnostics: %v", len(diags), diags)
			}
			for _, d := range diags {
				if d.Subject == nil || d.Summary == "" || d.Detail == "" {
					t.Errorf("a diagnostic without place or text: %+v", d)
				}
			}
		})
	}
}

func TestLocalsCannotGrow(t *testing.T) {
	e := evaluate.New(t.Context(), "", nil)
	v := cty.StringVal("x")
	list := cty.TupleVal([]cty.Value{v})
	for i := range 64 {
		for text, value := range map[string]*cty.Value{`"${v}${v}"`: &v, `[l, l]`: &list} {
			x, diags := evaluate.ParseExpression("test.hcl", []byte(text))
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			next, diags := e.Value(x, e.Context(map[string]cty.Value{"v": v, "l": list}))
			if diags.HasErrors() {
				if !e.Halted() || i < 8 {
					t.Errorf("stopped after %d steps: %v", i, diags)
				}
				return
			}
			*value = next
		}
	}
	t.Error("64 doublings were evaluated")
}

func TestEvaluationStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, diags := evaluateText(t, evaluate.New(ctx, "", nil), `[for i in range(9) : i]`, nil)
	if !diags.HasErrors() || !strings.Contains(diags.Error(), "interrupted") {
		t.Errorf("got %v", diags)
	}
}
