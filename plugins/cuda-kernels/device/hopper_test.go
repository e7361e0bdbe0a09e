package device_test

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
)

//go:embed testdata/product.cu
var hopperText string

// productSource is the test kernel, specialised.
func productSource(t device.Type, columns, left, right int) device.Source {
	return device.Source{
		Name: "product.cu", Arch: device.HopperArch, Text: device.Include + device.PTX + device.Hopper + hopperText,
		Defines: []string{"TYPE=" + t.C(), fmt.Sprintf("BF16=%d", 2-int(t)), fmt.Sprintf("COLUMNS=%d", columns), fmt.Sprintf("A_DOWN=%d", left), fmt.Sprintf("B_DOWN=%d", right)},
	}
}

// TestHopperCompiles wants no spills and no warnings of hopper.cuh.
func TestHopperCompiles(t *testing.T) {
	system := dl.Host()
	system.Extra = filepath.SplitList(os.Getenv("HONE_TEST_NVRTC"))
	library, err := system.Finder().Open(dl.NVRTC, dl.Version{}, nil)
	if err != nil {
		t.Skipf("no NVRTC (HONE_TEST_NVRTC names its folder): %v", err)
	}
	compiler, err := nvrtc.Open(library)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []device.Source{productSource(device.BFloat16, 256, 0, 0), productSource(device.Float16, 64, 1, 1), productSource(device.BFloat16, 192, 0, 1)} {
		compiled, err := compiler.Compile(t.Context(), source.Request(source.Arch))
		if err != nil {
			t.Fatal(err)
		}
		log := cubin.ParseLog(compiled.Log)
		if spill := log.Spills["product_of_tiles"]; len(log.Warnings) > 0 || spill != (cubin.Spill{}) {
			t.Errorf("%s: spills %+v, warnings %q", source.Describe(), spill, log.Warnings)
		}
	}
}

// TestOtherArch: what is for Hopper is not compiled for another GPU.
func TestOtherArch(t *testing.T) {
	b := devicetest.Open(t)
	var set device.Set
	source := productSource(device.BFloat16, 64, 0, 0)
	source.Arch = "sm_10"
	set.Kernel(source, "product_of_tiles")
	if err := b.GPU.Compile(t.Context(), &set); err == nil || !strings.Contains(err.Error(), "is for sm_10, not for ") {
		t.Errorf("got %v", err)
	}
}

// rowsOf is a matrix [rows, columns] that is read in tiles of rows by 64.
func rowsOf(t device.Type, p device.Pointer, rows, columns, box int) cuda.Tensor {
	return cuda.Tensor{
		Type: t.Tensor(), Address: cuda.Pointer(p), Swizzle: cuda.Swizzle128,
		Dims: [5]int64{int64(columns), int64(rows)}, Strides: [4]int64{int64(columns) * t.Size()}, Box: [5]int{64, box},
	}
}

// blocksOf is the same matrix read in one tile of all its columns, 64 behind 64.
func blocksOf(t device.Type, p device.Pointer, rows, columns int) cuda.Tensor {
	out := rowsOf(t, p, rows, columns, rows)
	out.Dims = [5]int64{64, int64(rows), int64(columns / 64)}
	out.Strides[1] = 64 * t.Size()
	out.Box = [5]int{64, rows, columns / 64}
	return out
}

// TestHopperProducts: TMA brings operands to where wgmma reads them, along rows and
// along columns, and the result back; what is outside of a tensor is 0 and not written.
func TestHopperProducts(t *testing.T) {
	const depth, below = 128, 60 // of the 64 rows of c
	b := devicetest.OpenHopper(t)
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(typ device.Type, n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = devicetest.Round(typ, float32(random.NormFloat64()))
		}
		return out
	}
	for _, typ := range []device.Type{device.BFloat16, device.Float16} {
		for _, n := range []int{64, 128, 192, 256} {
			for flags := range 4 {
				left, right := flags&1, flags>>1
				var set device.Set
				kernel := set.Kernel(productSource(typ, n, left, right), "product_of_tiles")
				b.Load(&set)
				x, y := draw(typ, 64*depth), draw(typ, n*depth)
				at := func(row, k int) (int, int) { // where A's and B's numbers are
					i, j := row*depth+k, row*depth+k
					if left == 1 {
						i = k*64 + row
					}
					if right == 1 {
						j = k*n + row
					}
					return i, j
				}
				px, py := b.Upload(typ, x), b.Upload(typ, y)
				aMap := blocksOf(typ, px, 64, depth)
				bMap := rowsOf(typ, py, n, depth, n)
				if left == 1 {
					aMap = blocksOf(typ, px, depth, 64)
				}
				if right == 1 {
					bMap = rowsOf(typ, py, depth, n, depth)
				}
				for registers := range 2 - left {
					pz := b.Alloc(typ, 64*n)
					b.Launch(kernel, device.Grid{X: 1, Threads: 128, Shared: 180 << 10}, b.TensorMap(aMap), b.TensorMap(bMap), b.TensorMap(rowsOf(typ, pz, below, n, 64)), int32(registers))
					z := b.Download(pz, typ, 64*n)
					for i := range z {
						row, column := i/n, i%n
						want := math.NaN() // what Alloc put there
						if row < below {
							want = 0
							for k := range depth {
								r, _ := at(row, k)
								_, c := at(column, k)
								want += float64(x[r]) * float64(y[c])
							}
						}
						if got := float64(z[i]); math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 0.25 {
							t.Fatalf("%v, %d columns, left %d, right %d, registers %d: c[%d, %d] is %v, want %v", typ, n, left, right, registers, row, column, got, want)
						}
					}
				}
			}
		}
	}
}
