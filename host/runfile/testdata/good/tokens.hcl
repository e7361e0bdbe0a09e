run "tokens" {
  model { source = "../files/model" }
  tokens {
    add     = ["<tool>", "</tool>"]
    special = false
    train   = ["<|im_start|>"]
  }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
