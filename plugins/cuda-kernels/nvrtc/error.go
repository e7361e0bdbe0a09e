package nvrtc

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// A Status is what a call of NVRTC answers: nvrtcResult. It is an error, for
// errors.Is.
type Status int32 //nolint:errname // it is an answer first

// Statuses that callers may decide by.
//
//nolint:errname // nvrtc.Compilation reads better than nvrtc.ErrCompilation
const (
	success        Status = 0
	OutOfMemory    Status = 1
	InvalidOption  Status = 5
	Compilation    Status = 6 // the source is wrong; the log says where
	BuiltinFailure Status = 7 // libnvrtc-builtins could not be used
)

// statuses are the names in nvrtc.h.
var statuses = map[Status]string{
	0:  "NVRTC_SUCCESS",
	1:  "NVRTC_ERROR_OUT_OF_MEMORY",
	2:  "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
	3:  "NVRTC_ERROR_INVALID_INPUT",
	4:  "NVRTC_ERROR_INVALID_PROGRAM",
	5:  "NVRTC_ERROR_INVALID_OPTION",
	6:  "NVRTC_ERROR_COMPILATION",
	7:  "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
	11: "NVRTC_ERROR_INTERNAL_ERROR",
}

// Error is the status' name in nvrtc.h and its number.
func (s Status) Error() string {
	if name, ok := statuses[s]; ok {
		return fmt.Sprintf("%s (%d)", name, int32(s))
	}
	return fmt.Sprintf("nvrtcResult %d", int32(s))
}

// An Error is a source that NVRTC did not compile. errors.Is finds its Status, and
// fault.Unsupported where the library is at fault and not the source.
type Error struct {
	Name   string // the request's
	Arch   string
	Status Status
	Log    string // the compiler's, with NAME(LINE): before each error; may be empty
}

// maxLogInError bounds what an error shows of a log; Error.Log has all of it.
const maxLogInError = 8 << 10

// Error is a line, and the compiler's log after it.
func (e *Error) Error() string {
	text := fmt.Sprintf("compiling %s for %s: %s", e.Name, e.Arch, e.Status.Error())
	log := strings.TrimSpace(e.Log)
	if log == "" {
		return text
	}
	if len(log) > maxLogInError {
		log = fmt.Sprintf("%s\n… and %d bytes more", log[:maxLogInError], len(log)-maxLogInError)
	}
	return text + ":\n" + log
}

// Is reports whether target is the error's status.
func (e *Error) Is(target error) bool {
	s, ok := target.(Status)
	return ok && s == e.Status
}

// Unwrap is the fault that the error is, or nil.
func (e *Error) Unwrap() error {
	switch e.Status {
	case InvalidOption:
		return &fault.Error{Code: fault.Unsupported, Message: e.Error(), Hint: "this NVRTC may be too old for the GPU: " + dl.NVRTC.Install(dl.Version{})}
	case BuiltinFailure:
		return &fault.Error{Code: fault.Unsupported, Message: e.Error(), Hint: "libnvrtc-builtins of the same version must lie beside libnvrtc"}
	}
	return nil
}
