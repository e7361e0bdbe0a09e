package gguf

import (
	"fmt"

	"github.com/honeml/hone/sdk/weights/dtype"
)

// A ValueType is the type of a key's value, by its number in the file.
type ValueType uint32

// The types of values.
const (
	Uint8   ValueType = 0
	Int8    ValueType = 1
	Uint16  ValueType = 2
	Int16   ValueType = 3
	Uint32  ValueType = 4
	Int32   ValueType = 5
	Float32 ValueType = 6
	Bool    ValueType = 7
	String  ValueType = 8
	Array   ValueType = 9
	Uint64  ValueType = 10
	Int64   ValueType = 11
	Float64 ValueType = 12
)

// String is the type's name in the specification.
func (t ValueType) String() string {
	names := [...]string{"UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32",
		"BOOL", "STRING", "ARRAY", "UINT64", "INT64", "FLOAT64"}
	if int64(t) < int64(len(names)) {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// size is the bytes that a value of the type takes, 0 for strings, arrays and
// unknown types.
func (t ValueType) size() int {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16:
		return 2
	case Uint32, Int32, Float32:
		return 4
	case Uint64, Int64, Float64:
		return 8
	default:
		return 0
	}
}

// tensorTypes are the tensor types by their number in ggml.
var tensorTypes = map[uint32]dtype.DType{
	0: dtype.F32, 1: dtype.F16, 2: dtype.Q4_0, 3: dtype.Q4_1, 6: dtype.Q5_0, 7: dtype.Q5_1,
	8: dtype.Q8_0, 9: dtype.Q8_1, 10: dtype.Q2_K, 11: dtype.Q3_K, 12: dtype.Q4_K, 13: dtype.Q5_K,
	14: dtype.Q6_K, 15: dtype.Q8_K, 16: dtype.IQ2_XXS, 17: dtype.IQ2_XS, 18: dtype.IQ3_XXS,
	19: dtype.IQ1_S, 20: dtype.IQ4_NL, 21: dtype.IQ3_S, 22: dtype.IQ2_S, 23: dtype.IQ4_XS,
	24: dtype.I8, 25: dtype.I16, 26: dtype.I32, 27: dtype.I64, 28: dtype.F64, 29: dtype.IQ1_M,
	30: dtype.BF16, 34: dtype.TQ1_0, 35: dtype.TQ2_0, 39: dtype.MXFP4, 40: dtype.NVFP4, 41: dtype.Q1_0,
}

// removedTypes are numbers that ggml once gave to types whose data it no longer
// reads.
var removedTypes = map[uint32]string{
	4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}

// tensorType is the type with that number in ggml, and its name for messages.
func tensorType(number uint32) (dtype.DType, string) {
	if d, ok := tensorTypes[number]; ok {
		return d, d.String()
	}
	if name, ok := removedTypes[number]; ok {
		return dtype.Unknown, name + ", which ggml has removed"
	}
	return dtype.Unknown, fmt.Sprintf("ggml type %d", number)
}

// tensorNumber is ggml's number for d.
func tensorNumber(d dtype.DType) (uint32, bool) {
	for number, t := range tensorTypes {
		if t == d {
			return number, true
		}
	}
	return 0, false
}
