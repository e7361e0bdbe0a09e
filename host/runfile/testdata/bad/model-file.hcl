run "x" {
  model { source = "../files/model.safetensors" }
  adapter "lora" {
    from    = "../files/adapter"
    rank    = 16
    targets = ["q_proj"]
    alpha   = 32
  }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
