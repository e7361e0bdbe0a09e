package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func mustParse(t testing.TB, source string, options Options) *Template {
	t.Helper()
	template, err := Parse("chat", source, options)
	if err != nil {
		t.Fatalf("Parse(%q): %v", source, err)
	}
	return template
}

// TestErrors checks what an error says: where, of which kind, in which words.
func TestErrors(t *testing.T) {
	tests := []struct {
		name, source string
		kind         Kind
		want         string
	}{
		{"unclosed block", "a\n{% if true %}\nb", Syntax, "chat:3: the template ends before {% elif %} or {% else %} or {% endif %}; the innermost open block is {% if %}"},
		{"wrong end", "{% for x in y %}\n{% endif %}", Syntax, "chat:2: unknown tag 'endif'; the innermost open block is {% for %}"},
		{"unknown tag", "\n\n{% do x %}", Syntax, "chat:3: unknown tag 'do'"},
		{"unknown filter", "a\n{{ x|shout }}", Syntax, "chat:2: there is no filter named 'shout'"},
		{"unknown test", "{{ x is loud }}", Syntax, "chat:1: there is no test named 'loud'"},
		{"unclosed string", "{{ 'a }}", Syntax, "chat:1: a string is not closed"},
		{"bad character", "{{ a ? b }}", Syntax, "chat:1: unexpected character '?'"},
		{"bracket", "{{ (a] }}", Syntax, "chat:1: found ']' where ')' must close"},
		{"assign to constant", "{% set true = 1 %}", Syntax, "chat:1: cannot assign to a constant"},
		{"break outside", "{% break %}", Syntax, "chat:1: break stands outside of a loop"},
		{"not UTF-8", "\xff", Syntax, "chat: the template is not UTF-8"},
		{"undefined", "a\nb\n{{ x.y }}", Runtime, "chat:3: 'x' is undefined"},
		{"undefined attribute", "{{ {'a': 1}.b.c }}", Runtime, "chat:1: the dict has no attribute or key 'b'"},
		{"undefined item", "{{ [1][3].x }}", Runtime, "chat:1: the list has no such item"},
		{"types", "\n{{ 'a' + 1 }}", Runtime, "chat:2: '+' does not work on a str and a int"},
		{"mutation", "{{ [].append(1) }}", Runtime, "chat:1: the method 'append' would change a list, which templates cannot; use a namespace, or + to make a new one"},
		{"line of an argument", "{{ f(1,\n  x.y) if false else\n  z.y }}", Runtime, "chat:3: 'z' is undefined"},
		{"inside a macro", "{% macro m() %}\n\n{{ x.y }}{% endmacro %}\n{{ m() }}", Runtime, "chat:3: 'x' is undefined"},
		{"not a namespace", "{% set x = {} %}{% set x.a = 1 %}", Runtime, "chat:1: cannot set 'x.a': 'x' is a dict; only the attributes of a namespace can be set"},
		{"division", "{{ 1 // 0 }}", Runtime, "chat:1: division by zero"},
		{"integer", "{{ 9223372036854775807 + 1 }}", Runtime, "chat:1: an integer is beyond 64 bits, which is as far as they are computed with here"},
		{"raise_exception", "\n{{ raise_exception('roles must alternate') }}", Raised, "chat:2: roles must alternate"},
		{"include", "{% include 'x' %}", Unsupported, "chat:1: {% include %} is not supported: a chat template stands alone, put the other template's text in its place"},
		{"autoescape", "{% autoescape true %}{% endautoescape %}", Unsupported, "chat:1: {% autoescape true %} is not supported: chat templates write text, not HTML"},
		{"random", "{{ [1]|random }}", Unsupported, "chat:1: the filter 'random' is not supported: a chat template must always write the same"},
		{"range", "{{ range(100001) }}", Limit, "chat:1: range() would have 100001 items, more than 100000"},
		{"long number", "{{ " + strings.Repeat("9", 5000) + " }}", Syntax, "chat:1: a number has more than 4300 digits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			template, err := Parse("chat", test.source, Options{})
			if err == nil {
				_, err = template.Render(context.Background(), NewDict())
			}
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != test.want {
				t.Errorf("the error is %q, want %q", err, test.want)
			}
			if KindOf(err) != test.kind {
				t.Errorf("the kind is %q, want %q", KindOf(err), test.kind)
			}
			var e *Error
			if !errors.As(err, &e) || e.Template != "chat" {
				t.Errorf("the error is no *Error of the template: %#v", err)
			}
		})
	}
}

