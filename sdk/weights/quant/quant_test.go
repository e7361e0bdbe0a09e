package quant_test

import (
	"math"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/quant"
	"github.com/honeml/hone/sdk/weights/safetensors"
)

var supported = []dtype.DType{
	dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q5_1, dtype.Q8_0, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K,
	dtype.MXFP4,
}

// TestEqualsPython compares every bit with what the Python package gguf gives;
// testdata/gen_quant.py says on which blocks.
func TestEqualsPython(t *testing.T) {
	f, err := safetensors.Open("testdata/quant.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, d := range supported {
		t.Run(d.String(), func(t *testing.T) {
			blocks, ok := f.Lookup(d.String() + ".blocks")
			values, ok2 := f.Lookup(d.String() + ".values")
			if !ok || !ok2 || values.Shape[0] < 1000 && d.BlockSize() == 256 {
				t.Fatal("the golden file lacks it")
			}
			want := make([]float32, values.Shape[0])
			halffloat.DecodeFloat32(want, values.Data)
			got := make([]float32, len(want))
			if err := quant.Dequantize(got, d, blocks.Data); err != nil {
				t.Fatal(err)
			}
			wrong, infinite := 0, 0
			for i := range want {
				if math.IsInf(float64(want[i]), 0) || want[i] != want[i] {
					infinite++
				}
				if want[i] != want[i] && got[i] != got[i] {
					continue
				}
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					if wrong++; wrong < 5 {
						t.Errorf("element %d of block %d is %v, want %v", i%d.BlockSize(), i/d.BlockSize(), got[i], want[i])
					}
				}
			}
			if wrong > 0 || infinite == 0 || infinite > len(want)*3/4 {
				t.Errorf("of %d elements, %d are wrong and %d infinite or NaN", len(want), wrong, infinite)
			}
		})
	}
}

func TestDequantizeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name       string
		dtype      dtype.DType
		elements   int
		bytes, cap int
		err        string
	}{
		{"plain type", dtype.F32, 4, 16, 16, "dequantising F32 is not supported"},
		{"type without a function", dtype.IQ2_S, 256, 82, 82, "dequantising IQ2_S is not supported"},
		{"part of a block", dtype.Q4_0, 33, 36, 36, "no whole blocks"},
		{"too few bytes", dtype.Q4_K, 512, 287, 400, "need 288 bytes, there are 287"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := make([]byte, tt.bytes, tt.cap)
			if err := quant.Dequantize(make([]float32, tt.elements), tt.dtype, src); err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
	if err := quant.Dequantize(nil, dtype.Q6_K, nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	for _, d := range supported {
		if !quant.Dequantizes(d) {
			t.Errorf("Dequantizes(%s) is false", d)
		}
	}
}

func BenchmarkDequantize(b *testing.B) {
	const n = 1 << 16
	for _, d := range supported {
		b.Run(d.String(), func(b *testing.B) {
			src, dst := make([]byte, n/d.BlockSize()*d.BlockBytes()), make([]float32, n)
			for i := range src {
				src[i] = byte(i*31) & 0x3f // no NaN among the scales
			}
			b.SetBytes(4 * n) // float32 bytes
			for b.Loop() {
				if err := quant.Dequantize(dst, d, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
