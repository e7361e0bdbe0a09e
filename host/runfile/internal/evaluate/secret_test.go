package evaluate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

func value(t *testing.T, e *evaluate.Evaluator, text string, variables map[string]cty.Value) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	x, diags := evaluate.ParseExpression("test.hcl", []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e.Value(x, e.Context(variables))
}

// Whatever is computed from a secret is one.
func TestSecretsAreMarked(t *testing.T) {
	tests := []struct {
		text string
		env  []string // nil: no secret
	}{
		{`env("KEY")`, []string{"KEY"}}, {`"a-${env("KEY")}"`, []string{"KEY"}}, {`upper(env("KEY"))`, []string{"KEY"}},
		{`[1, env("KEY")]`, []string{"KEY"}}, {`{a = env("KEY")}.a`, []string{"KEY"}}, {`[1, env("KEY")][0]`, nil},
		{`env("KEY") == "x"`, []string{"KEY"}}, {`env("KEY") == "x" ? 1 : 2`, []string{"KEY"}}, {`length(env("KEY"))`, []string{"KEY"}},
		{`[for k in [env("KEY")] : k]`, []string{"KEY"}}, {`{for k in [env("KEY")] : k => 1}`, []string{"KEY"}},
		{`join(",", [env("KEY"), "a"])`, []string{"KEY"}}, {`coalesce(null, env("KEY"))`, []string{"KEY"}}, {`try(env("KEY"), 1)`, []string{"KEY"}},
		{`jsonencode({a = env("KEY")})`, []string{"KEY"}}, {`env("KEY") == "" && false`, []string{"KEY"}}, {`sensitive(5) + 1`, []string{""}},
		{`"${env("KEY")}${sensitive("x")}"`, []string{"", "KEY"}}, {`env("NONE", "fallback")`, []string{"NONE"}}, {`"plain"`, nil},
		{`split("-", env("KEY"))[0]`, []string{"KEY"}}, {`merge({a = 1}, {b = env("KEY")})`, []string{"KEY"}}, {`{(env("KEY")) = 1}`, []string{"KEY"}},
		{`concat(["a"], [env("KEY")])`, []string{"KEY"}}, {`lookup({a = 1}, env("KEY"), 2)`, []string{"KEY"}}, {`can(env("KEY").x)`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			v, diags := value(t, evaluate.New(t.Context(), "", environment), tt.text, nil)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			var got []string
			for _, s := range evaluate.Secrets(v) {
				got = append(got, s.Env)
			}
			if strings.Join(got, ",") != strings.Join(tt.env, ",") || len(got) != len(tt.env) {
				t.Errorf("got %q, want %q", got, tt.env)
			}
		})
	}
}

// No diagnostic shows a secret, in its text or as the value of a reference.
func TestDiagnosticsWithholdSecrets(t *testing.T) {
	variables := map[string]cty.Value{
		"secret": cty.StringVal("s3cr3t-key").Mark(evaluate.Secret{}),
		"plain":  cty.NumberIntVal(7),
		"long":   cty.StringVal(strings.Repeat("long", 100)),
	}
	for _, text := range []string{
		`tonumber(secret)`, `tobool(env("KEY"))`, `regex("x", secret)`, `jsondecode(secret)`, `{for k in [secret, secret] : k => 1}`, `secret.x`,
		`secret[0]`, `{a = 1}[secret]`, `secret + plain`, `file(secret)`, `env(secret).x`, `-secret`, `secret ? 1 : 2`, `"a${[secret]}"`,
		`[for x in secret : x]`, `max(secret, plain)`, `format("%d", secret)`, `plain / 0 + secret`, `try(tonumber(secret))`, `lookup({}, secret)`,
		`element([], secret)`, `range(secret)`, `zipmap([secret], [])`, `slice([1], 0, tonumber("${plain}") + length(secret))`, `plain.x.y + long.x`,
	} {
		t.Run(text, func(t *testing.T) {
			e := evaluate.New(t.Context(), "", environment)
			_, diags := value(t, e, text, variables)
			if !diags.HasErrors() {
				t.Fatal("it has a value")
			}
			var out bytes.Buffer
			if err := hcl.NewDiagnosticTextWriter(&out, nil, 0, false).WriteDiagnostics(diags); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "s3cr3t") || strings.Contains(out.String(), "longlong") {
				t.Errorf("it says\n%s", &out)
			}
		})
	}
}