// TestLimits renders templates that would go on for ever, or fill the memory.
func TestLimits(t *testing.T) {
	double := "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}"
	tests := []struct{ name, source string }{
		{"nested loops", strings.Repeat("{% for i in range(1000) %}", 6) + strings.Repeat("{% endfor %}", 6)},
		{"endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
		{"endless recursive loop", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
		{"blocks that call themselves", "{% block a %}{{ self.a() }}{% endblock %}"},
		{"doubled string", double},
		{"doubled list", strings.ReplaceAll(double, "'ab'", "[1]")},
		{"doubled output", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% else %}x{% endif %}{% endmacro %}{{ m(100) }}"},
		{"repeated string", "{{ 'abc' * 10000000000 }}"},
		{"repeated list", "{{ [1] * 10000000000 }}"},
		{"largest repetition", "{{ 'abc' * 9223372036854775807 }}"},
		{"joined", "{{ ('a' * 100000)|join('b' * 100000) }}"},
		{"replaced", "{{ ('a' * 100000).replace('a', 'b' * 100000) }}"},
		{"padded", "{{ 'a'.center(1000000000000) }}"},
		{"formatted", "{{ '%1000000000d' % 1 }}"},
		{"format width", "{{ '{:1000000000}'.format(1) }}"},
		{"indented", "{{ ('\n' * 100000)|indent('a' * 100000, true, true) }}"},
		{"zeros", "{{ 'a'.zfill(99999999999) }}"},
		{"tabs", "{{ ('\\t' * 1000000).expandtabs(1000000) }}"},
		{"batch", "{{ [1]|batch(10000000000, 'x')|list }}"},
		{"slices", "{{ [1]|slice(10000000000)|list }}"},
		{"deep list", "{% set ns = namespace(x=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"},
		{"deep JSON", "{% set ns = namespace(x=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}"},
		{"deep equality", "{% set ns = namespace(x=[], y=[]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}"},
		{"deep order", "{% set ns = namespace(x=[1], y=[2]) %}{% for i in range(10000) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x < ns.y }}"},
		{"wide equality", "{% set ns = namespace(x=[], y=[]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}"},
		{"wide text", "{% set ns = namespace(x=[]) %}{% for i in range(100) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|string|length }}"},
		{"wide key", "{% set ns = namespace(x=()) %}{% for i in range(19) %}{% set ns.x = (ns.x,) * 500 %}{% endfor %}{{ {ns.x: 1} }}"},
		{"deep key", "{% set ns = namespace(x=()) %}{% for i in range(50) %}{% set ns.x = (ns.x,) %}{% endfor %}{{ {ns.x: 1} }}"},
		{"chained generators", "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = ns.x|map('string') %}{% endfor %}{{ ns.x|list }}"},
		{"nested generators", "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = ns.x|select %}{% endfor %}{{ ns.x|first }}"},
		{"time", "{{ strftime_now('%c' * 10000000) }}"},
		{"long words", "{{ ('a' * 1000000)|wordwrap(1, true, 'b' * 1000) }}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			template := mustParse(t, test.source, Options{Limits: Limits{Steps: 100_000, Bytes: 4 << 20}})
			_, err := template.Render(context.Background(), NewDict())
			if KindOf(err) != Limit {
				t.Errorf("the error is %v, want a limit", err)
			}
		})
	}
}

// TestParseLimits parses sources that nest or chain without end.
func TestParseLimits(t *testing.T) {
	const n = 10_000
	repeat := strings.Repeat
	tests := []struct {
		name, source string
		fails        bool
	}{
		{"brackets", "{{ " + repeat("(", n) + repeat(")", n) + " }}", true},
		{"lists", "{{ " + repeat("[", n) + repeat("]", n) + " }}", true},
		{"signs", "{{ " + repeat("-", n) + "1 }}", true},
		{"nots", "{{ " + repeat("not ", n) + "1 }}", true},
		{"else chain", "{{ " + repeat("1 if 0 else ", n) + "1 }}", true},
		{"if chain", "{{ 1" + repeat(" if 1", n) + " }}", true},
		{"blocks", repeat("{% if 1 %}", n) + repeat("{% endif %}", n), true},
		{"attributes", "{{ a" + repeat(".b", n) + " }}", true},
		{"filters", "{{ a" + repeat("|upper", n) + " }}", true},
		{"calls", "{{ a" + repeat("()", n) + " }}", true},
		{"sums", "{{ 1" + repeat(" + 1", n) + " }}", false},
		{"ors", "{{ 0" + repeat(" or 0", n) + " }}", false},
		{"comparisons", "{{ 1" + repeat(" == 1", n) + " }}", false},
		{"concatenations", "{{ 1" + repeat(" ~ 1", n) + " }}", false},
		{"elifs", "{% if 0 %}" + repeat("{% elif x0 %}", n) + "{% endif %}", false},
		{"names", "{% if 0 %}" + distinct(4_000) + "{% endif %}", false},
		{"too long", repeat(" ", maxSource+1), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			template, err := Parse("chat", test.source, Options{})
			if test.fails {
				if KindOf(err) != Limit {
					t.Errorf("the error is %v, want a limit", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := template.Render(context.Background(), NewDict()); err != nil {
				t.Error(err)
			}
		})
	}
}

// distinct is elifs, each with a name of its own.
func distinct(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "{%% elif x%d %%}{%% set y%d = 1 %%}", i, i)
	}
	return out.String()
}

// TestContext ends a rendering by its context.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	template := mustParse(t, "{% for i in range(100000) %}{{ i }}{% endfor %}", Options{})
	_, err := template.Render(ctx, NewDict())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want that of the context", err)
	}
}

