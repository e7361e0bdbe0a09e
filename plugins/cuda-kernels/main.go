// The plugin cuda-kernels runs any Graph on an NVIDIA GPU, in bfloat16, float16 or
// float32. It needs neither cgo nor a CUDA toolkit: NVIDIA's libraries are found when
// it runs.
package main

import "github.com/honeml/hone/sdk/kernels"

func main() { kernels.Serve(new(backend)) }
