package pattern

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

type golden struct {
	Pools    [][]string `json:"pools"`
	Patterns []struct {
		Name     string     `json:"name"`
		Expr     string     `json:"expr"`
		SHA256   string     `json:"sha256"`
		Examples [][]string `json:"examples"`
	} `json:"patterns"`
}

func readGolden(t testing.TB) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/pattern.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// texts makes the texts of gen_pattern.py.
func (g golden) texts(yield func(string) bool) {
	state := uint64(7)
	draw := func() int {
		state = state*6364136223846793005 + 1442695040888963407
		return int(state >> 33)
	}
	for range 4000 {
		var text strings.Builder
		for n := 1 + draw()%24; n > 0; n-- {
			pool := g.Pools[draw()%len(g.Pools)]
			for m := 1 + draw()%4; m > 0; m-- {
				text.WriteString(pool[draw()%len(pool)])
			}
		}
		if !yield(text.String()) {
			return
		}
	}
}

// pieces cuts text at its matches, each of them a piece, as the behaviour
// "isolated" does.
func pieces(t *testing.T, p Pattern, text string) []string {
	t.Helper()
	matches, err := p.Matches(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	at := 0
	for _, m := range matches {
		if m.Start < at || m.End < m.Start || m.End > len(text) {
			t.Fatalf("%q: match %v after %d", text, m, at)
		}
		if at < m.Start {
			out = append(out, text[at:m.Start])
		}
		if m.Start < m.End {
			out = append(out, text[m.Start:m.End])
		}
		at = m.End
	}
	if at < len(text) {
		out = append(out, text[at:])
	}
	return out
}

func TestPatternsSplitAsTheLibraryDoes(t *testing.T) {
	g := readGolden(t)
	scanners := 0
	for _, test := range g.Patterns {
		t.Run(test.Name, func(t *testing.T) {
			p, err := Compile(test.Expr)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := p.(Scanner); ok {
				scanners++
			}
			checkGolden(t, g, p, test.Examples, test.SHA256)
			if _, ok := p.(Scanner); !ok {
				return
			}
			translated, err := compile(test.Expr)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, g, translated, test.Examples, test.SHA256)
		})
	}
	if scanners != 6 {
		t.Errorf("%d patterns have scanners, want 6", scanners)
	}
}

func checkGolden(t *testing.T, g golden, p Pattern, examples [][]string, want string) {
	t.Helper()
	h := sha256.New()
	n := 0
	for text := range g.texts {
		got := pieces(t, p, text)
		if n < len(examples) && !slices.Equal(got, examples[n]) {
			t.Errorf("%q: got %q, want %q", text, got, examples[n])
		}
		n++
		h.Write([]byte(strings.Join(got, "\x00") + "\x00\x00"))
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("%T: the digest of all texts is %s, want %s", p, got, want)
	}
}