func TestDiagnosticsShowPlainValues(t *testing.T) {
	e := evaluate.New(t.Context(), "", environment)
	_, diags := value(t, e, `plain + secret + text`, map[string]cty.Value{
		"plain": cty.NumberIntVal(7), "secret": cty.StringVal("s3cr3t-key").Mark(evaluate.Secret{}), "text": cty.StringVal("seven"),
	})
	var out bytes.Buffer
	src := map[string]*hcl.File{"test.hcl": {Bytes: []byte("plain + secret + text")}}
	if err := hcl.NewDiagnosticTextWriter(&out, src, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `with text as "seven"`) || strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("it says\n%s", &out)
	}
}

func TestMask(t *testing.T) {
	e := evaluate.New(t.Context(), "", environment)
	e.Keep(cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("password").Mark(evaluate.Secret{}), "b": cty.StringVal("abc")}))
	if got, want := string(e.Mask([]byte("a password, abc"))), "a ********, abc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d := &hcl.Diagnostic{Summary: "password", Detail: "no password"}
	e.Scrub(d)
	if d.Summary != evaluate.Redacted || d.Detail != "no "+evaluate.Redacted {
		t.Errorf("got %q, %q", d.Summary, d.Detail)
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a file", "a = 1\nb {}\n", ""},
		{"a number in a list", "a = [1, 1e400]", "Number out of range"},
		{"a number as an index", "a = b[1e400]", "Number out of range"},
		{"a number after an index", "a = f()[1e400]", "Number out of range"},
		{"a small number", "a = 1e-400", "Number out of range"},
		{"zero", "a = 0.0", ""},
		{"a string as an index", "a = b[\"1e600000000\"]", "Index out of range"},
		{"blocks in blocks", strings.Repeat("a {\n", 200), "Nested too deep"},
		{"a missing brace", "a {", "Unclosed configuration block"},
		{"a byte order mark", "\ufeffa = 1", ""},
		{"not text", "\x00\xff", "Not a text file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, body, diags := evaluate.Parse("x", []byte(tt.text))
			if file == nil {
				t.Fatal("no file")
			}
			if tt.want == "" {
				if diags.HasErrors() || body == nil {
					t.Errorf("got %v", diags)
				}
				return
			}
			if !diags.HasErrors() || diags[0].Summary != tt.want {
				t.Errorf("got %v, want %q", diags, tt.want)
			}
		})
	}
}

func TestConvert(t *testing.T) {
	e := evaluate.New(t.Context(), "", nil)
	if v, err := e.Convert(cty.StringVal("5"), cty.Number); err != nil || !v.RawEquals(cty.NumberIntVal(5)) {
		t.Errorf("got %#v, %v", v, err)
	}
	for name, v := range map[string]cty.Value{"huge": cty.StringVal("1e600000000"), "no number": cty.StringVal("x"), "beyond": cty.StringVal("1e400")} {
		if got, err := e.Convert(v, cty.Number); err == nil {
			t.Errorf("%s: got %#v", name, got)
		}
	}
	if diags := e.Weigh(cty.MustParseNumberVal("1e400"), hcl.Range{Filename: "x"}); !diags.HasErrors() || e.Halted() {
		t.Errorf("got %v, halted: %v", diags, e.Halted())
	}
}

// Static analysis sees through the meters.
func TestUnwrap(t *testing.T) {
	x, diags := evaluate.ParseExpression("x", []byte("[a.b, f(1)]"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	e := evaluate.New(t.Context(), "", nil)
	_, _ = e.Value(x, e.Context(nil))
	list, ok := x.(*hclsyntax.TupleConsExpr)
	if !ok {
		t.Fatalf("it became %T", x)
	}
	if _, ok := evaluate.Unwrap(list.Exprs[1]).(*hclsyntax.FunctionCallExpr); !ok {
		t.Errorf("got %T", list.Exprs[1])
	}
	if name := hcl.ExprAsKeyword(list.Exprs[0]); name != "" {
		t.Errorf("a.b is taken for the name %q", name)
	}
}
