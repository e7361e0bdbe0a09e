package dtype

import (
	"math"
	"testing"
)

func TestEveryTypeIsListed(t *testing.T) {
	seen := map[string]bool{}
	for d := Unknown + 1; d < count; d++ {
		l := layouts[d]
		if l.name == "" || l.elements == 0 || l.byteLen == 0 {
			t.Errorf("DType %d has no layout", d)
		}
		if seen[l.name] {
			t.Errorf("name %s is listed twice", l.name)
		}
		seen[l.name] = true
		if got, ok := Parse(l.name); !ok || got != d {
			t.Errorf("Parse(%q) = %v, %v", l.name, got, ok)
		}
		if d.Plain() == d.Quantized() {
			t.Errorf("%s: plain %v, quantized %v", d, d.Plain(), d.Quantized())
		}
	}
	for _, name := range []string{"", "unknown", "f32", "F128"} {
		if d, ok := Parse(name); ok {
			t.Errorf("Parse(%q) = %v, want none", name, d)
		}
	}
	if s := DType(250).String(); s != "DType(250)" {
		t.Errorf("String of no type is %q", s)
	}
}

func TestBytes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		dtype DType
		shape []int
		want  int // -1: an error
	}{
		{"scalar", F32, nil, 4},
		{"empty", F64, []int{3, 0, 5}, 0},
		{"empty beside a huge dimension", F64, []int{math.MaxInt, 0}, 0},
		{"matrix", BF16, []int{3, 5}, 30},
		{"two a byte", F4, []int{3, 2}, 3},
		{"half a byte left", F4, []int{3}, -1},
		{"four in three bytes", F6E2M3, []int{2, 2}, 3},
		{"six-bit rest", F6E3M2, []int{6}, -1},
		{"blocks", Q4_K, []int{2, 512}, 4 * 144},
		{"rows that do not fill blocks", Q4_0, []int{32, 16}, -1},
		{"scalar of blocks", Q8_0, nil, -1},
		{"no rows", Q8_0, []int{0, 32}, 0},
		{"negative", I8, []int{2, -1}, -1},
		{"too many elements", I8, []int{1 << 40, 1 << 40}, -1},
		{"too many bytes", F64, []int{1 << 30, 1 << 31}, -1},
		{"unknown", Unknown, []int{1}, -1},
		{"no type", DType(250), []int{1}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.dtype.Bytes(tt.shape)
			if (err != nil) != (tt.want < 0) || err == nil && got != tt.want {
				t.Errorf("Bytes(%v) = %d, %v; want %d", tt.shape, got, err, tt.want)
			}
		})
	}
}
