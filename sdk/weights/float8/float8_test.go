package float8

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
)

func TestEqualsTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/float8.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string][]uint32
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) != 5 {
		t.Fatalf("%d formats in the golden file, want 5", len(golden))
	}
	src := make([]byte, 256)
	for i := range src {
		src[i] = byte(i)
	}
	for name, want := range golden {
		t.Run(name, func(t *testing.T) {
			d, ok := dtype.Parse(name)
			if !ok || !Decodes(d) {
				t.Fatalf("%s is not decoded", name)
			}
			all := make([]float32, 256)
			if err := Decode(all, d, src); err != nil {
				t.Fatal(err)
			}
			few := make([]float32, 3)
			if err := Decode(few, d, src[200:]); err != nil {
				t.Fatal(err)
			}
			copy(all[200:], few)
			for i, v := range all {
				bits := math.Float32bits(v)
				if v != v {
					bits = 0x7fc00000
				}
				if bits != want[i] {
					t.Errorf("%#02x is %v, want %v", i, v, math.Float32frombits(want[i]))
				}
			}
		})
	}
}

func TestOtherTypesAreRefused(t *testing.T) {
	if err := Decode(make([]float32, 1), dtype.I8, []byte{0}); err == nil {
		t.Error("I8 was decoded")
	}
	if v := Value(dtype.I8, 1); v == v {
		t.Errorf("the value of no format is %v", v)
	}
}
