locals {
  huge  = 1e600000000
}
run "x" {
  model { source = "../files/model" }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
