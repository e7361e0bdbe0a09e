package experts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/attention"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
	"github.com/honeml/hone/sdk/fault"
)

// A choice is the experts of some tokens, and the same on the GPU.
type choice struct {
	experts, slots int
	indices        []int32
	groups         Groups
}

// choose draws the experts of tokens: half of the slots go to expert 1, and the last
// expert has none.
func choose(b *devicetest.Bench, experts, slots, rowCount int, t device.Type) *choice {
	b.Helper()
	r := rand.New(rand.NewPCG(uint64(experts), uint64(rowCount)))
	c := &choice{experts: experts, slots: slots}
	for range rowCount * slots {
		e := int32(r.IntN(max(1, experts-1)))
		if r.IntN(2) == 0 && experts > 2 {
			e = 1
		}
		c.indices = append(c.indices, e)
	}
	var set device.Set
	g := NewGrouping(&set, experts, slots, t)
	b.Load(&set)
	bytes := int(g.Bytes(rowCount))
	c.groups = g.At(b.Alloc(device.Float32, bytes/4), rowCount)
	g.Group(b.Queue, c.groups, b.UploadInts(c.indices), b.Alloc(device.Float32, int(g.Workspace(rowCount)/4)))
	return c
}

// of are the slots of an expert, in their order.
func (c *choice) of(expert int) []int {
	var out []int
	for i, e := range c.indices {
		if int(e) == expert {
			out = append(out, i)
		}
	}
	return out
}

func TestGroup(t *testing.T) {
	b := devicetest.Open(t)
	for _, typ := range []device.Type{device.Float32, device.BFloat16} {
		for _, c := range [][3]int{{1, 1, 1}, {2, 1, 70}, {8, 2, 33}, {8, 2, 2000}, {128, 8, 700}, {1030, 3, 500}, {mostExperts, 1, 5}} {
			got := choose(b, c[0], c[1], c[2], typ)
			name := fmt.Sprint(typ, c)
			var order, offsets, tiles []int
			for e := range got.experts {
				offsets = append(offsets, len(order))
				slots := got.of(e)
				for at := 0; at < len(slots); at += tileRows(typ) {
					tiles = append(tiles, e, len(order)+at)
				}
				order = append(order, slots...)
			}
			offsets = append(offsets, len(order))
			for len(tiles) < 2*got.groups.most {
				tiles = append(tiles, -1, 0)
			}
			if len(tiles) > 2*got.groups.most {
				t.Fatalf("%s: %d tiles, room for %d", name, len(tiles)/2, got.groups.most)
			}
			for what, want := range map[string][]int{"order": order, "offsets": offsets, "tiles": tiles} {
				at := map[string]device.Pointer{"order": got.groups.order, "offsets": got.groups.offsets, "tiles": got.groups.tiles}[what]
				if found := ints(b, at, len(want)); !slices.Equal(found, want) {
					t.Fatalf("%s: %s is %v, want %v", name, what, found, want)
				}
			}
		}
	}
}

// ints downloads n whole numbers.
func ints(b *devicetest.Bench, at device.Pointer, n int) []int {
	b.Helper()
	data := make([]byte, 4*n)
	b.Queue.Download(data, at)
	if err := b.Wait(); err != nil {
		b.Fatal(err)
	}
	out := make([]int, n)
	for i := range out {
		out[i] = int(int32(uint32(data[4*i]) | uint32(data[4*i+1])<<8 | uint32(data[4*i+2])<<16 | uint32(data[4*i+3])<<24))
	}
	return out
}

// TestMostTiles: whatever the slots, there is room for their tiles, and for those of
// the worst case just that.
func TestMostTiles(t *testing.T) {
	g := &Grouping{experts: 5, slots: 1, tile: 4}
	tilesFor := func(counts []int) int {
		used := 0
		for _, n := range counts {
			used += device.Ceil(n, g.tile)
		}
		return used
	}
	for slots := 1; slots < 40; slots++ {
		most := g.mostTiles(slots)
		worst := []int{1 + slots - min(slots, g.experts)}
		for range min(slots, g.experts) - 1 {
			worst = append(worst, 1)
		}
		if used := tilesFor(worst); used != most {
			t.Errorf("%v are %d tiles, room for %d", worst, used, most)
		}
		for seed := range uint64(100) {
			r := rand.New(rand.NewPCG(seed, uint64(slots)))
			counts := make([]int, g.experts)
			for range slots {
				counts[r.IntN(1+int(seed)%g.experts)]++
			}
			if used := tilesFor(counts); used > most {
				t.Fatalf("%v are %d tiles, room for %d", counts, used, most)
			}
		}
	}
}

// TestTiles: what is chosen fits into the shared memory that each GPU has.
func TestTiles(t *testing.T) {
	for _, pass := range []int{rowsPass, columnsPass, sumsPass} {
		for width := 1; width < 300; width++ {
			for _, typ := range rowstest.Types() {
				c := tilesOf(pass, width, typ)
				if c.shared > attention.LeastShared || c.columns > 128 || c.columns < min(width, 128) && typ != device.Float32 {
					t.Errorf("pass %d, width %d, %v: %+v", pass, width, typ, c)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check(mostExperts); err != nil {
		t.Error(err)
	}
	if err := Check(mostExperts + 1); !errors.Is(err, fault.Unsupported) {
		t.Error(err)
	}
}
