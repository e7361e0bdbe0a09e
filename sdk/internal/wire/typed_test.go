package wire

import (
	"math"
	"reflect"
	"strings"
	"testing"

	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

func TestTypedValues(t *testing.T) {
	in := map[string]any{
		"bool": true, "string": "x", "int": 5, "int8": int8(-8), "int16": int16(-16), "int32": int32(math.MinInt32),
		"int64": int64(math.MinInt64), "uint8": uint8(255), "uint16": uint16(65535), "uint32": uint32(math.MaxUint32),
		"uint64": uint64(math.MaxUint64), "float32": float32(0.1), "float64": 0.1,
		"strings": []string{"a", "b"}, "bools": []bool{true, false}, "floats32": []float32{0.1, 2}, "floats64": []float64{0.1, 2},
		"ints32": []int32{-1, 2}, "ints64": []int64{-1, math.MaxInt64}, "uints32": []uint32{1, math.MaxUint32},
	}
	m, err := TypedMapToProto(in)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range m {
		m[name] = overTheWire(t, v)
	}
	exact, err := ExactMapFromProto(m)
	if err != nil {
		t.Fatal(err)
	}
	in["int"] = int64(5)
	if !reflect.DeepEqual(exact, in) {
		t.Errorf("got  %#v\nwant %#v", exact, in)
	}
	wide := TypedMapFromProto(m)
	for name, want := range map[string]any{
		"bool": true, "string": "x", "int8": int64(-8), "uint8": uint64(255), "uint64": uint64(math.MaxUint64),
		"float32": float64(float32(0.1)), "ints32": []int64{-1, 2}, "uints32": []int64{1, math.MaxUint32},
		"floats32": []float64{float64(float32(0.1)), 2}, "strings": []string{"a", "b"}, "bools": []bool{true, false},
	} {
		if !reflect.DeepEqual(wide[name], want) {
			t.Errorf("%s: got %#v, want %#v", name, wide[name], want)
		}
	}
}

func TestTypedValuesThatAreRefused(t *testing.T) {
	for name, v := range map[string]any{"a map": map[string]any{}, "nothing": nil, "complex": 1i, "mixed": []any{1, "a"}} {
		if _, err := TypedMapToProto(map[string]any{"key": v}); err == nil || !strings.Contains(err.Error(), `key "key"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	tests := map[string]*pb.Typed{
		"an int32 too large":      {Type: "int32", Value: &pb.Typed_Whole{Whole: 1 << 40}},
		"an int8 too small":       {Type: "int8", Value: &pb.Typed_Whole{Whole: -129}},
		"a uint8 too large":       {Type: "uint8", Value: &pb.Typed_Unsigned{Unsigned: 256}},
		"a uint32 too large":      {Type: "uint32", Value: &pb.Typed_Unsigned{Unsigned: 1 << 32}},
		"of an unknown type":      {Type: "int7", Value: &pb.Typed_Whole{Whole: 1}},
		"without a value":         {Type: "int32"},
		"a list of too large":     {Type: "int32", Value: &pb.Typed_Wholes{Wholes: &pb.Integers{Items: []int64{1 << 40}}}},
		"a list of negative ones": {Type: "uint32", Value: &pb.Typed_Wholes{Wholes: &pb.Integers{Items: []int64{-1}}}},
	}
	for name, typed := range tests {
		if v, err := ExactMapFromProto(map[string]*pb.Typed{"key": typed}); err == nil {
			t.Errorf("%s: got %#v", name, v)
		}
	}
}
