// The plugin cpu-kernels runs any Graph on any CPU, in float32. It is what a
// machine without a GPU trains on.
package main

import "github.com/honeml/hone/sdk/kernels"

func main() { kernels.Serve(new(backend)) }