func TestLiteralAndClass(t *testing.T) {
	dash, err := Literal("--")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		pattern Pattern
		text    string
		want    []string
	}{
		{"literal", dash, "a---b--", []string{"a", "--", "-b", "--"}},
		{"literal missing", dash, "a-b", []string{"a-b"}},
		{"class", Class(func(r rune) bool { return r == 'é' || r == 'b' }), "aébé", []string{"a", "é", "b", "é"}},
		{"nothing", dash, "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := pieces(t, test.pattern, test.text); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if _, err := Literal(""); err == nil {
		t.Error("Literal of the empty string gives no error")
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"open group", `(a`, "closing parenthesis"},
		{"closed group", `a)`, "opening one"},
		{"open class", `[a`, "closing bracket"},
		{"nothing to repeat", `*a`, "nothing to repeat"},
		{"quantified option", `(?i)*`, "nothing to repeat"},
		{"backwards range", `[z-a]`, "backwards"},
		{"range to a set", `[a-\d]`, "ends in a set"},
		{"script", `\p{Greek}`, `\p{Greek}`},
		{"unknown escape", `\Kx`, `\K`},
		{"trailing backslash", `a\`, "backslash"},
		{"surrogate", `\uD800`, "D800"},
		{"hex", `\x{zz}`, "zz"},
		{"named group", `(?<n>a)`, "(?<"},
		{"absence", `(?~a)`, "(?~"},
		{"callout", `(*FAIL)`, "callouts"},
		{"ligature", `(?i)stra`, "ligature"},
		{"sharp s", `(?i)ß`, "ligature"},
		{"bracket", `[[:alpha:]]`, "[:alpha:]"},
		{"huge repetition", `a{1000000}`, "limit"},
		{"deep groups", strings.Repeat("(", 5000) + strings.Repeat(")", 5000), "nested"},
		{"deep classes", strings.Repeat("[a", 5000) + strings.Repeat("]", 5000), "nested"},
		{"long", strings.Repeat("a", 1<<16), "limit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(test.expr)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that holds %q", err, test.want)
			}
			if err != nil && len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestPatternThatNeverEnds(t *testing.T) {
	p, err := compile(`(a|aa|aaa)+$b`)
	if err != nil {
		t.Fatal(err)
	}
	p.(*expression).re.MatchTimeout = 50 * time.Millisecond
	if _, err := p.Matches(nil, strings.Repeat("a", 200)); err == nil {
		t.Error("no error")
	} else if !strings.Contains(err.Error(), "200 characters") {
		t.Errorf("error %v does not name the text's length", err)
	}
}

// FuzzScanners compares each scanner with its own pattern run by regexp2.
func FuzzScanners(f *testing.F) {
	g := readGolden(f)
	n := 0
	for text := range g.texts {
		if n++; n > 50 {
			break
		}
		f.Add(text)
	}
	exprs := []string{GPT2, Llama3, Qwen2, Qwen35, GPT4o, Tekken}
	var scanners, translated []Pattern
	for _, expr := range exprs {
		p, err := compile(expr)
		if err != nil {
			f.Fatal(err)
		}
		scanners = append(scanners, known(expr))
		translated = append(translated, p)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		for i := range exprs {
			got, want := pieces(t, scanners[i], text), pieces(t, translated[i], text)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", exprs[i], got, want)
			}
		}
	})
}

// FuzzCompile looks for expressions that panic, or never end.
func FuzzCompile(f *testing.F) {
	for _, p := range readGolden(f).Patterns {
		f.Add(p.Expr, "Hello wörld 123\n")
	}
	f.Add("(?<=a{2,3}[^b-d])+?\\p{^L}{,3}", "aaaae")
	f.Fuzz(func(t *testing.T, expr, text string) {
		if len(expr) > 60 || len(text) > 100 || !utf8.ValidString(expr) || !utf8.ValidString(text) {
			t.Skip()
		}
		p, err := Compile(expr)
		if err != nil {
			return
		}
		if e, ok := p.(*expression); ok {
			e.re.MatchTimeout = 100 * time.Millisecond
		}
		matches, err := p.Matches(nil, text)
		if err != nil {
			if errors.Unwrap(err) == nil {
				t.Errorf("error %v wraps nothing", err)
			}
			return
		}
		at := 0
		for _, m := range matches {
			if m.Start < at || m.End < m.Start || m.End > len(text) {
				t.Fatalf("match %v after %d in %q", m, at, text)
			}
			at = m.End
		}
	})
}

func BenchmarkScanners(b *testing.B) {
	text := strings.Repeat("The quick brown fox can't jump over 12345 lazy dogs, naïve café.\n\tif (x == 1) { return foo_bar2; }\n", 200)
	for _, c := range []struct{ name, expr string }{
		{"GPT2", GPT2}, {"Llama3", Llama3}, {"GPT4o", GPT4o},
	} {
		s := known(c.expr)
		re, err := compile(c.expr)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range []struct {
			name string
			Pattern
		}{{"scanner", s}, {"regexp2", re}} {
			b.Run(c.name+"/"+p.name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				var matches []Match
				for b.Loop() {
					var err error
					if matches, err = p.Matches(matches[:0], text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
