run "mine" {
  model { source = "../files/model" }
  adapter "lora" {
    rnak  = 8
    alpha = -1
  }
  data "train" { source = "chats.jsonl" }
  train { epochs = 1 }
}
