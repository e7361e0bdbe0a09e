// The plugin model-mistral answers for MistralForCausalLM: Mistral 7B with its
// sliding window, Nemo, Small; for MinistralForCausalLM and Ministral3ForCausalLM.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(mistral{}) }
