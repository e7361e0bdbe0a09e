package cuda

import (
	"fmt"

	"github.com/honeml/hone/sdk/fault"
)

// A Status is what a call of the driver answers: CUresult. It is an error, for
// errors.Is.
type Status int32 //nolint:errname // it is a status first

// Statuses that callers decide by; all have names.
//
//nolint:errname // cuda.NotReady reads better than cuda.ErrNotReady
const (
	Success         Status = 0
	InvalidValue    Status = 1
	OutOfMemory     Status = 2
	NoDevice        Status = 100
	InvalidImage    Status = 200
	NotFound        Status = 500
	NotReady        Status = 600
	IllegalAddress  Status = 700
	LaunchResources Status = 701
	NotSupported    Status = 801
	CaptureInvalid  Status = 901
	UpdateFailed    Status = 910
	Unknown         Status = 999
)

// A statusText is the name in cuda.h and what it means.
type statusText struct {
	name, words string
}

// statuses are those of CUDA 13.2's cuda.h.
var statuses = map[Status]statusText{
	0:   {"CUDA_SUCCESS", "no error"},
	1:   {"CUDA_ERROR_INVALID_VALUE", "a value that the call does not take"},
	2:   {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	3:   {"CUDA_ERROR_NOT_INITIALIZED", "the driver was not started"},
	4:   {"CUDA_ERROR_DEINITIALIZED", "the driver is shutting down"},
	5:   {"CUDA_ERROR_PROFILER_DISABLED", "the profiler is off"},
	6:   {"CUDA_ERROR_PROFILER_NOT_INITIALIZED", "the profiler was not started"},
	7:   {"CUDA_ERROR_PROFILER_ALREADY_STARTED", "the profiler runs already"},
	8:   {"CUDA_ERROR_PROFILER_ALREADY_STOPPED", "the profiler has stopped already"},
	34:  {"CUDA_ERROR_STUB_LIBRARY", "the library is a toolkit's stub, not the driver"},
	36:  {"CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", "the driver is too old for this call"},
	46:  {"CUDA_ERROR_DEVICE_UNAVAILABLE", "the device is busy or exclusively another's"},
	100: {"CUDA_ERROR_NO_DEVICE", "no device"},
	101: {"CUDA_ERROR_INVALID_DEVICE", "no such device"},
	102: {"CUDA_ERROR_DEVICE_NOT_LICENSED", "the device lacks a licence"},
	200: {"CUDA_ERROR_INVALID_IMAGE", "the compiled kernel is broken"},
	201: {"CUDA_ERROR_INVALID_CONTEXT", "no context, or one that is gone"},
	202: {"CUDA_ERROR_CONTEXT_ALREADY_CURRENT", "the context is current already"},
	205: {"CUDA_ERROR_MAP_FAILED", "mapping failed"},
	206: {"CUDA_ERROR_UNMAP_FAILED", "unmapping failed"},
	207: {"CUDA_ERROR_ARRAY_IS_MAPPED", "the array is mapped"},
	208: {"CUDA_ERROR_ALREADY_MAPPED", "mapped already"},
	209: {"CUDA_ERROR_NO_BINARY_FOR_GPU", "the kernel was compiled for another GPU"},
	210: {"CUDA_ERROR_ALREADY_ACQUIRED", "acquired already"},
	211: {"CUDA_ERROR_NOT_MAPPED", "not mapped"},
	212: {"CUDA_ERROR_NOT_MAPPED_AS_ARRAY", "not mapped as an array"},
	213: {"CUDA_ERROR_NOT_MAPPED_AS_POINTER", "not mapped as a pointer"},
	214: {"CUDA_ERROR_ECC_UNCORRECTABLE", "the GPU's memory has an error that ECC could not correct"},
	215: {"CUDA_ERROR_UNSUPPORTED_LIMIT", "the device has no such limit"},
	216: {"CUDA_ERROR_CONTEXT_ALREADY_IN_USE", "another thread uses the context"},
	217: {"CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "the devices cannot read each other's memory"},
	218: {"CUDA_ERROR_INVALID_PTX", "the kernel's PTX is broken"},
	219: {"CUDA_ERROR_INVALID_GRAPHICS_CONTEXT", "a graphics context is wrong"},
	220: {"CUDA_ERROR_NVLINK_UNCORRECTABLE", "NVLink has an error that could not be corrected"},
	221: {"CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "the driver's compiler was not found"},
	222: {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the kernel was compiled for a newer driver"},
	223: {"CUDA_ERROR_JIT_COMPILATION_DISABLED", "the driver's compiler is off"},
	224: {"CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY", "the device has no such affinity"},
	225: {"CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", "kernels cannot wait for kernels any more"},
	226: {"CUDA_ERROR_CONTAINED", "the GPU's memory has an error, which was contained"},
	300: {"CUDA_ERROR_INVALID_SOURCE", "the kernel's source is broken"},
	301: {"CUDA_ERROR_FILE_NOT_FOUND", "a file was not found"},
	302: {"CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", "a shared library lacks a symbol"},
	303: {"CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "a shared library did not start"},
	304: {"CUDA_ERROR_OPERATING_SYSTEM", "a call of the operating system failed"},
	400: {"CUDA_ERROR_INVALID_HANDLE", "a handle of nothing"},
	401: {"CUDA_ERROR_ILLEGAL_STATE", "not in this state"},
	402: {"CUDA_ERROR_LOSSY_QUERY", "the answer would be incomplete"},
	500: {"CUDA_ERROR_NOT_FOUND", "not found"},
	600: {"CUDA_ERROR_NOT_READY", "not finished yet"},
	700: {"CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel read or wrote memory that is not its own"},
	701: {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "the kernel needs more registers or shared memory than there are"},
	702: {"CUDA_ERROR_LAUNCH_TIMEOUT", "a kernel ran longer than the system allows"},
	703: {"CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING", "incompatible texturing"},
	704: {"CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", "the devices can read each other's memory already"},
	705: {"CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", "the devices may not read each other's memory"},
	708: {"CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "the device's context is in use"},
	709: {"CUDA_ERROR_CONTEXT_IS_DESTROYED", "the context is gone"},
	710: {"CUDA_ERROR_ASSERT", "an assertion in a kernel failed"},
	711: {"CUDA_ERROR_TOO_MANY_PEERS", "too many devices that read each other's memory"},
	712: {"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "the memory is pinned already"},
	713: {"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "the memory is not pinned"},
	714: {"CUDA_ERROR_HARDWARE_STACK_ERROR", "a kernel's stack is broken"},
	715: {"CUDA_ERROR_ILLEGAL_INSTRUCTION", "a kernel ran into an instruction that is none"},
	716: {"CUDA_ERROR_MISALIGNED_ADDRESS", "a kernel used an address that is not aligned"},
	717: {"CUDA_ERROR_INVALID_ADDRESS_SPACE", "a kernel used an address of another kind of memory"},
	718: {"CUDA_ERROR_INVALID_PC", "a kernel jumped to nowhere"},
	719: {"CUDA_ERROR_LAUNCH_FAILED", "a kernel failed"},
	720: {"CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "more blocks than can run together"},
	721: {"CUDA_ERROR_TENSOR_MEMORY_LEAK", "a kernel ended without giving back tensor memory"},
	800: {"CUDA_ERROR_NOT_PERMITTED", "not permitted"},
	801: {"CUDA_ERROR_NOT_SUPPORTED", "not supported"},
	802: {"CUDA_ERROR_SYSTEM_NOT_READY", "the system is not ready: its fabric manager may not run"},
	803: {"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "the kernel module and the driver's library are of different versions"},
	804: {"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "a compatibility library does not work on this device"},
	805: {"CUDA_ERROR_MPS_CONNECTION_FAILED", "MPS does not answer"},
	806: {"CUDA_ERROR_MPS_RPC_FAILURE", "a call to MPS failed"},
	807: {"CUDA_ERROR_MPS_SERVER_NOT_READY", "MPS is not ready"},
	808: {"CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", "MPS has too many clients"},
	809: {"CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", "MPS has too many connections"},
	810: {"CUDA_ERROR_MPS_CLIENT_TERMINATED", "MPS ended this client"},
	811: {"CUDA_ERROR_CDP_NOT_SUPPORTED", "kernels cannot launch kernels here"},
	812: {"CUDA_ERROR_CDP_VERSION_MISMATCH", "parts of a kernel are of different versions"},
	900: {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "a stream that is recorded cannot do this"},
	901: {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "an earlier error spoiled what was recorded"},
	902: {"CUDA_ERROR_STREAM_CAPTURE_MERGE", "two recordings would merge"},
	903: {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the recording began on another stream"},
	904: {"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "a stream that was forked from the recording was not joined"},
	905: {"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "what is recorded would depend on what is not"},
	906: {"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "the recording would depend on the default stream"},
	907: {"CUDA_ERROR_CAPTURED_EVENT", "the event was recorded into a graph"},
	908: {"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "another thread began the recording"},
	909: {"CUDA_ERROR_TIMEOUT", "a wait took too long"},
	910: {"CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph differs in more than arguments"},
	911: {"CUDA_ERROR_EXTERNAL_DEVICE", "a device outside CUDA failed"},
	912: {"CUDA_ERROR_INVALID_CLUSTER_SIZE", "a cluster of this size cannot run"},
	913: {"CUDA_ERROR_FUNCTION_NOT_LOADED", "the function is not loaded"},
	914: {"CUDA_ERROR_INVALID_RESOURCE_TYPE", "a resource of another type"},
	915: {"CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION", "resources do not fit together"},
	916: {"CUDA_ERROR_KEY_ROTATION", "a key is being changed"},
	917: {"CUDA_ERROR_STREAM_DETACHED", "the stream is detached"},
	999: {"CUDA_ERROR_UNKNOWN", "an error that the driver does not name"},
}

// Name is the status' name in cuda.h.
func (s Status) Name() string {
	if t, ok := statuses[s]; ok {
		return t.name
	}
	return fmt.Sprintf("CUresult %d", int32(s))
}

// Error is what the status means, and its name.
func (s Status) Error() string {
	if t, ok := statuses[s]; ok {
		return fmt.Sprintf("%s (%s, %d)", t.words, t.name, int32(s))
	}
	return fmt.Sprintf("an error that this version of hone does not know (CUresult %d)", int32(s))
}

// Sticky reports whether a context that answered with this status answers every
// later call with it.
func (s Status) Sticky() bool {
	switch s {
	case 214, 220, 226, IllegalAddress, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911, Unknown:
		return true
	}
	return false
}

// code is the fault that the status is, or "".
func (s Status) code() fault.Code {
	if s.Sticky() {
		return fault.DeviceLost
	}
	switch s {
	case OutOfMemory:
		return fault.OutOfMemory
	case 34, 36, 46, NoDevice, 101, 102, 209, 218, 221, 222, NotSupported, 802, 803, 804, 805, 806, 807, 808, 809:
		return fault.Unsupported
	}
	return ""
}

// hint is what a user can do about the status, or "".
func (s Status) hint() string {
	switch s {
	case OutOfMemory:
		return "another process may hold memory of this device: nvidia-smi shows which; or set a smaller memory_limit"
	case 34:
		return "a toolkit's folder named stubs is on the loader's path: take it off"
	case 36, 222:
		return "update NVIDIA's driver, or install an NVRTC that is not newer than the driver"
	case 46:
		return "nvidia-smi shows which process has the device, and its compute mode"
	case NoDevice, 101:
		return "nvidia-smi -L lists devices; CUDA_VISIBLE_DEVICES may hide them, and a container sees those that it was given"
	case 209:
		return "hone's cache of kernels may be another card's: the card must be of compute capability 8.0 or newer"
	case 214, 220, 226:
		return "the hardware reports an error: nvidia-smi -q and the kernel's log tell more; the run can be resumed, on another card if it happens again"
	case 702:
		return "a display's driver ends kernels that run too long: train on a GPU without a display"
	case 802:
		return "on a machine with NVSwitch, start nvidia-fabricmanager of the driver's version"
	case 803:
		return "the driver was updated while the old kernel module is loaded: restart the machine"
	case 804:
		return "take the toolkit's folder named compat off LD_LIBRARY_PATH"
	case 805, 806, 807, 808, 809, 810:
		return "see to nvidia-cuda-mps-control"
	}
	if s.Sticky() {
		return "the run can be resumed from its last checkpoint; if this happens again, report it with hone doctor's output"
	}
	return ""
}
