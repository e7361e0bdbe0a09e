package loss

import (
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

func TestThreads(t *testing.T) {
	for _, test := range []struct {
		vocab int
		typ   device.Type
		want  int
	}{{2, device.Float32, 32}, {1024, device.BFloat16, 32}, {1025, device.BFloat16, 64}, {32000, device.BFloat16, 1024}, {262144, device.Float32, 1024}} {
		if got := threadsFor(Spec{Vocab: test.vocab, Type: test.typ}); got != test.want {
			t.Errorf("%d columns of %v: %d threads, want %d", test.vocab, test.typ, got, test.want)
		}
	}
}

func TestStash(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		want int
	}{
		{"none", Spec{Vocab: 128256, Type: device.BFloat16}, 0},
		{"less than is reserved", Spec{Vocab: 128256, Type: device.BFloat16, Shared: 1000}, 0},
		{"a part of a row", Spec{Vocab: 128256, Type: device.BFloat16, Shared: 232448}, 230400},
		{"a whole row", Spec{Vocab: 50257, Type: device.BFloat16, Shared: 232448}, 100512},
		{"a short row", Spec{Vocab: 1000, Type: device.BFloat16, Shared: 232448}, 0},
	} {
		if got := New(&device.Set{}, test.spec).stash(); got != test.want {
			t.Errorf("%s: %d bytes, want %d", test.name, got, test.want)
		}
	}
}
