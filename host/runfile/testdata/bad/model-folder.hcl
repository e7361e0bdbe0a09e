run "x" {
  model { source = "../files/ggufs" }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
