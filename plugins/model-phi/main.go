// The plugin model-phi answers for Phi3ForCausalLM: Phi-3, Phi-3.5, Phi-4 and
// Phi-4-mini.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(phi{}) }
