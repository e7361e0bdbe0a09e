run "yarn" {
  model { source = "../files/model" }
  rope_scaling "yarn" { beta_slow = 64 }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
