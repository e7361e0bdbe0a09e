run "scaling" {
  model { source = "../files/model" }
  rope_scaling "linear" {
    factor          = 1
    original_length = 4096
  }
  rope_scaling "yarn" {}
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
