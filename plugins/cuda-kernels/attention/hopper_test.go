package attention

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/sdk/graph"
)

// arches are what Spec.Arch may be on a GPU: kernels for each, and those for Hopper.
func arches(b *devicetest.Bench) []string {
	if b.GPU.Arch() != device.HopperArch {
		return []string{""}
	}
	return []string{"", device.HopperArch}
}

// TestHopperChoice: the kernels for Hopper are for 16-bit heads of 64, 128 and 256 columns, and
// their blocks fit.
func TestHopperChoice(t *testing.T) {
	for _, test := range []struct {
		key, value int
		t          device.Type
		shared     int
		arch       string
		want       bool
	}{
		{64, 64, device.BFloat16, large, device.HopperArch, true},
		{128, 128, device.Float16, large, device.HopperArch, true},
		{256, 256, device.BFloat16, large, device.HopperArch, true},
		{256, 256, device.BFloat16, 99 << 10, device.HopperArch, false},
		{128, 128, device.BFloat16, large, "", false},
		{128, 128, device.BFloat16, large, "sm_100a", false},
		{128, 128, device.BFloat16, 0, device.HopperArch, false},
		{128, 128, device.Float32, large, device.HopperArch, false},
		{192, 128, device.BFloat16, large, device.HopperArch, false},
		{96, 96, device.BFloat16, large, device.HopperArch, false},
	} {
		var set device.Set
		a := New(&set, Spec{Op: plainOp(2, 1, test.key, test.value), Type: test.t, Shared: test.shared, Arch: test.arch})
		if a.hopper != test.want || (a.forward.Source.Arch != "") != test.want {
			t.Errorf("%+v: got %v", test, a.hopper)
		}
	}
}

// hopperSpec is an operation on the kernels for Hopper.
func hopperSpec(op graph.Attention, t device.Type) Spec {
	return Spec{Op: op, Type: t, Shared: large, Arch: device.HopperArch}
}

// where lists which parts of a result are wrong: heads and tiles of 64 rows, with the
// largest error of each.
func where(got []float32, want []float64, heads, width int, bound float64) string {
	worst := map[[2]int]float64{}
	var keys [][2]int
	for i, x := range want {
		err := math.Abs(float64(got[i]) - x)
		if err <= bound {
			continue
		}
		key := [2]int{i / width % heads, i / width / heads / 64}
		if _, ok := worst[key]; !ok {
			keys = append(keys, key)
		}
		worst[key] = max(worst[key], err)
	}
	var b strings.Builder
	for i, key := range keys {
		if i == 12 {
			fmt.Fprintf(&b, " … %d in all", len(keys))
			break
		}
		fmt.Fprintf(&b, " head %d rows %d–%d: %.3g;", key[0], key[1]*64, key[1]*64+63, worst[key])
	}
	return b.String()
}

// TestHopper compares the kernels for Hopper with float64 over lengths about those of
// tiles, documents of one token, and every mask.
func TestHopper(t *testing.T) {
	for _, width := range []int{64, 128, 256} {
		all := masks(plainOp(4, 2, width, width))
		for _, heads := range [][2]int{{3, 3}, {5, 1}} {
			op := plainOp(heads[0], heads[1], width, width)
			op.Scale = 1 / math.Sqrt(float64(width))
			all = append(all, testCase{name: fmt.Sprintf("%d heads of %d", heads[0], heads[1]), op: op})
		}
		for _, c := range all {
			for _, typ := range types[1:] {
				t.Run(fmt.Sprintf("%d/%s/%v", width, c.name, typ), func(t *testing.T) {
					b := devicetest.OpenHopper(t)
					for _, shape := range [][2]int{{1, 1}, {63, 40}, {64, 64}, {128, 128}, {129, 129}, {300, 7}, {400, 300}, {513, 513}} {
						tryHopper(b, newProblem(c.op, typ, shape[0], shape[1]), typ)
					}
				})
			}
		}
	}
}

func tryHopper(b *devicetest.Bench, p *problem, typ device.Type) {
	b.Helper()
	tr := newTrial(b, hopperSpec(p.op, typ), p)
	tr.forward()
	tr.backward()
	for name, got := range tr.results() {
		want := p.wants()[name]
		check(b.TB, fmt.Sprintf("%d rows: %s", p.rows, name), got, want, tolerance(typ))
		if b.Failed() {
			heads, wide := len(want)/p.rows/p.op.KeyWidth, p.op.KeyWidth
			if name == "log sum" {
				heads, wide = p.op.Heads, 1
			}
			b.Fatal(name, where(got, want, max(1, heads), wide, 0.05))
		}
	}
}

// TestHopperDocuments: a document that ends anywhere in a tile of keys, and a long one
// behind it: of the rows that see the tile, each half has its own.
func TestHopperDocuments(t *testing.T) {
	for _, width := range []int{64, 128, 256} {
		for _, change := range []func(o *graph.Attention){
			func(*graph.Attention) {}, func(o *graph.Attention) { o.Cap = 3 }, func(o *graph.Attention) { o.Window = 300 }, func(o *graph.Attention) { o.Chunk = 400 },
		} {
			op := plainOp(2, 1, width, width)
			op.Scale = 1 / math.Sqrt(float64(width))
			change(&op)
			t.Run(fmt.Sprintf("%d,cap=%v,window=%d,chunk=%d", width, op.Cap, op.Window, op.Chunk), func(t *testing.T) {
				b := devicetest.OpenHopper(t)
				for _, lengths := range [][]int{{100, 450}, {30, 450}, {65, 420, 1, 1, 1}, {200, 20, 400}} {
					p := drawDocuments(op, device.BFloat16, rand.New(rand.NewPCG(1, uint64(lengths[0]))), lengths...)
					p.solve()
					tryHopper(b, p, device.BFloat16)
				}
			})
		}
	}
}
