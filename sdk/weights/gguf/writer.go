package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// maxTensorName is the longest name of a tensor that ggml reads, in bytes.
const maxTensorName = 63

// A KeyValue is a key and its value for [Create]. The Go type of Value decides
// the type in the file: uint8, int8, uint16, int16, uint32, int32, uint64, int64,
// float32, float64, bool, string, or a slice of one of these. int and uint have
// none: readers check types, so say which (counts are uint32).
type KeyValue struct {
	Key   string
	Value any
}

// Create begins a file of version 3 at path with these key-values and tensors, in
// their order. Write each tensor's data to [tensorfile.Writer.Tensor], then call
// Commit. The key general.alignment, a uint32, sets the alignment; without it, it
// is 32.
func Create(path string, keyValues []KeyValue, tensors []tensorfile.Spec, options tensorfile.Options) (*tensorfile.Writer, error) {
	header, parts, size, err := layOut(keyValues, tensors)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return tensorfile.Create(path, header, parts, size, options)
}

// layOut gives the header, the place of each tensor and the size of the file.
func layOut(keyValues []KeyValue, tensors []tensorfile.Spec) ([]byte, []tensorfile.Part, int64, error) {
	b := append([]byte(magic), 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(keyValues)))
	alignment := uint64(defaultAlignment)
	seen := map[string]bool{}
	for _, kv := range keyValues {
		if seen[kv.Key] {
			return nil, nil, 0, fmt.Errorf("key %q is given twice", kv.Key)
		}
		seen[kv.Key] = true
		if !utf8.ValidString(kv.Key) {
			return nil, nil, 0, fmt.Errorf("key %q is not valid UTF-8", kv.Key)
		}
		b = appendString(b, kv.Key)
		var err error
		if b, err = appendValue(b, kv.Value); err != nil {
			return nil, nil, 0, fmt.Errorf("key %q: %w", kv.Key, err)
		}
		if kv.Key == alignmentKey {
			a, ok := kv.Value.(uint32)
			if !ok || a == 0 || a&(a-1) != 0 {
				return nil, nil, 0, fmt.Errorf("key %q is %v, no power of two as uint32", alignmentKey, kv.Value)
			}
			alignment = uint64(a)
		}
	}
	parts := make([]tensorfile.Part, len(tensors))
	data := uint64(0)
	for i, t := range tensors {
		n, err := checkSpec(t)
		if err != nil {
			return nil, nil, 0, err
		}
		parts[i] = tensorfile.Part{Spec: t, Offset: int64(data), Size: int64(n)}
		b = appendTensor(b, t, data)
		data = alignUp(data+uint64(n), alignment)
		if data > math.MaxInt64/2 {
			return nil, nil, 0, errors.New("the tensors are too large for one file")
		}
	}
	start := alignUp(uint64(len(b)), alignment)
	for i := range parts {
		parts[i].Offset += int64(start)
	}
	return b, parts, int64(start + data), nil
}

// checkSpec checks a declared tensor and returns its size in bytes.
func checkSpec(t tensorfile.Spec) (int, error) {
	_, ok := tensorNumber(t.DType)
	switch {
	case t.Name == "" || !utf8.ValidString(t.Name):
		return 0, fmt.Errorf("%q cannot be a tensor's name", t.Name)
	case len(t.Name) > maxTensorName:
		return 0, fmt.Errorf("tensor %q: the name has %d bytes, ggml reads %d", t.Name, len(t.Name), maxTensorName)
	case !ok:
		return 0, fmt.Errorf("tensor %q: GGUF has no type %s", t.Name, t.DType)
	case len(t.Shape) > maxDimensions:
		return 0, fmt.Errorf("tensor %q: shape %v has more than %d dimensions", t.Name, t.Shape, maxDimensions)
	}
	return t.Bytes()
}

func appendTensor(b []byte, t tensorfile.Spec, offset uint64) []byte {
	b = appendString(b, t.Name)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Shape)))
	for i := range t.Shape {
		b = binary.LittleEndian.AppendUint64(b, uint64(t.Shape[len(t.Shape)-1-i]))
	}
	number, _ := tensorNumber(t.DType) // checkSpec has checked it
	b = binary.LittleEndian.AppendUint32(b, number)
	return binary.LittleEndian.AppendUint64(b, offset)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendValue appends a value's type and the value.
func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case []uint8:
		return appendArray(b, Uint8, v), nil
	case []int8:
		return appendArray(b, Int8, v), nil
	case []uint16:
		return appendArray(b, Uint16, v), nil
	case []int16:
		return appendArray(b, Int16, v), nil
	case []uint32:
		return appendArray(b, Uint32, v), nil
	case []int32:
		return appendArray(b, Int32, v), nil
	case []uint64:
		return appendArray(b, Uint64, v), nil
	case []int64:
		return appendArray(b, Int64, v), nil
	case []float32:
		return appendArray(b, Float32, v), nil
	case []float64:
		return appendArray(b, Float64, v), nil
	case []bool:
		return appendArray(b, Bool, v), nil
	case []string:
		return appendArray(b, String, v), nil
	}
	t, ok := typeOf(v)
	if !ok {
		return nil, fmt.Errorf("GGUF has no type for a Go %T", v)
	}
	return appendScalar(binary.LittleEndian.AppendUint32(b, uint32(t)), v), nil
}

func appendArray[T any](b []byte, t ValueType, elements []T) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(Array))
	b = binary.LittleEndian.AppendUint32(b, uint32(t))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(elements)))
	for _, e := range elements {
		b = appendScalar(b, e)
	}
	return b
}

func typeOf(v any) (ValueType, bool) {
	switch v.(type) {
	case uint8:
		return Uint8, true
	case int8:
		return Int8, true
	case uint16:
		return Uint16, true
	case int16:
		return Int16, true
	case uint32:
		return Uint32, true
	case int32:
		return Int32, true
	case uint64:
		return Uint64, true
	case int64:
		return Int64, true
	case float32:
		return Float32, true
	case float64:
		return Float64, true
	case bool:
		return Bool, true
	case string:
		return String, true
	default:
		return 0, false
	}
}

// appendScalar appends a value of a type that typeOf knows.
func appendScalar(b []byte, v any) []byte {
	switch v := v.(type) {
	case uint8:
		return append(b, v)
	case int8:
		return append(b, byte(v))
	case uint16:
		return binary.LittleEndian.AppendUint16(b, v)
	case int16:
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	case uint32:
		return binary.LittleEndian.AppendUint32(b, v)
	case int32:
		return binary.LittleEndian.AppendUint32(b, uint32(v))
	case uint64:
		return binary.LittleEndian.AppendUint64(b, v)
	case int64:
		return binary.LittleEndian.AppendUint64(b, uint64(v))
	case float32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	case float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case string:
		return appendString(b, v)
	default:
		return b
	}
}
