// The plugin cuda-kernels runs any Graph on an NVIDIA GPU, in bfloat16, float16 or
// float32. It needs neither cgo nor a CUDA toolkit: NVIDIA's libraries are found when
// it runs, and hone-plugin-cuda-kernels doctor says which.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/doctor"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == plugin.DoctorArgument {
		os.Exit(examine(os.Args[2:]))
	}
	kernels.Serve(new(backend))
}

// examine says what of the GPUs and libraries can be used, and gives the exit code:
// 0 where a run could train.
func examine(folders []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	system := dl.Host()
	system.Extra = folders
	r := doctor.Examine(ctx, system)
	fmt.Print(r)
	if !r.OK() {
		return 1
	}
	return 0
}
