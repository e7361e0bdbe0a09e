// The plugin model-granite answers for GraniteForCausalLM: the dense Granite 3 models.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(granite{}) }
