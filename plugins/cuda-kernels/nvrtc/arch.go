package nvrtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// oldestCapability is the first compute capability with bf16 and cp.async, ten times
// major plus minor.
const oldestCapability = 80

// ArchOf is the architecture to compile for on a device of this compute capability,
// by a compiler that supports those given, as [Compiler.Archs] lists them: "sm_90a"
// for 9.0 and "sm_100a" for 10.0, which have instructions of their own; else "sm_86"
// for 8.6, and where the compiler is older than the device the newest architecture of
// the same major number that runs on it.
//
// The error is fault.Unsupported: the device is too old for hone, or too new for the
// compiler.
func ArchOf(major, minor int, supported []string) (string, error) {
	capability := 10*major + minor
	if capability < oldestCapability || minor < 0 || minor > 9 {
		return "", fault.New(fault.Unsupported, "the GPU has compute capability %d.%d, hone needs 8.0 or newer", major, minor).
			WithHint("GPUs from the year 2020 on have it: A100, RTX 30 and later ones")
	}
	known := capabilities(supported)
	if slices.Contains(known, capability) {
		if capability == 90 || capability == 100 {
			return fmt.Sprintf("sm_%da", capability), nil
		}
		return fmt.Sprintf("sm_%d", capability), nil
	}
	for _, older := range slices.Backward(known) {
		if older < capability && older/10 == major && older >= oldestCapability {
			return fmt.Sprintf("sm_%d", older), nil
		}
	}
	return "", fault.New(fault.Unsupported, "NVRTC compiles for %s, not for the GPU's compute capability %d.%d",
		orNothing(supported), major, minor).WithHint("a newer NVRTC, not newer than the driver: %s", dl.NVRTC.Install(dl.Version{}))
}

// capabilities are the numbers in names such as sm_90 and sm_90a, sorted.
func capabilities(archs []string) []int {
	var out []int
	for _, arch := range archs {
		digits, ok := strings.CutPrefix(arch, "sm_")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(digits, "a")); err == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func orNothing(archs []string) string {
	if len(archs) == 0 {
		return "nothing"
	}
	return strings.Join(archs, ", ")
}
