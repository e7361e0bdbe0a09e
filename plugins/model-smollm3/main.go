// The plugin model-smollm3 answers for SmolLM3ForCausalLM.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(smollm3{}) }
