// The plugin model-exaone answers for Exaone4ForCausalLM: EXAONE 4.0.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(exaone{}) }
