package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/honeml/hone/sdk/fault"
)

// newerHint is what can be done where one side's messages say more than the other's
// can read.
const newerHint = "update hone and its plugins: one of them is older than the other's SDK"

// newer says that what has fields that this SDK does not know.
func newer(unknown protoreflect.RawFields, what protoreflect.Name) error {
	number, _, _ := protowire.ConsumeField(unknown)
	return fault.New(fault.Unsupported, "%s has field %d, which this version of hone does not know", what, number).WithHint(newerHint)
}

// Known refuses a message with a field that this SDK does not know, in it or in what it
// holds. A field of its zero value is not sent, and means what was meant before there
// was the field: so what is refused would have been computed otherwise than its author
// means.
func Known(m proto.Message) error { return knownIn(m.ProtoReflect()) }

func knownIn(m protoreflect.Message) error {
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		return newer(unknown, m.Descriptor().Name())
	}
	var err error
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.Message() == nil || field.IsMap():
		case field.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = knownIn(v.List().Get(i).Message())
			}
		default:
			err = knownIn(v.Message())
		}
		return err == nil
	})
	return err
}
