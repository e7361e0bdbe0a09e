package gguf

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	f := openGolden(t)
	for key, want := range map[string]any{
		"general.architecture": "llama",
		"one.UINT8":            uint8(200),
		"one.INT8":             int8(-100),
		"one.UINT16":           uint16(60000),
		"one.INT16":            int16(-30000),
		"one.UINT32":           uint32(4000000000),
		"one.INT32":            int32(-2000000000),
		"one.UINT64":           uint64(1 << 63),
		"one.INT64":            int64(-1 << 62),
		"one.FLOAT32":          float32(0.1),
		"one.FLOAT64":          0.1,
		"one.BOOL":             true,
		"one.STRING":           "héllo",
		"many.UINT8":           []uint8{1, 255},
		"many.INT8":            []int8{-1, 127},
		"many.UINT16":          []uint16{1, 65535},
		"many.INT16":           []int16{-1},
		"many.UINT32":          []uint32{7},
		"many.INT32":           []int32{-7, 8},
		"many.UINT64":          []uint64{9, 1 << 63},
		"many.INT64":           []int64{-9},
		"many.FLOAT32":         []float32{0.5, -0.25},
		"many.FLOAT64":         []float64{0.1},
		"many.BOOL":            []bool{true, false},
		"many.STRING":          []string{"a", "", "漢 b"},
		"general.alignment":    uint32(64),
	} {
		got, err := f.Value(key)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, %v; want %#v", key, got, err, want)
		}
		if !f.Has(key) {
			t.Errorf("Has(%q) is false", key)
		}
	}
	if kind, element, length, ok := f.Type("many.STRING"); kind != Array || element != String || length != 3 || !ok {
		t.Errorf("Type: %v, %v, %d, %v", kind, element, length, ok)
	}
}

func TestAccessors(t *testing.T) {
	f := openGolden(t)
	// read calls an accessor by the name of its result.
	read := map[string]func(string) (any, error){
		"uint":    func(k string) (any, error) { return f.Uint(k) },
		"int":     func(k string) (any, error) { return f.Int(k) },
		"float":   func(k string) (any, error) { return f.Float(k) },
		"bool":    func(k string) (any, error) { return f.Bool(k) },
		"string":  func(k string) (any, error) { return f.String(k) },
		"ints":    func(k string) (any, error) { return f.Ints(k) },
		"floats":  func(k string) (any, error) { return f.Floats(k) },
		"bools":   func(k string) (any, error) { return f.Bools(k) },
		"strings": func(k string) (any, error) { return f.Strings(k) },
	}
	for _, tt := range []struct {
		accessor, key string
		want          any
		err           string
	}{
		{"uint", "one.UINT8", uint64(200), ""},
		{"uint", "one.UINT16", uint64(60000), ""},
		{"uint", "one.UINT32", uint64(4000000000), ""},
		{"uint", "one.UINT64", uint64(1 << 63), ""},
		{"uint", "one.INT8", nil, `key "one.INT8": the file has INT8 (-100), an integer that is not negative is wanted`},
		{"uint", "one.STRING", nil, `key "one.STRING": the file has STRING, an integer`},
		{"uint", "many.UINT8", nil, "the file has ARRAY of 2 UINT8"},
		{"int", "one.UINT8", int64(200), ""},
		{"int", "one.INT8", int64(-100), ""},
		{"int", "one.INT16", int64(-30000), ""},
		{"int", "one.INT32", int64(-2000000000), ""},
		{"int", "one.INT64", int64(-1 << 62), ""},
		{"int", "one.UINT64", nil, "UINT64 (9223372036854775808)"},
		{"int", "one.FLOAT32", nil, "the file has FLOAT32"},
		{"float", "one.FLOAT32", float64(float32(0.1)), ""},
		{"float", "one.FLOAT64", 0.1, ""},
		{"float", "one.UINT8", nil, "a float is wanted"},
		{"bool", "one.BOOL", true, ""},
		{"bool", "one.UINT8", nil, "a BOOL is wanted"},
		{"string", "one.STRING", "héllo", ""},
		{"string", "many.STRING", nil, "the file has ARRAY of 3 STRING, a STRING is wanted"},
		{"ints", "many.UINT8", []int64{1, 255}, ""},
		{"ints", "many.INT32", []int64{-7, 8}, ""},
		{"ints", "many.UINT64", nil, "ARRAY of 2 UINT64"}, // one is 2^63
		{"ints", "many.FLOAT32", nil, "an ARRAY of integers"},
		{"ints", "one.UINT8", nil, "an ARRAY of integers"},
		{"floats", "many.FLOAT32", []float64{0.5, -0.25}, ""},
		{"floats", "many.FLOAT64", []float64{0.1}, ""},
		{"floats", "many.STRING", nil, "an ARRAY of floats is wanted"},
		{"bools", "many.BOOL", []bool{true, false}, ""},
		{"bools", "many.INT8", nil, "an ARRAY of BOOL is wanted"},
		{"strings", "many.STRING", []string{"a", "", "漢 b"}, ""},
		{"strings", "many.INT8", nil, "an ARRAY of STRING is wanted"},
		{"strings", "one.STRING", nil, "an ARRAY of STRING is wanted"},
	} {
		got, err := read[tt.accessor](tt.key)
		if tt.err == "" {
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s of %s is %#v, %v; want %#v", tt.accessor, tt.key, got, err, tt.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "all.gguf") {
			t.Errorf("%s of %s: %#v, error %v, want %q", tt.accessor, tt.key, got, err, tt.err)
		}
	}
	for name, accessor := range read {
		if _, err := accessor("none"); !errors.Is(err, ErrNoKey) || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("%s of a missing key: %v", name, err)
		}
	}
}

func TestOr(t *testing.T) {
	f := openGolden(t)
	if v, err := Or(f.Uint, "one.UINT8", 5); v != 200 || err != nil {
		t.Errorf("a key that is there: %d, %v", v, err)
	}
	if v, err := Or(f.Float, "none", 10000); v != 10000 || err != nil {
		t.Errorf("a missing key: %g, %v", v, err)
	}
	if _, err := Or(f.Float, "one.UINT8", 1); err == nil {
		t.Error("a key of another type gave no error")
	}
}
