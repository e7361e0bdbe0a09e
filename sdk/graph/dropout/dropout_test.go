package dropout_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph/dropout"
)

type golden struct {
	Blocks []struct {
		Counter [4]uint32
		Key     dropout.Key
		Outputs [4]uint32
	}
	Keys []struct {
		Seed, Step uint64 `json:",string"`
		Module     string
		Key        dropout.Key
	}
	Rows []struct {
		Key              dropout.Key
		Sample, Position int32
		P                float64
		Kept             string
	}
}

// TestGolden compares with randomgen's Philox and the definition in Python; see
// testdata/gen_dropout.py.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/dropout.json")
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, b := range want.Blocks {
		if got := dropout.Philox(b.Counter, b.Key); got != b.Outputs {
			t.Errorf("Philox(%x, %x) = %x, want %x", b.Counter, b.Key, got, b.Outputs)
		}
	}
	for _, k := range want.Keys {
		if got := dropout.NewKey(k.Seed, k.Step, k.Module); got != k.Key {
			t.Errorf("NewKey(%d, %d, %q) = %d, want %d", k.Seed, k.Step, k.Module, got, k.Key)
		}
	}
	for _, r := range want.Rows {
		multipliers := make([]float32, len(r.Kept))
		dropout.Row(r.Key, r.Sample, r.Position, r.P, multipliers)
		var got strings.Builder
		for _, m := range multipliers {
			switch m {
			case 0:
				got.WriteByte('0')
			case float32(1 / (1 - r.P)):
				got.WriteByte('1')
			default:
				t.Errorf("multiplier %v at p = %v", m, r.P)
			}
		}
		if got.String() != r.Kept {
			t.Errorf("row of sample %d, position %d, p = %v:\n got %s\nwant %s", r.Sample, r.Position, r.P, &got, r.Kept)
		}
	}
}

func TestThreshold(t *testing.T) {
	for _, test := range []struct {
		p    float64
		want uint64
	}{
		{0, 0},
		{0.5, 1 << 31},
		{0.1, 429496730},       // 429496729.6
		{1.5 / (1 << 32), 2},   // halves go up
		{1.4 / (1 << 32), 1},   //
		{1 - 0x1p-53, 1 << 32}, // nothing is kept
	} {
		if got := dropout.Threshold(test.p); got != test.want {
			t.Errorf("Threshold(%v) = %d, want %d", test.p, got, test.want)
		}
	}
}

// TestRate holds the share of kept elements, and that of pairs kept together in
// neighbouring rows, to what independent draws give, within five deviations.
func TestRate(t *testing.T) {
	const rows, width = 400, 250
	for _, p := range []float64{0.05, 0.1, 0.5, 0.9} {
		key := dropout.NewKey(1, 1, "model.layers.0.mlp.up_proj")
		kept, both := 0, 0
		previous, row := make([]float32, width), make([]float32, width)
		for i := range rows {
			dropout.Row(key, int32(i/20), int32(i%20), p, row)
			for c := range row {
				if row[c] != 0 {
					kept++
					if previous[c] != 0 {
						both++
					}
				}
			}
			previous, row = row, previous
		}
		check := func(what string, count int, n, q float64) {
			if math.Abs(float64(count)-n*q) > 5*math.Sqrt(n*q*(1-q)) {
				t.Errorf("p = %v: %s %d times of %v, want about %.0f", p, what, count, n, n*q)
			}
		}
		check("kept", kept, rows*width, 1-p)
		check("kept twice", both, (rows-1)*width, (1-p)*(1-p))
	}
}

// TestPrefix: a row's columns do not depend on how many are asked for.
func TestPrefix(t *testing.T) {
	key := dropout.NewKey(3, 4, "m")
	whole := make([]float32, 37)
	dropout.Row(key, 5, 6, 0.4, whole)
	for n := range whole {
		part := make([]float32, n)
		dropout.Row(key, 5, 6, 0.4, part)
		if fmt.Sprint(part) != fmt.Sprint(whole[:n]) {
			t.Errorf("%d columns: %v, want %v", n, part, whole[:n])
		}
	}
}

func BenchmarkRow(b *testing.B) {
	key := dropout.NewKey(3, 4, "m")
	row := make([]float32, 4096)
	b.SetBytes(int64(len(row)) * 4)
	for b.Loop() {
		dropout.Row(key, 5, 6, 0.1, row)
	}
}
