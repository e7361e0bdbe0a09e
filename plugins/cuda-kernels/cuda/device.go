package cuda

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A Device is a GPU, or a part of one that MIG makes look like one.
type Device struct {
	Index int    // among those that this process sees
	Name  string // "NVIDIA H100 80GB HBM3"
	UUID  string // "GPU-01234567-89ab-cdef-0123-456789abcdef"

	Major, Minor int // compute capability

	TotalMemory int64 // bytes
	L2Bytes     int

	SMs             int // streaming multiprocessors
	ThreadsPerSM    int // that can be resident
	RegistersPerSM  int // of 32 bits
	SharedPerSM     int // bytes
	SharedPerBlock  int // bytes that a block can have when it asks: Function.SetDynamicShared
	SharedByDefault int // bytes that a block can have without asking

	ClockKHz       int // of the multiprocessors
	MemoryClockKHz int
	MemoryBusBits  int
	ECC            bool
	Integrated     bool // its memory is the host's
	Exclusive      bool // one process alone may use it

	handle int32
}

// Compute is the compute capability as NVIDIA writes it: "9.0".
func (d Device) Compute() string { return fmt.Sprintf("%d.%d", d.Major, d.Minor) }

// String names the device in a message: "GPU 0 (NVIDIA H100 80GB HBM3)".
func (d Device) String() string { return fmt.Sprintf("GPU %d (%s)", d.Index, d.Name) }

// An attribute is CUdevice_attribute.
type attribute uintptr

const (
	attributeSharedByDefault attribute = 8
	attributeClock           attribute = 13
	attributeSMs             attribute = 16
	attributeIntegrated      attribute = 18
	attributeComputeMode     attribute = 20
	attributeECC             attribute = 32
	attributeMemoryClock     attribute = 36
	attributeMemoryBus       attribute = 37
	attributeL2              attribute = 38
	attributeThreadsPerSM    attribute = 39
	attributeMajor           attribute = 75
	attributeMinor           attribute = 76
	attributeSharedPerSM     attribute = 81
	attributeRegistersPerSM  attribute = 82
	attributeSharedPerBlock  attribute = 97
)

// computeModeExclusive is CU_COMPUTEMODE_EXCLUSIVE_PROCESS.
const computeModeExclusive = 3

// Devices are the devices that this process sees, by Index. It creates no context.
// The error is fault.Unsupported where there are none.
func (d *Driver) Devices() ([]Device, error) {
	count := new(int32)
	if status := call(d.fn.deviceGetCount, uintptr(unsafe.Pointer(count))); status != Success {
		return nil, failed(status, "cuDeviceGetCount", "")
	}
	if *count <= 0 {
		return nil, fault.New(fault.Unsupported, "the CUDA driver shows no GPU").WithHint("%s", NoDevice.hint())
	}
	devices := make([]Device, *count)
	for i := range devices {
		var err error
		if devices[i], err = d.device(i); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

func (d *Driver) device(index int) (Device, error) {
	out := new(struct {
		handle int32
		total  uint64
		uuid   [16]byte
		name   [256]byte
	})
	if status := call(d.fn.deviceGet, uintptr(unsafe.Pointer(&out.handle)), uintptr(index)); status != Success {
		return Device{}, failed(status, "cuDeviceGet", "of GPU %d", index)
	}
	handle := uintptr(out.handle)
	status := call(d.fn.deviceGetName, uintptr(unsafe.Pointer(&out.name)), uintptr(len(out.name)), handle)
	if status != Success {
		return Device{}, failed(status, "cuDeviceGetName", "of GPU %d", index)
	}
	if status := call(d.fn.deviceTotalMem, uintptr(unsafe.Pointer(&out.total)), handle); status != Success {
		return Device{}, failed(status, "cuDeviceTotalMem", "of GPU %d", index)
	}
	if status := call(d.fn.deviceGetUUID, uintptr(unsafe.Pointer(&out.uuid)), handle); status != Success {
		return Device{}, failed(status, "cuDeviceGetUuid", "of GPU %d", index)
	}
	name, _, _ := bytes.Cut(out.name[:], []byte{0})
	device := Device{Index: index, Name: string(name), TotalMemory: int64(out.total), handle: out.handle}
	u := out.uuid
	device.UUID = fmt.Sprintf("GPU-%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	return device, d.attributes(&device)
}

func (d *Driver) attributes(device *Device) error {
	var computeMode, ecc, integrated int
	for _, a := range []struct {
		attribute attribute
		to        *int
	}{
		{attributeMajor, &device.Major}, {attributeMinor, &device.Minor},
		{attributeL2, &device.L2Bytes}, {attributeSMs, &device.SMs},
		{attributeThreadsPerSM, &device.ThreadsPerSM}, {attributeRegistersPerSM, &device.RegistersPerSM},
		{attributeSharedPerSM, &device.SharedPerSM}, {attributeSharedPerBlock, &device.SharedPerBlock},
		{attributeSharedByDefault, &device.SharedByDefault},
		{attributeClock, &device.ClockKHz}, {attributeMemoryClock, &device.MemoryClockKHz},
		{attributeMemoryBus, &device.MemoryBusBits},
		{attributeECC, &ecc}, {attributeIntegrated, &integrated}, {attributeComputeMode, &computeMode},
	} {
		value := new(int32)
		status := call(d.fn.deviceGetAttribute, uintptr(unsafe.Pointer(value)), uintptr(a.attribute), uintptr(device.handle))
		if status != Success {
			return failed(status, "cuDeviceGetAttribute", "%d of %s", a.attribute, device)
		}
		*a.to = int(*value)
	}
	device.ECC, device.Integrated, device.Exclusive = ecc != 0, integrated != 0, computeMode == computeModeExclusive
	return nil
}
