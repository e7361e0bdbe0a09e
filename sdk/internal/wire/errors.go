// Package wire turns the SDK's types into messages and back, on both sides of
// the border. A plugin author never meets it.
package wire

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// ToStatus is err as a gRPC status error. A fault keeps its code, hint and
// diagnostics, context errors their identity, and whatever else is a message.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	}
	message := Text(err.Error())
	detail := &pb.ErrorDetail{Message: message}
	var f *fault.Error
	var diags config.Diagnostics
	switch {
	case errors.As(err, &f):
		detail.Code, detail.NeedBytes = string(f.Code), f.NeedBytes
		detail.Hint = Text(fault.HintOf(err))
		detail.Diagnostics = diagnosticsToProto(f.Diagnostics)
	case errors.As(err, &diags):
		detail.Code = string(fault.InvalidConfig)
		detail.Diagnostics = diagnosticsToProto(diags)
	}
	s, detailErr := status.New(codes.Unknown, message).WithDetails(detail)
	if detailErr != nil {
		return status.Error(codes.Unknown, message)
	}
	return s.Err()
}

// FromStatus is the reverse of [ToStatus].
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Canceled:
		return context.Canceled
	case codes.DeadlineExceeded:
		return context.DeadlineExceeded
	case codes.ResourceExhausted:
		return fault.New(fault.BadInput, "a message between hone and a plugin is too large: %s", s.Message())
	}
	for _, d := range s.Details() {
		detail, ok := d.(*pb.ErrorDetail)
		if !ok {
			continue
		}
		if detail.GetCode() == "" {
			return errors.New(detail.GetMessage())
		}
		f := &fault.Error{
			Code: fault.Code(detail.GetCode()), Message: detail.GetMessage(), Hint: detail.GetHint(),
			NeedBytes: detail.GetNeedBytes(), Diagnostics: diagnosticsFromProto(detail.GetDiagnostics()),
		}
		if len(f.Diagnostics) > 0 { // the message has them at its end, as Error will again
			f.Message = strings.TrimSuffix(strings.TrimSuffix(f.Message, f.Diagnostics.Error()), ": ")
		}
		return f
	}
	return err
}

func diagnosticsToProto(diags config.Diagnostics) []*pb.Diagnostic {
	var out []*pb.Diagnostic
	for _, d := range diags {
		out = append(out, &pb.Diagnostic{
			Warning: d.Warning, Path: Texts(d.Path), Summary: Text(d.Summary), Detail: Text(d.Detail),
		})
	}
	return out
}

func diagnosticsFromProto(diags []*pb.Diagnostic) config.Diagnostics {
	var out config.Diagnostics
	for _, d := range diags {
		out = append(out, config.Diagnostic{
			Warning: d.GetWarning(), Path: d.GetPath(), Summary: d.GetSummary(), Detail: d.GetDetail(),
		})
	}
	return out
}
