hone {
  version = "1"
  required_plugin {}
  required_plugins {
    a = "x"
    b = { version = "1.2" }
    c = { source = "x", version = "new" }
    d = { source = 5, sorce = "x" }
    e {}
  }
  required_plugins {
    a = { source = "x" }
  }
}
run "x" {
  model { source = "../files/model" }
  data "train" { source = "../files/chats.jsonl" }
  train { epochs = 1 }
}
