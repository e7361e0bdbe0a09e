run "pissa" {
  model { source = "../files/model" }
  adapter "lora" {
    dora = true
    init = "pissa"
  }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
