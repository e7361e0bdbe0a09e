run "tokens" {
  model { source = "../files/model" }
  tokens { special = true }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
