// The plugin model-glm answers for the dense GLM-4 models: GlmForCausalLM (glm-4-9b-hf)
// and Glm4ForCausalLM (GLM-4-0414).
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(glm{}) }
