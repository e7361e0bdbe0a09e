run "dora" {
  model { source = "../files/model" }
  adapter "lora" {
    dora      = true
    lora_bias = true
  }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
