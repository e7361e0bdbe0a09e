package device_test

import (
	"encoding/hex"
	"math"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

func TestNumbers(t *testing.T) {
	numbers := []float32{1, -2.5, 1 + 1.0/1024, float32(math.Inf(1))}
	tests := map[device.Type]struct {
		bytes string
		back  []float32
	}{
		device.Float32:  {"0000803f000020c00020803f0000807f", numbers},
		device.BFloat16: {"803f20c0803f807f", []float32{1, -2.5, 1, float32(math.Inf(1))}},
		device.Float16:  {"003c00c1013c007c", numbers},
	}
	for kind, test := range tests {
		data := make([]byte, int64(len(numbers))*kind.Size())
		kind.Encode(data, numbers)
		if got := hex.EncodeToString(data); got != test.bytes {
			t.Errorf("%v: %s, want %s", kind, got, test.bytes)
		}
		for i, got := range kind.Decode(data) {
			if got != test.back[i] {
				t.Errorf("%v: number %d is %v, want %v", kind, i, got, test.back[i])
			}
		}
	}
}
