run "least" {
  model { source = "../files/model" }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
