package cublaslt

import (
	"fmt"

	"github.com/honeml/hone/sdk/fault"
)

// A Status is what a call of cuBLASLt answers: cublasStatus_t. It is an error, for
// errors.Is.
type Status int32 //nolint:errname // it is an answer first

// Statuses that callers may decide by.
//
//nolint:errname // cublaslt.NotSupported reads better than cublaslt.ErrNotSupported
const (
	success         Status = 0
	NotInitialized  Status = 1
	AllocFailed     Status = 3
	InvalidValue    Status = 7
	ArchMismatch    Status = 8
	ExecutionFailed Status = 13
	InternalError   Status = 14
	NotSupported    Status = 15
)

// statuses are the names in cublas_api.h.
var statuses = map[Status]string{
	0:  "CUBLAS_STATUS_SUCCESS",
	1:  "CUBLAS_STATUS_NOT_INITIALIZED",
	3:  "CUBLAS_STATUS_ALLOC_FAILED",
	7:  "CUBLAS_STATUS_INVALID_VALUE",
	8:  "CUBLAS_STATUS_ARCH_MISMATCH",
	11: "CUBLAS_STATUS_MAPPING_ERROR",
	13: "CUBLAS_STATUS_EXECUTION_FAILED",
	14: "CUBLAS_STATUS_INTERNAL_ERROR",
	15: "CUBLAS_STATUS_NOT_SUPPORTED",
	16: "CUBLAS_STATUS_LICENSE_ERROR",
}

// Error is the status' name in cublas_api.h and its number.
func (s Status) Error() string {
	if name, ok := statuses[s]; ok {
		return fmt.Sprintf("%s (%d)", name, int32(s))
	}
	return fmt.Sprintf("cublasStatus_t %d", int32(s))
}

// code is the fault that the status is, or "".
func (s Status) code() fault.Code {
	switch s {
	case NotInitialized, ArchMismatch, NotSupported:
		return fault.Unsupported
	case AllocFailed:
		return fault.OutOfMemory
	case ExecutionFailed:
		return fault.DeviceLost
	}
	return ""
}

// An Error is a call that cuBLASLt did not answer with success. errors.Is finds its
// Status and the fault that it is.
type Error struct {
	Call    string // "cublasLtMatmul"
	Product string // what was to be computed; may be empty
	Status  Status
}

// Error is one line.
func (e *Error) Error() string {
	if e.Product == "" {
		return fmt.Sprintf("%s: %s", e.Call, e.Status.Error())
	}
	return fmt.Sprintf("%s of %s: %s", e.Call, e.Product, e.Status.Error())
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
	return &fault.Error{Code: code, Message: e.Error()}
}
