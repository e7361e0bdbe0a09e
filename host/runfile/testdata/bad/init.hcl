run "pissa" {
  model { source = "../files/model" }
  adapter "lora" {
    init = "pisa"
  }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
