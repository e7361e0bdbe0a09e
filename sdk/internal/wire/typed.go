package wire

import (
	"fmt"
	"math"

	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// TypedMapToProto turns values of GGUF's types into messages: bool, string, the
// sized numbers, and slices of them.
func TypedMapToProto(in map[string]any) (map[string]*pb.Typed, error) {
	out := make(map[string]*pb.Typed, len(in))
	for key, v := range in {
		t, err := typedToProto(v)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		out[key] = t
	}
	return out, nil
}

func typedToProto(v any) (*pb.Typed, error) {
	switch x := v.(type) {
	case bool:
		return &pb.Typed{Type: "bool", Value: &pb.Typed_Boolean{Boolean: x}}, nil
	case string:
		return &pb.Typed{Type: "string", Value: &pb.Typed_Text{Text: x}}, nil
	case int8, int16, int32, int64:
		return &pb.Typed{Type: typeName(v), Value: &pb.Typed_Whole{Whole: asInt64(v)}}, nil
	case int:
		return &pb.Typed{Type: "int64", Value: &pb.Typed_Whole{Whole: int64(x)}}, nil
	case uint8, uint16, uint32:
		return &pb.Typed{Type: typeName(v), Value: &pb.Typed_Unsigned{Unsigned: uint64(asInt64(v))}}, nil
	case uint64:
		return &pb.Typed{Type: "uint64", Value: &pb.Typed_Unsigned{Unsigned: x}}, nil
	case float32:
		return &pb.Typed{Type: "float32", Value: &pb.Typed_Number{Number: float64(x)}}, nil
	case float64:
		return &pb.Typed{Type: "float64", Value: &pb.Typed_Number{Number: x}}, nil
	case []string:
		return &pb.Typed{Type: "string", Value: &pb.Typed_Texts{Texts: &pb.Strings{Items: x}}}, nil
	case []bool:
		return &pb.Typed{Type: "bool", Value: &pb.Typed_Booleans{Booleans: &pb.Bools{Items: x}}}, nil
	case []float64:
		return &pb.Typed{Type: "float64", Value: &pb.Typed_Numbers{Numbers: &pb.Doubles{Items: x}}}, nil
	case []float32:
		return &pb.Typed{Type: "float32", Value: &pb.Typed_Numbers{Numbers: &pb.Doubles{Items: widen(x)}}}, nil
	case []int64:
		return &pb.Typed{Type: "int64", Value: &pb.Typed_Wholes{Wholes: &pb.Integers{Items: x}}}, nil
	case []int32:
		return &pb.Typed{Type: "int32", Value: &pb.Typed_Wholes{Wholes: &pb.Integers{Items: wholes(x)}}}, nil
	case []uint32:
		return &pb.Typed{Type: "uint32", Value: &pb.Typed_Wholes{Wholes: &pb.Integers{Items: wholes(x)}}}, nil
	}
	return nil, fmt.Errorf("a value of type %T has no place in GGUF", v)
}

func typeName(v any) string { return fmt.Sprintf("%T", v) }

func asInt64(v any) int64 {
	switch x := v.(type) {
	case int8:
		return int64(x)
	case int16:
		return int64(x)
	case int32:
		return int64(x)
	case int64:
		return x
	case uint8:
		return int64(x)
	case uint16:
		return int64(x)
	case uint32:
		return int64(x)
	}
	return 0
}

func widen(in []float32) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}

func wholes[T int32 | uint32](in []T) []int64 {
	out := make([]int64, len(in))
	for i, v := range in {
		out[i] = int64(v)
	}
	return out
}

// TypedMapFromProto gives the widest Go type of each value: string, bool, int64,
// uint64, float64, and slices of string, int64, float64, bool.
func TypedMapFromProto(in map[string]*pb.Typed) map[string]any {
	out := make(map[string]any, len(in))
	for key, t := range in {
		switch v := t.GetValue().(type) {
		case *pb.Typed_Text:
			out[key] = v.Text
		case *pb.Typed_Whole:
			out[key] = v.Whole
		case *pb.Typed_Unsigned:
			out[key] = v.Unsigned
		case *pb.Typed_Number:
			out[key] = v.Number
		case *pb.Typed_Boolean:
			out[key] = v.Boolean
		case *pb.Typed_Texts:
			out[key] = v.Texts.GetItems()
		case *pb.Typed_Wholes:
			out[key] = v.Wholes.GetItems()
		case *pb.Typed_Numbers:
			out[key] = v.Numbers.GetItems()
		case *pb.Typed_Booleans:
			out[key] = v.Booleans.GetItems()
		}
	}
	return out
}

// ExactMapFromProto gives each value the Go type that its GGUF type names, and
// refuses one that does not fit.
func ExactMapFromProto(in map[string]*pb.Typed) (map[string]any, error) {
	wide := TypedMapFromProto(in)
	out := make(map[string]any, len(in))
	for key, t := range in {
		v, err := exact(t.GetType(), wide[key])
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		out[key] = v
	}
	return out, nil
}

func exact(typ string, v any) (any, error) {
	misfit := fmt.Errorf("%v does not fit %s", v, typ)
	switch x := v.(type) {
	case string, bool, []string, []bool:
		return v, nil
	case int64:
		return exactInt(typ, x, misfit)
	case uint64:
		switch typ {
		case "uint64":
			return x, nil
		case "uint32":
			if x <= math.MaxUint32 {
				return uint32(x), nil
			}
		case "uint16":
			if x <= math.MaxUint16 {
				return uint16(x), nil
			}
		case "uint8":
			if x <= math.MaxUint8 {
				return uint8(x), nil
			}
		}
		return nil, misfit
	case float64:
		if typ == "float32" {
			return float32(x), nil
		}
		return x, nil
	case []float64:
		if typ != "float32" {
			return x, nil
		}
		out := make([]float32, len(x))
		for i, e := range x {
			out[i] = float32(e)
		}
		return out, nil
	case []int64:
		return exactInts(typ, x, misfit)
	}
	return nil, misfit
}

func exactInt(typ string, x int64, misfit error) (any, error) {
	switch {
	case typ == "int64":
		return x, nil
	case typ == "int32" && x == int64(int32(x)):
		return int32(x), nil
	case typ == "int16" && x == int64(int16(x)):
		return int16(x), nil
	case typ == "int8" && x == int64(int8(x)):
		return int8(x), nil
	}
	return nil, misfit
}

func exactInts(typ string, x []int64, misfit error) (any, error) {
	switch typ {
	case "int64":
		return x, nil
	case "int32":
		out := make([]int32, len(x))
		for i, e := range x {
			if e != int64(int32(e)) {
				return nil, misfit
			}
			out[i] = int32(e)
		}
		return out, nil
	case "uint32":
		out := make([]uint32, len(x))
		for i, e := range x {
			if e != int64(uint32(e)) {
				return nil, misfit
			}
			out[i] = uint32(e)
		}
		return out, nil
	}
	return nil, misfit
}
