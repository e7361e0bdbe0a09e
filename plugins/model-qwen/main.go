// The plugin model-qwen answers for the Qwen models: Qwen 2, 2.5 and 3, and Qwen 3's
// mixtures of experts.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(qwen{}) }
