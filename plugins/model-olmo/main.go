// The plugin model-olmo answers for the dense OLMo models of the second and third
// generation.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(olmo{}) }
