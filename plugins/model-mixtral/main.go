// The plugin model-mixtral answers for MixtralForCausalLM, Mistral's mixtures of experts.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(mixtral{}) }
