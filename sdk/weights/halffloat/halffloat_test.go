package halffloat

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// golden is testdata/halffloat.json; gen_halffloat.py says what it holds.
type golden struct {
	Widen  map[string]string
	Narrow [][3]uint32
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/halffloat.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func every16() []byte {
	all := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(all[2*i:], uint16(i))
	}
	return all
}

func sum(values []float32) string {
	h := sha256.New()
	for _, v := range values {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestWidenEqualsNumpy(t *testing.T) {
	g := readGolden(t)
	for _, tt := range []struct {
		name   string
		decode func([]float32, []byte)
		one    func(uint16) float32
	}{
		{"float16", DecodeFloat16, FromFloat16},
		{"bfloat16", DecodeBFloat16, FromBFloat16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values := make([]float32, 1<<16)
			tt.decode(values, every16())
			if got := sum(values); got != g.Widen[tt.name] {
				t.Errorf("all values: sum %s, want %s", got, g.Widen[tt.name])
			}
			for i, v := range values {
				if one := tt.one(uint16(i)); math.Float32bits(one) != math.Float32bits(v) {
					t.Fatalf("%#04x: alone %v, in a slice %v", i, one, v)
				}
			}
		})
	}
}

// TestWidenFloat16ByDefinition says which value is wrong where the sum above
// only says that one is.
func TestWidenFloat16ByDefinition(t *testing.T) {
	for i := range 1 << 16 {
		exponent, fraction := i>>10&31, i&1023
		var want float64
		switch exponent {
		case 0:
			want = math.Ldexp(float64(fraction), -24)
		case 31:
			want = math.Inf(1)
			if fraction != 0 {
				want = math.NaN()
			}
		default:
			want = math.Ldexp(float64(1024+fraction), exponent-25)
		}
		if i&0x8000 != 0 {
			want = math.Copysign(want, -1)
		}
		got := float64(FromFloat16(uint16(i)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (i&0x8000 != 0) {
			t.Fatalf("%#04x is %v, want %v", i, got, want)
		}
	}
}

func TestNarrowEqualsReference(t *testing.T) {
	g := readGolden(t)
	if len(g.Narrow) < 1000 {
		t.Fatalf("only %d values in the golden file", len(g.Narrow))
	}
	for _, row := range g.Narrow {
		f := math.Float32frombits(row[0])
		if got := ToFloat16(f); uint32(got) != row[1] {
			t.Errorf("float16 of %#08x (%g): %#04x, want %#04x", row[0], f, got, row[1])
		}
		if got := ToBFloat16(f); uint32(got) != row[2] {
			t.Errorf("bfloat16 of %#08x (%g): %#04x, want %#04x", row[0], f, got, row[2])
		}
	}
}

func TestNarrowUndoesWiden(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		want := h
		if h&0x7fff > 0x7c00 {
			want |= 0x200 // a NaN comes back quiet
		}
		if got := ToFloat16(FromFloat16(h)); got != want {
			t.Fatalf("float16 %#04x comes back as %#04x", h, got)
		}
		want = h
		if h&0x7fff > 0x7f80 {
			want |= 0x40
		}
		if got := ToBFloat16(FromBFloat16(h)); got != want {
			t.Fatalf("bfloat16 %#04x comes back as %#04x", h, got)
		}
	}
}

func TestNaNStaysNaN(t *testing.T) {
	for _, bits := range []uint32{0x7f800001, 0x7f8fffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffc12345, 0xffffffff} {
		f := math.Float32frombits(bits)
		if h := ToFloat16(f); h&0x7e00 != 0x7e00 || h>>15 != uint16(bits>>31) {
			t.Errorf("float16 of NaN %#08x is %#04x", bits, h)
		}
		if b := ToBFloat16(f); b&0x7fc0 != 0x7fc0 || b>>15 != uint16(bits>>31) {
			t.Errorf("bfloat16 of NaN %#08x is %#04x", bits, b)
		}
	}
}

// TestSlices holds every slice conversion to the single ones, at lengths around
// the widths of their loops and at odd addresses.
func TestSlices(t *testing.T) {
	all := every16()
	for n := range 40 {
		src := make([]byte, 1+2*n)[1:]
		copy(src, all[0x3bf0*2:])
		words := make([]uint16, n)
		for i := range words {
			words[i] = binary.LittleEndian.Uint16(src[2*i:])
		}
		for _, tt := range []struct {
			name   string
			wide   func(uint16) float32
			narrow func(float32) uint16
			decode func([]float32, []byte)
			encode func([]byte, []float32)
			widen  func([]float32, []uint16)
			shrink func([]uint16, []float32)
		}{
			{"float16", FromFloat16, ToFloat16, DecodeFloat16, EncodeFloat16, WidenFloat16, NarrowFloat16},
			{"bfloat16", FromBFloat16, ToBFloat16, DecodeBFloat16, EncodeBFloat16, WidenBFloat16, NarrowBFloat16},
		} {
			a, b := make([]float32, n), make([]float32, n)
			tt.decode(a, src)
			tt.widen(b, words)
			back, backWords := make([]byte, 1+2*n)[1:], make([]uint16, n)
			tt.encode(back, a)
			tt.shrink(backWords, a)
			for i, w := range words {
				if a[i] != tt.wide(w) || b[i] != a[i] {
					t.Fatalf("%s, %d of %d: %v and %v, want %v", tt.name, i, n, a[i], b[i], tt.wide(w))
				}
				if backWords[i] != tt.narrow(a[i]) || binary.LittleEndian.Uint16(back[2*i:]) != backWords[i] {
					t.Fatalf("%s, %d of %d: back as %#04x", tt.name, i, n, backWords[i])
				}
			}
		}
	}
}

func TestFloat32(t *testing.T) {
	want := []float32{1, -2.5, float32(math.Inf(1)), 1e-45}
	data := make([]byte, 17)[1:]
	EncodeFloat32(data, want)
	if string(data[4:8]) != "\x00\x00\x20\xc0" {
		t.Errorf("-2.5 is % x", data[4:8])
	}
	got := make([]float32, 4)
	DecodeFloat32(got, data)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v came back as %v", want[i], got[i])
		}
	}
}

func TestShortSourcePanics(t *testing.T) {
	// Capacity beyond the length is another tensor's memory.
	short := make([]byte, 16)[:6]
	for name, decode := range map[string]func([]float32, []byte){"float16": DecodeFloat16, "bfloat16": DecodeBFloat16, "float32": DecodeFloat32} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: 4 values decoded from 6 bytes", name)
				}
			}()
			decode(make([]float32, 4), short)
		}()
	}
}

func BenchmarkSlices(b *testing.B) {
	const n = 1 << 16
	wide, narrow := make([]float32, n), make([]byte, 2*n)
	for i := range n {
		wide[i] = float32(math.Sin(float64(i))) / 20
	}
	values := append([]float32(nil), wide...)
	EncodeFloat16(narrow, wide)
	for _, bb := range []struct {
		name string
		run  func()
	}{
		{"DecodeFloat16", func() { DecodeFloat16(wide, narrow) }},
		{"DecodeBFloat16", func() { DecodeBFloat16(wide, narrow) }},
		{"EncodeFloat16", func() { EncodeFloat16(narrow, values) }},
		{"EncodeBFloat16", func() { EncodeBFloat16(narrow, values) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(4 * n) // float32 bytes
			for b.Loop() {
				bb.run()
			}
		})
	}
}
