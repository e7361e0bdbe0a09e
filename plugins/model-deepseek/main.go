// The plugin model-deepseek answers for DeepseekV3ForCausalLM: DeepSeek V3, R1 and what
// else is built like them.
package main

import "github.com/honeml/hone/sdk/model"

func main() { model.Serve(deepseek{}) }
