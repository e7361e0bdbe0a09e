package cuda_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(fake *cudatest.Driver)
		want  string // in the message
		hint  string // in the hint
	}{
		{"a library that is none", func(f *cudatest.Driver) { f.Missing = []string{"cuInit"} }, "functions are missing: cuInit", ""},
		{"an old driver", func(f *cudatest.Driver) { f.Version = 11080 }, "is for CUDA 11.8, hone needs one for 12.0", "install NVIDIA's driver"},
		{"a driver that lacks functions", func(f *cudatest.Driver) { f.Missing = []string{"cuMemAlloc_v2", "cuEventQuery"} },
			"functions are missing: cuEventQuery, cuMemAlloc_v2", ""},
		{"no GPU", func(f *cudatest.Driver) { f.Answer("cuInit", 100) }, "CUDA_ERROR_NO_DEVICE, 100", "nvidia-smi -L"},
		{"an updated driver", func(f *cudatest.Driver) { f.Answer("cuInit", 803) }, "different versions", "restart the machine"},
		{"a toolkit's stub", func(f *cudatest.Driver) { f.Answer("cuDriverGetVersion", 34) }, "stub", "take it off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := newFake(t)
			tt.spoil(fake)
			_, err := cuda.Open(fake)
			if !errors.Is(err, fault.Unsupported) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(fault.HintOf(err), tt.hint) {
				t.Errorf("got %q, hint %q", err, fault.HintOf(err))
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if got, want := open(t, newFake(t)).Version(), (dl.Version{Major: 12, Minor: 8}); got != want {
		t.Errorf("got %s", got)
	}
}

func TestDevices(t *testing.T) {
	fake := newFake(t)
	other := cudatest.H100()
	other.Name, other.Attributes[20], other.Attributes[97] = "NVIDIA L4", 3, 99<<10
	fake.GPUs = append(fake.GPUs, other)
	devices, err := open(t, fake).Devices()
	if err != nil {
		t.Fatal(err)
	}
	first := devices[0]
	want := cuda.Device{
		Index: 0, Name: "NVIDIA H100 80GB HBM3", UUID: "GPU-01234567-89ab-cdef-0123-456789abcdef", Major: 9,
		TotalMemory: 85_000_000_000, L2Bytes: 50 << 20, SMs: 132, ThreadsPerSM: 2048, RegistersPerSM: 65536,
		SharedPerSM: 228 << 10, SharedPerBlock: 227 << 10, SharedByDefault: 48 << 10,
		ClockKHz: 1_980_000, MemoryClockKHz: 2_619_000, MemoryBusBits: 5120, ECC: true,
	}
	if first != want {
		t.Errorf("got  %+v\nwant %+v", first, want)
	}
	if first.Compute() != "9.0" || first.String() != "GPU 0 (NVIDIA H100 80GB HBM3)" {
		t.Errorf("got %s, %s", first.Compute(), first)
	}
	if d := devices[1]; d.Name != "NVIDIA L4" || d.Index != 1 || !d.Exclusive || d.SharedPerBlock != 99<<10 {
		t.Errorf("got %+v", d)
	}
}

func TestNoDevices(t *testing.T) {
	fake := newFake(t)
	fake.GPUs = nil
	if _, err := open(t, fake).Devices(); !errors.Is(err, fault.Unsupported) || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	fake = newFake(t)
	driver := open(t, fake)
	fake.Answer("cuDeviceGetAttribute", 0, 101)
	if _, err := driver.Devices(); !errors.Is(err, cuda.Status(101)) || !strings.Contains(err.Error(), "NVIDIA H100") {
		t.Errorf("got %v", err)
	}
}
