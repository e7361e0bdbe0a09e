run "tokens" {
  model { source = "../files/model" }
  tokens { add = ["a", ""] }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
