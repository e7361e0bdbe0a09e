package cuda

// functions are the addresses of the driver's functions. A name in cuda.h stands, for
// some, for a later one with a suffix: without it, an older interface answers.
type functions struct {
	init, driverGetVersion uintptr

	deviceGetCount, deviceGet, deviceGetName, deviceGetUUID uintptr
	deviceTotalMem, deviceGetAttribute                      uintptr

	primaryCtxRetain, primaryCtxRelease, primaryCtxSetFlags uintptr
	ctxSetCurrent, ctxSynchronize                           uintptr

	memGetInfo, memAlloc, memFree, memHostAlloc, memFreeHost uintptr
	copyToDevice, copyToHost, copyOnDevice, fill8, fill32    uintptr

	moduleLoad, moduleUnload, moduleGetFunction, moduleGetGlobal uintptr
	funcGetAttribute, funcSetAttribute, occupancy                uintptr

	streamCreate, streamDestroy, streamSynchronize, streamQuery uintptr
	streamWaitEvent, streamBeginCapture, streamEndCapture       uintptr

	eventCreate, eventDestroy, eventRecord, eventQuery uintptr
	eventSynchronize, eventElapsedTime                 uintptr

	launchKernel, tensorMapEncode uintptr

	graphInstantiate, graphExecUpdate, graphLaunch, graphUpload uintptr
	graphDestroy, graphExecDestroy                              uintptr

	// Zero where the driver is older than the function.
	funcLoad, funcGetParamInfo uintptr
}

// first are the functions that tell whether the driver is new enough for the others.
func (f *functions) first() map[string]*uintptr {
	return map[string]*uintptr{"cuInit": &f.init, "cuDriverGetVersion": &f.driverGetVersion}
}

// required are the functions that a driver of MinimumVersion has.
func (f *functions) required() map[string]*uintptr {
	return map[string]*uintptr{
		"cuDeviceGetCount":     &f.deviceGetCount,
		"cuDeviceGet":          &f.deviceGet,
		"cuDeviceGetName":      &f.deviceGetName,
		"cuDeviceGetUuid_v2":   &f.deviceGetUUID,
		"cuDeviceTotalMem_v2":  &f.deviceTotalMem,
		"cuDeviceGetAttribute": &f.deviceGetAttribute,

		"cuDevicePrimaryCtxRetain":      &f.primaryCtxRetain,
		"cuDevicePrimaryCtxRelease_v2":  &f.primaryCtxRelease,
		"cuDevicePrimaryCtxSetFlags_v2": &f.primaryCtxSetFlags,
		"cuCtxSetCurrent":               &f.ctxSetCurrent,
		"cuCtxSynchronize":              &f.ctxSynchronize,

		"cuMemGetInfo_v2":      &f.memGetInfo,
		"cuMemAlloc_v2":        &f.memAlloc,
		"cuMemFree_v2":         &f.memFree,
		"cuMemHostAlloc":       &f.memHostAlloc,
		"cuMemFreeHost":        &f.memFreeHost,
		"cuMemcpyHtoDAsync_v2": &f.copyToDevice,
		"cuMemcpyDtoHAsync_v2": &f.copyToHost,
		"cuMemcpyDtoDAsync_v2": &f.copyOnDevice,
		"cuMemsetD8Async":      &f.fill8,
		"cuMemsetD32Async":     &f.fill32,

		"cuModuleLoadDataEx":                          &f.moduleLoad,
		"cuModuleUnload":                              &f.moduleUnload,
		"cuModuleGetFunction":                         &f.moduleGetFunction,
		"cuModuleGetGlobal_v2":                        &f.moduleGetGlobal,
		"cuFuncGetAttribute":                          &f.funcGetAttribute,
		"cuFuncSetAttribute":                          &f.funcSetAttribute,
		"cuOccupancyMaxActiveBlocksPerMultiprocessor": &f.occupancy,

		"cuStreamCreate":          &f.streamCreate,
		"cuStreamDestroy_v2":      &f.streamDestroy,
		"cuStreamSynchronize":     &f.streamSynchronize,
		"cuStreamQuery":           &f.streamQuery,
		"cuStreamWaitEvent":       &f.streamWaitEvent,
		"cuStreamBeginCapture_v2": &f.streamBeginCapture,
		"cuStreamEndCapture":      &f.streamEndCapture,

		"cuEventCreate":      &f.eventCreate,
		"cuEventDestroy_v2":  &f.eventDestroy,
		"cuEventRecord":      &f.eventRecord,
		"cuEventQuery":       &f.eventQuery,
		"cuEventSynchronize": &f.eventSynchronize,
		"cuEventElapsedTime": &f.eventElapsedTime,

		"cuLaunchKernel":         &f.launchKernel,
		"cuTensorMapEncodeTiled": &f.tensorMapEncode,

		"cuGraphInstantiateWithFlags": &f.graphInstantiate,
		"cuGraphExecUpdate_v2":        &f.graphExecUpdate,
		"cuGraphLaunch":               &f.graphLaunch,
		"cuGraphUpload":               &f.graphUpload,
		"cuGraphDestroy":              &f.graphDestroy,
		"cuGraphExecDestroy":          &f.graphExecDestroy,
	}
}

// optional are functions that drivers for CUDA 12.4 and newer have.
func (f *functions) optional() map[string]*uintptr {
	return map[string]*uintptr{"cuFuncLoad": &f.funcLoad, "cuFuncGetParamInfo": &f.funcGetParamInfo}
}
