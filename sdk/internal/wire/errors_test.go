package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
)

// across is err as the other side sees it.
func across(t *testing.T, err error) error {
	t.Helper()
	s, ok := status.FromError(ToStatus(err))
	if !ok {
		t.Fatalf("%v is no status", err)
	}
	return FromStatus(status.FromProto(overTheWire(t, s.Proto())).Err())
}

func TestErrors(t *testing.T) {
	diags := config.Diagnostics{
		{Path: []string{"a", "0"}, Summary: "too small", Detail: "make it larger"}, {Warning: true, Summary: "odd"},
	}
	tests := []struct {
		name string
		in   error
		text string
		is   error
	}{
		{"plain", errors.New("oh"), "oh", nil},
		{"wrapped plain", fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), "reading: unexpected EOF", nil},
		{"fault", fault.New(fault.OutOfMemory, "no %d bytes", 7), "no 7 bytes", fault.OutOfMemory},
		{"wrapped fault", fmt.Errorf("layer 3: %w", fault.New(fault.DeviceLost, "gone")), "layer 3: gone", fault.DeviceLost},
		{"cancelled", fmt.Errorf("stopped: %w", context.Canceled), "context canceled", context.Canceled},
		{"too late", context.DeadlineExceeded, "context deadline exceeded", context.DeadlineExceeded},
		{"diagnostics", diags, "a.0: too small (make it larger)\nodd", fault.InvalidConfig},
		{
			"diagnostics with a message", &fault.Error{Code: fault.InvalidConfig, Message: "block", Diagnostics: diags},
			"block: a.0: too small (make it larger)\nodd", fault.InvalidConfig,
		},
		{"no UTF-8", errors.New("file \xff"), "file \uFFFD", nil},
		{"empty", errors.New(""), "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := across(t, tt.in)
			if err == nil || err.Error() != tt.text {
				t.Errorf("got %q, want %q", err, tt.text)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			if second := across(t, err); second.Error() != tt.text {
				t.Errorf("over two borders: %q", second)
			}
		})
	}
	if ToStatus(nil) != nil || FromStatus(nil) != nil {
		t.Error("no error becomes one")
	}
}

func TestErrorsKeepAllOfAFault(t *testing.T) {
	in := fault.New(fault.LimitTooSmall, "24 bytes").WithHint("give %d", 48)
	in.NeedBytes = 48
	in.Diagnostics = config.Diagnostics{{Path: []string{"memory_limit"}, Summary: "too small"}}
	var out *fault.Error
	if err := across(t, fmt.Errorf("planning: %w", in)); !errors.As(err, &out) {
		t.Fatal(err)
	}
	if out.Code != in.Code || out.NeedBytes != 48 || out.Hint != "give 48" || !reflect.DeepEqual(out.Diagnostics, in.Diagnostics) ||
		out.Error() != "planning: 24 bytes: memory_limit: too small" {
		t.Errorf("got %+v, %q", out, out)
	}
}

func TestErrorsOfGRPC(t *testing.T) {
	if err := FromStatus(status.Error(codes.ResourceExhausted, "larger than max")); !errors.Is(err, fault.BadInput) {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{io.EOF, status.Error(codes.Unavailable, "gone")} {
		if got := FromStatus(err); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

func TestText(t *testing.T) {
	if got := Text("a\xffb\xc3"); got != "a\uFFFDb\uFFFD" {
		t.Errorf("got %q", got)
	}
	in := []string{"a", "\xff", "\xfe"}
	if got := Texts(in); got[1] != "\uFFFD" || got[2] != "\uFFFD" || in[1] != "\xff" {
		t.Errorf("got %q", got)
	}
	if got := TextMap(map[string]string{"\xff": "\xff"}); got["\uFFFD"] != "\uFFFD" || TextMap(nil) != nil {
		t.Errorf("got %q", got)
	}
}
