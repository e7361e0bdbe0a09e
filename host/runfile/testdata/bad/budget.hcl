locals {
  many = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]
}
run "x" {
  model { source = "../files/model" }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = local.many[0][0][0] }
}
