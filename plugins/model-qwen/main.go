// The plugin model-qwen answers for the dense Qwen models: Qwen 2, 2.5 and 3.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(qwen{}) }
