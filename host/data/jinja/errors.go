package jinja

import (
	"errors"
	"fmt"
)

// A Kind says why a template failed; [KindOf] tells it of an error.
type Kind string

// The kinds of failure.
const (
	// Syntax: the source is not a Jinja template; [Parse] fails.
	Syntax Kind = "syntax error"
	// Runtime: an operation that the values do not allow, where Python would
	// raise an exception: an undefined variable used, a wrong type.
	Runtime Kind = "error while rendering"
	// Raised: the template called raise_exception; the message is its own.
	Raised Kind = "raised by the template"
	// Limit: a limit on steps, memory or depth was reached.
	Limit Kind = "limit reached"
	// Unsupported: Jinja has it and this package does not.
	Unsupported Kind = "not supported"
)

// KindOf is the kind of the [*Error] that err is or wraps; "" if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// An Error is a failure at a line of a template.
type Error struct {
	Template string // the name given to Parse
	Line     int    // from 1; 0 when no line is known
	Kind     Kind
	Message  string // lower-case, or what raise_exception was given
	Cause    error  // the context's error, where that ended the rendering
}

// Error is "template:line: message".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Template, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.Template, e.Line, e.Message)
}

// Unwrap is the context's error, or nil.
func (e *Error) Unwrap() error { return e.Cause }

// failure is an error that has no place yet: operations on values return it, and
// the evaluator gives it the line of the expression.
type failure struct {
	kind  Kind
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }

func failf(format string, args ...any) error {
	return &failure{kind: Runtime, text: fmt.Sprintf(format, args...)}
}

func unsupportedf(format string, args ...any) error {
	return &failure{kind: Unsupported, text: fmt.Sprintf(format, args...)}
}

func limitf(format string, args ...any) error {
	return &failure{kind: Limit, text: fmt.Sprintf(format, args...)}
}

// placed is err as an *Error at the given line; one that has a place keeps it.
func placed(template string, line int, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	out := &Error{Template: template, Line: line, Kind: Runtime, Message: err.Error()}
	var f *failure
	if errors.As(err, &f) {
		out.Kind, out.Cause = f.kind, f.cause
	}
	return out
}
