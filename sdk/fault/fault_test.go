package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
)

func TestIs(t *testing.T) {
	inner := fault.New(fault.BadWeights, "reading %s: %w", "a.safetensors", io.ErrUnexpectedEOF)
	outer := fmt.Errorf("loading: %w", fault.New(fault.Storage, "layer %d: %w", 3, inner))
	tests := []struct {
		name   string
		err    error
		target error
		want   bool
	}{
		{"its code", inner, fault.BadWeights, true},
		{"another code", inner, fault.Storage, false},
		{"what it wraps", inner, io.ErrUnexpectedEOF, true},
		{"the outer code", outer, fault.Storage, true},
		{"the inner code", outer, fault.BadWeights, true},
		{"what the inner wraps", outer, io.ErrUnexpectedEOF, true},
		{"no fault at all", io.EOF, fault.BadWeights, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := errors.Is(tt.err, tt.target); got != tt.want {
				t.Errorf("errors.Is(%v, %v) is %v", tt.err, tt.target, got)
			}
		})
	}
	if got := outer.Error(); got != "loading: layer 3: reading a.safetensors: unexpected EOF" {
		t.Errorf("got %q", got)
	}
}

func TestHintOf(t *testing.T) {
	inner := fault.New(fault.Storage, "no room").WithHint("delete %d files", 3)
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"none", fault.New(fault.Storage, "no room"), ""},
		{"its own", inner, "delete 3 files"},
		{"behind a wrapper", fmt.Errorf("saving: %w", inner), "delete 3 files"},
		{"of a fault that another wraps", fault.New(fault.BadInput, "x: %w", inner), "delete 3 files"},
		{"the outer one first", fault.New(fault.BadInput, "x: %w", inner).WithHint("stop"), "stop"},
		{"no fault", io.EOF, ""},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fault.HintOf(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	diags := config.Errorf([]string{"rank"}, "too small")
	tests := []struct {
		err  *fault.Error
		want string
	}{
		{&fault.Error{Message: "a"}, "a"},
		{&fault.Error{Diagnostics: diags}, "rank: too small"},
		{&fault.Error{Message: "a", Diagnostics: diags}, "a: rank: too small"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
