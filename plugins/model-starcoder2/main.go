// The plugin model-starcoder2 answers for Starcoder2ForCausalLM.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(starcoder2{}) }
