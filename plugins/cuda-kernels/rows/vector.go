package rows

import (
	"math"
	"strconv"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// threads are the threads of a block whose number does not matter.
const threads = 256

// Vector is how many numbers of size bytes a thread reads at once: the most that
// fit in 16 bytes and, a power of two, divide all counts.
func Vector(size int64, counts ...int) int {
	n := int(16 / size)
	for _, c := range counts {
		for c%n != 0 {
			n /= 2
		}
	}
	return n
}

// Define is a macro with a whole number, for [device.Source].
func Define(name string, value int) string { return name + "=" + strconv.Itoa(value) }

// DefineFloat is a macro with a number, as a float of C++.
func DefineFloat(name string, value float64) string {
	value = min(max(value, -math.MaxFloat32), math.MaxFloat32)
	return name + "=" + strconv.FormatFloat(value, 'e', -1, 32) + "f"
}

// DefineType is a macro with a type of hone.cuh.
func DefineType(name string, t device.Type) string { return name + "=" + t.C() }

// DefineFlag is a macro that is 1 or 0.
func DefineFlag(name string, on bool) string { return Define(name, int(Flag(on))) }

// Flag is a truth as kernels take it: 1 or 0.
func Flag(on bool) int32 {
	if on {
		return 1
	}
	return 0
}

// Blocks is the grid of n pieces of work, one a thread, for kernels of 256 threads.
func Blocks(n int64) device.Grid {
	return device.Grid{X: int(device.Ceil(n, threads)), Threads: threads}
}
