// The plugin model-mistral answers for MistralForCausalLM: Mistral 7B with its
// sliding window, Nemo, Small; for MinistralForCausalLM and Ministral3ForCausalLM; and
// for the language models in Mistral Small 3.1 and Ministral 3, which read images too.
package main

import (
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/multimodal"
)

func main() { model.Serve(served) }

// served is what the plugin answers with.
var served = multimodal.Wrap(mistral{}, multimodal.Wrapper{
	Architecture: "Mistral3ForConditionalGeneration",
	Texts:        []multimodal.Text{{Type: "mistral", Architecture: mistral1}, {Type: "ministral3", Architecture: ministral3}},
})