// TestConcurrentRenders renders one template with shared values many times at once;
// the race detector watches.
func TestConcurrentRenders(t *testing.T) {
	file, variables := readCases(t)
	var templates []*Template
	for _, c := range file.Cases {
		if template, err := Parse("case", c.Template, Options{Now: frozen}); err == nil && c.Error == "" {
			templates = append(templates, template)
		}
	}
	want := make([]string, len(templates))
	for i, template := range templates {
		got, err := template.Render(context.Background(), variables)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = got.Text
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i, template := range templates {
				if got, err := template.Render(context.Background(), variables); err != nil || got.Text != want[i] {
					t.Errorf("%q renders %q, %v at the same time as others", template.Source(), got.Text, err)
				}
			}
		})
	}
	group.Wait()
}

// TestGenerations follows the text of generation blocks through captures, and
// counts what gets lost.
func TestGenerations(t *testing.T) {
	tests := []struct {
		name, source, text string
		spans              []Span
		blocks             int
	}{
		{"in a macro", "a{% macro m() %}b{% generation %}cd{% endgeneration %}e{% endmacro %}{{ m() }}f{{ m() }}", "abcdefbcde", []Span{{2, 4}, {7, 9}}, 2},
		{"in a set block", "{% set x %}a{% generation %}b{% endgeneration %}{% endset %}-{{ x }}", "-ab", []Span{{2, 3}}, 1},
		{"concatenated", "{% set x %}a{% generation %}b{% endgeneration %}{% endset %}{{ 'é' ~ x ~ x }}{{ 'c' + x }}", "éababcab", []Span{{3, 4}, {5, 6}, {8, 9}}, 1},
		{"in a recursive loop", "{% for i in [1, [2]] recursive %}{% if i is number %}{% generation %}{{ i }}{% endgeneration %}{% else %}{{ loop(i) }}{% endif %}{% endfor %}", "12", []Span{{0, 1}, {1, 2}}, 2},
		{"in a call block", "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}{% generation %}a{% endgeneration %}{% endcall %}", "<a>", []Span{{1, 2}}, 1},
		{"nested", "{% generation %}a{% generation %}b{% endgeneration %}{% endgeneration %}", "ab", []Span{{0, 2}, {1, 2}}, 2},
		{"changed", "{% set x %}{% generation %}a{% endgeneration %}{% endset %}{{ x|upper }}", "A", nil, 1},
		{"unused", "{% set x %}{% generation %}a{% endgeneration %}{% endset %}b", "b", nil, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			template := mustParse(t, test.source, Options{})
			if !template.HasGenerationBlocks() {
				t.Error("HasGenerationBlocks is false")
			}
			got, err := template.Render(context.Background(), NewDict())
			if err != nil {
				t.Fatal(err)
			}
			if got.Text != test.text || fmt.Sprint(got.Generations) != fmt.Sprint(test.spans) || got.GenerationBlocks != test.blocks {
				t.Errorf("renders %q with spans %v of %d blocks, want %q, %v, %d", got.Text, got.Generations, got.GenerationBlocks, test.text, test.spans, test.blocks)
			}
		})
	}
	if mustParse(t, "{{ 'generation' }}", Options{}).HasGenerationBlocks() {
		t.Error("HasGenerationBlocks is true of a template without one")
	}
}
