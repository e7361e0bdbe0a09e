package jinja

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Options say how a template is rendered. The zero value is ready to use.
type Options struct {
	// Limits bound each rendering.
	Limits Limits
	// Now tells the time for strftime_now; time.Now by default. A template
	// that writes the date renders the same tomorrow only with a clock that
	// stands still.
	Now Clock
}

// A Template is a parsed template. It may be rendered by any number of
// goroutines at once.
type Template struct {
	name    string
	program *program
	options Options
	source  string
}

// A Span is a range of bytes of an output, from Start up to End.
type Span struct{ Start, End int }

// A Result is what a template rendered.
type Result struct {
	Text string
	// Generations are the ranges of Text that {% generation %} blocks wrote,
	// in the order in which they were written.
	Generations []Span
	// GenerationBlocks is how many generation blocks were run. It is more than
	// there are ranges when the template changed, or threw away, what one
	// wrote.
	GenerationBlocks int
}

// Parse reads a template. The name stands in errors, which are [*Error]s of kind
// Syntax or Limit.
func Parse(name, source string, options Options) (*Template, error) {
	t := &Template{name: name, options: options, source: source}
	t.options.Limits = options.Limits.withDefaults()
	if options.Now == nil {
		t.options.Now = time.Now
	}
	if !utf8.ValidString(source) {
		return nil, &Error{Template: name, Kind: Syntax, Message: "the template is not UTF-8"}
	}
	body, err := parse(source)
	if err == nil {
		t.program, err = resolve(body)
	}
	if err != nil {
		var known *Error
		if errors.As(err, &known) {
			known.Template = name
		}
		return nil, err
	}
	return t, nil
}

// Name is the name given to Parse.
func (t *Template) Name() string { return t.name }

// Source is the source given to Parse.
func (t *Template) Source() string { return t.source }

// HasGenerationBlocks reports whether a generation block stands anywhere in the
// template.
func (t *Template) HasGenerationBlocks() bool { return hasGeneration(t.program.body) }

func hasGeneration(body []statement) bool {
	for _, st := range body {
		if _, ok := st.(*generationStatement); ok {
			return true
		}
		for _, inner := range bodies(st) {
			if hasGeneration(inner) {
				return true
			}
		}
	}
	return false
}

// Render renders the template with variables, whose keys are strings. Errors are
// [*Error]s; one that ended with ctx wraps its error.
func (t *Template) Render(ctx context.Context, variables *Dict) (Result, error) {
	rt := &renderer{
		budget:    budget{ctx: ctx, limits: t.options.Limits},
		template:  t,
		variables: variables,
		exported:  NewDict(),
		out:       &output{},
	}
	root := newActivation(t.program.function, nil)
	if t.program.hasSelf {
		root.set(t.program.self, &templateSelf{&blockContext{}})
	}
	rt.enterScope(t.program.scope, root)
	_, err := rt.run(t.program.body, root)
	if err != nil {
		return Result{}, placed(t.name, 0, err)
	}
	return Result{Text: rt.out.text.String(), Generations: rt.out.generations, GenerationBlocks: rt.generationBlocks}, nil
}

// A renderer is one rendering under way.
type renderer struct {
	budget
	template  *Template
	variables *Dict // given to Render
	exported  *Dict // set at the template's top level
	// derived are the variables of the scoped block being rendered, or nil.
	derived          *Dict
	out              *output
	generationBlocks int
}

// given is the variable that blocks and scopes find by name: those set at the top
// level, those given to Render, and the globals.
func (rt *renderer) given(name string) Value {
	for _, d := range []*Dict{rt.derived, rt.exported, rt.variables} {
		if d != nil {
			if v, ok := d.Get(name); ok {
				return v
			}
		}
	}
	if f := lookupGlobal(name); f != nil {
		return f
	}
	return nil
}

// An activation holds the variables of one call of a function; nil where a
// variable is not defined.
type activation struct {
	slots []Value
	outer *activation
}

func newActivation(f *function, outer *activation) *activation {
	return &activation{slots: make([]Value, f.slots), outer: outer}
}

func (a *activation) at(hops int) *activation {
	for ; hops > 0; hops-- {
		a = a.outer
	}
	return a
}

func (a *activation) get(r reference) Value { return a.at(r.hops).slots[r.slot] }

func (a *activation) set(r reference, v Value) { a.at(r.hops).slots[r.slot] = v }

// enterScope gives the variables of a scope their first values.
func (rt *renderer) enterScope(e scopeEntry, a *activation) {
	for i := range e.variables {
		v := &e.variables[i]
		switch v.kind {
		case startGiven:
			a.slots[v.slot] = rt.given(v.name)
		case startOuter:
			a.slots[v.slot] = a.get(v.outer)
		case startUndefined:
			a.slots[v.slot] = nil
		}
	}
}

// leaveScope forgets the variables of a scope.
func (e scopeEntry) leave(a *activation) {
	for i := range e.variables {
		a.slots[e.variables[i].slot] = nil
	}
}

// at gives an error the line of a node.
func (rt *renderer) at(n interface{ at() int }, err error) error {
	return placed(rt.template.name, n.at(), err)
}

// call is one level of calls: it runs f one level deeper.
func (rt *renderer) deeper(f func() error) error {
	if err := rt.enter(); err != nil {
		return err
	}
	defer rt.leave()
	return f()
}

var _ error = (*Error)(nil)
var _ fmt.Stringer = signal(0)
