package interp

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/graphtest"
	"github.com/honeml/hone/sdk/weights/halffloat"
)

func TestRoundings(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		name    string
		f       func(float64) float64
		x, want float64
	}{
		{"bf16 of 1", BFloat16, 1, 1},
		{"bf16, ties to even, down", BFloat16, 1 + 0x1p-8, 1},
		{"bf16, ties to even, up", BFloat16, 1 + 0x3p-8, 1 + 0x1p-6},
		{"bf16, above a tie", BFloat16, 1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-7},
		{"bf16 to the next power of two", BFloat16, 2 - 0x1p-9, 2},
		{"bf16 of a negative", BFloat16, -3.1415926, -3.140625},
		{"bf16, the largest", BFloat16, 0x1.fep127, 0x1.fep127},
		{"bf16 beyond the largest", BFloat16, 0x1.ffp127, inf},
		{"bf16, subnormal", BFloat16, 0x1p-133, 0x1p-133},
		{"bf16 of half the least", BFloat16, 0x1p-134, 0},
		{"fp16 of 65504", Float16, 65504, 65504},
		{"fp16 below 65520", Float16, 65519.99, 65504},
		{"fp16 of 65520", Float16, 65520, inf},
		{"fp16 of -65520", Float16, -65520, -inf},
		{"fp16, subnormal", Float16, 0x1.8p-24, 0x1p-23},
		{"fp16 of half the least", Float16, 0x1p-25, 0},
		{"fp16, normal", Float16, 1 + 0x1p-11, 1},
		{"f32", Float32, 0.1, float64(float32(0.1))},
		{"0", BFloat16, 0, 0},
		{"infinity", BFloat16, -inf, -inf},
	} {
		if got := test.f(test.x); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if !math.IsNaN(BFloat16(math.NaN())) || !math.Signbit(BFloat16(math.Copysign(0x1p-140, -1))) {
		t.Error("NaN or the sign of a zero was lost")
	}
}

// TestRoundingsOfFloats compares with the conversions that weight files take.
func TestRoundingsOfFloats(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		x := math.Float32frombits(rng.Uint32())
		if x != x {
			continue
		}
		if got, want := BFloat16(float64(x)), float64(halffloat.FromBFloat16(halffloat.ToBFloat16(x))); got != want {
			t.Fatalf("bf16 of %x: %x, want %x", x, got, want)
		}
		if got, want := Float16(float64(x)), float64(halffloat.FromFloat16(halffloat.ToFloat16(x))); got != want {
			t.Fatalf("fp16 of %x: %x, want %x", x, got, want)
		}
	}
}

// TestRounded: with rounding on, every value and gradient is a number of that
// precision, but float32 where the Graph asks for it, and the results stay near
// those without.
func TestRounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 33))
	float32s := 0
	for range 20 {
		s := newSubject(t, graphtest.Random(rng, graphtest.Options{}))
		if _, err := s.run.Forward(); err != nil {
			t.Fatal(err)
		}
		exact := s.run.Loss()
		s.run.o.Round = BFloat16
		logits, err := s.run.Forward()
		if err != nil {
			t.Fatal(err)
		}
		for v := range s.c.Graph.Values {
			id := graph.ValueID(v)
			for _, x := range s.run.Value(id) {
				switch {
				case s.c.Graph.Values[v].Type == graph.Float32:
					if x != Float32(x) {
						t.Fatalf("value %d holds %v, no float32", v, x)
					}
					if x != BFloat16(x) {
						float32s++
					}
				case x != BFloat16(x):
					t.Fatalf("value %d holds %v, no bfloat16", v, x)
				}
			}
		}
		if len(logits) == 0 || s.run.Loss() == exact || math.Abs(s.run.Loss()-exact) > 0.2*(1+exact) {
			t.Errorf("loss %v in bf16, %v exactly", s.run.Loss(), exact)
		}
		if _, _, err := s.run.Step(s.schedule); err != nil {
			t.Error(err)
		}
	}
	if float32s == 0 {
		t.Error("no value was kept in float32")
	}
}
