// The plugin model-gemma answers for Gemma 1, 2 and 3, and for the language model in
// those sizes of Gemma 3 that read images too.
package main

import (
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/multimodal"
)

func main() { model.Serve(served) }

// served is what the plugin answers with.
var served = multimodal.Wrap(gemma{}, multimodal.Wrapper{
	Architecture: "Gemma3ForConditionalGeneration",
	Texts:        []multimodal.Text{{Type: "gemma3_text", Architecture: gemma3}},
})
