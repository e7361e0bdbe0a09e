package nvml_test

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/nvml"
)

// A fake is a library of one GPU.
type fake struct {
	uuid    string
	used    uint64
	status  map[string]int32 // what functions answer; 0: success
	missing string
}

func (f *fake) Symbol(name string) (uintptr, error) {
	if name == f.missing {
		return 0, fmt.Errorf("no %s", name)
	}
	functions := map[string]any{
		"nvmlInit_v2": func() uintptr { return uintptr(f.status["init"]) },
		"nvmlDeviceGetHandleByUUID": func(uuid *byte, device *uintptr) uintptr {
			if unsafe.String(uuid, len(f.uuid)+1) != f.uuid+"\x00" {
				return 6 // not found
			}
			*device = 77
			return 0
		},
		"nvmlDeviceGetMemoryInfo": func(device uintptr, info *[3]uint64) uintptr {
			if device != 77 {
				return 2
			}
			*info = [3]uint64{80 << 30, 80<<30 - f.used, f.used}
			return uintptr(f.status["memory"])
		},
	}
	return purego.NewCallback(functions[name]), nil
}

func TestUsed(t *testing.T) {
	const uuid = "GPU-01234567-89ab-cdef-0123-456789abcdef"
	l, err := nvml.Open(&fake{uuid: uuid, used: 5 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Used(uuid); err != nil || got != 5<<30 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := l.Used("GPU-11234567-89ab-cdef-0123-456789abcdef"); err == nil || !strings.Contains(err.Error(), "nvmlDeviceGetHandleByUUID answers with status 6") {
		t.Errorf("another GPU: %v", err)
	}
}

func TestFailures(t *testing.T) {
	if _, err := nvml.Open(&fake{missing: "nvmlDeviceGetMemoryInfo"}); err == nil || !strings.Contains(err.Error(), "nvmlDeviceGetMemoryInfo") {
		t.Errorf("a function that is not there: %v", err)
	}
	if _, err := nvml.Open(&fake{status: map[string]int32{"init": 9}}); err == nil || !strings.Contains(err.Error(), "nvmlInit_v2 answers with status 9") {
		t.Errorf("a library that does not start: %v", err)
	}
	l, err := nvml.Open(&fake{uuid: "GPU-0", status: map[string]int32{"memory": 15}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Used("GPU-0"); err == nil || !strings.Contains(err.Error(), "status 15") {
		t.Errorf("a GPU that does not answer: %v", err)
	}
}
