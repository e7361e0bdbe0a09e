package cuda

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// An Error is a call that the driver did not answer with success. errors.Is finds
// its Status and the fault that it is.
type Error struct {
	Call   string // "cuMemAlloc"
	Object string // what it was about: "of 1073741824 bytes"; may be empty
	Status Status
	Log    string // what the driver's compiler said, where it was asked
	// Recent are the last things that were launched before, the latest last, where
	// a kernel may be the cause: the error shows at whatever call comes next.
	Recent []string
}

// Error is one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Call)
	if e.Object != "" {
		b.WriteString(" " + e.Object)
	}
	b.WriteString(": " + e.Status.Error())
	if e.Log != "" {
		b.WriteString(": " + strings.Join(strings.Fields(e.Log), " "))
	}
	if len(e.Recent) > 0 {
		b.WriteString("; launched before, the latest last: " + strings.Join(e.Recent, ", "))
	}
	return b.String()
}

// Is reports whether target is the error's status.
func (e *Error) Is(target error) bool {
	s, ok := target.(Status)
	return ok && s == e.Status
}

// Unwrap is the fault that the error is, or nil.
func (e *Error) Unwrap() error {
	code := e.Status.code()
	if code == "" {
		return nil
	}
	return &fault.Error{Code: code, Message: e.Error(), Hint: e.Status.hint()}
}

// failed is the error of a call outside any context. The object is a format.
func failed(status Status, call, object string, args ...any) *Error {
	return &Error{Call: call, Object: fmt.Sprintf(object, args...), Status: status}
}

// A PanicError is a panic in a function that ran on a Thread.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

// Error is the panic's value and the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("panic on the GPU's thread: %v\n%s", e.Value, e.Stack)
}

// Unwrap is the panic's value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
