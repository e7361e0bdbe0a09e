// Package fault is the errors that cross the border between the host and its
// plugins and keep their meaning: a [Code] that a caller decides by, a message,
// a hint of what to do, and diagnostics for the user's block.
//
// A plugin returns any error; one that is, or wraps, an [*Error] reaches the
// host as an *Error with the same code, so that
//
//	errors.Is(err, fault.OutOfMemory)
//
// holds on both sides. Context errors keep their identity too.
package fault

import (
	"errors"
	"fmt"

	"github.com/honeml/hone/sdk/config"
)

// A Code is a kind of failure. It is an error itself, for errors.Is.
type Code string //nolint:errname // it is a code first

// The codes.
//
//nolint:errname // fault.OutOfMemory reads better than fault.ErrOutOfMemory
const (
	// Unsupported: an operation, dtype, quantisation or setting that the plugin
	// does not implement.
	Unsupported Code = "unsupported"
	// InvalidConfig: the plugin's block is wrong; Diagnostics say where.
	InvalidConfig Code = "invalid configuration"
	// InvalidModel: a model's configuration or Graph is wrong.
	InvalidModel Code = "invalid model"
	// LimitTooSmall: a memory limit cannot be met; NeedBytes could.
	LimitTooSmall Code = "limit too small"
	// OutOfMemory: the device ran out of memory although the plan fits.
	OutOfMemory Code = "out of memory"
	// DeviceLost: the device failed; only a new process can go on.
	DeviceLost Code = "device lost"
	// BadWeights: a weights file or an adapter is missing, broken or of another
	// shape than the Graph expects.
	BadWeights Code = "bad weights"
	// OutOfOrder: a call that is not allowed in this state.
	OutOfOrder Code = "out of order"
	// BadInput: a request that breaks a rule of the protocol.
	BadInput Code = "bad input"
	// Storage: files could not be written or read.
	Storage Code = "storage"
)

// Error is the code's name.
func (c Code) Error() string { return string(c) }

// An Error is a failure with a code.
type Error struct {
	Code        Code
	Message     string             // lower-case: what failed, on what
	Hint        string             // what the user can do; may be empty
	Diagnostics config.Diagnostics // InvalidConfig
	NeedBytes   int64              // LimitTooSmall: the nearest limit that would do
	Cause       error              // what it wraps, on the side where it arose
}

// New is an Error with a formatted message; %w works as in fmt.Errorf.
func New(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// WithHint adds what the user can do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error is the message; diagnostics follow it.
func (e *Error) Error() string {
	switch {
	case len(e.Diagnostics) == 0:
		return e.Message
	case e.Message == "":
		return e.Diagnostics.Error()
	}
	return e.Message + ": " + e.Diagnostics.Error()
}

// Unwrap is what the error wraps.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// HintOf is the hint of the first Error in err's chain that has one.
func HintOf(err error) string {
	for {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
}
