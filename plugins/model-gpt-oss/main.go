// The plugin model-gpt-oss answers for GptOssForCausalLM, OpenAI's mixtures of experts.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(gptOSS{}) }
