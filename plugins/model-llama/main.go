// The plugin model-llama answers for LlamaForCausalLM of every generation: Llama
// 1 to 3.3, SmolLM2, TinyLlama and whatever else carries that name.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(llama{}) }
