// The plugin model-cohere answers for Command R, Aya (CohereForCausalLM) and Command R7B,
// Command A (Cohere2ForCausalLM).
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(cohere{}) }
