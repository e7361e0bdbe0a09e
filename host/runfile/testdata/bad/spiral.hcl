run "spiral" {
  model { source = "../files/model" }
  rope_scaling "llama3" { factor = 8 }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
