// The plugin model-gemma answers for the Gemma models that read text alone: Gemma 1, 2
// and 3.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(gemma{}) }
