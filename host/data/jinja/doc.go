// Package jinja is a small Jinja engine for chat templates: it renders what
// Python's jinja2 renders, byte for byte, in the environment that the
// transformers library sets up for them. That is
//
//   - blocks trimmed on both sides (trim_blocks, lstrip_blocks), autoescaping off;
//   - the immutable sandbox: a template can build values but change none;
//   - break and continue, and {% generation %} blocks whose place in the output
//     is reported as byte ranges;
//   - the globals raise_exception and strftime_now, and a tojson that escapes
//     nothing for HTML.
//
// It is not a general template engine: templates stand alone (include, import
// and extends are refused, by name, when they are reached), there is no HTML
// escaping of output, and what depends on chance (the random filter, lipsum) is
// refused too.
//
// How the pieces meet: [Parse] reads the source into a syntax tree (lexer.go,
// parser.go), settles which variable every name means (scope.go, resolve.go: Jinja
// decides that before rendering, and templates can tell), and returns a
// [Template], which any number of goroutines may render. [Template.Render] walks
// the tree (execute.go, evaluate.go) over [Value]s, which behave as Python's: see
// value.go for the kinds, compare.go, arithmetic.go and represent.go for what they
// do, methods*.go, filters*.go and tests.go for what templates can call.
//
// Templates come with models, from strangers: every rendering has [Limits] on
// steps, memory and depth, and ends with an [Error] when one is reached.
//
// The language is that of the Jinja documentation, 3.1
// (https://jinja.palletsprojects.com/en/stable/templates/), the values are those
// of the Python language reference. testdata/cases.json holds what jinja2 itself
// answered to some hundreds of small templates.
package jinja
