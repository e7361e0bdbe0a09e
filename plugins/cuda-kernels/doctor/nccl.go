package doctor

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// ncclVersion asks NCCL for its version: "2.27.7".
func ncclVersion(from dl.Symbols) (string, error) {
	function, err := from.Symbol("ncclGetVersion")
	if err != nil {
		return "", err
	}
	number := new(int32)
	result, _, _ := purego.SyscallN(function, uintptr(unsafe.Pointer(number)))
	if status := int32(result); status != 0 {
		return "", fmt.Errorf("ncclGetVersion answers with status %d", status)
	}
	return fmt.Sprintf("%d.%d.%d", *number/10000, *number/100%100, *number%100), nil
}
