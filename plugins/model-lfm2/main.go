// The plugin model-lfm2 answers for the dense LFM2 models: Lfm2ForCausalLM.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(lfm2{}) }
