#! version 1.2.0-3-gabcdef
hone {
  version = "1"
  required_version = ">= 99"
  required_plugin {}
  required_plugins {
    a = "x"
    b = { version = "1.2" }
    c = { source = "x", version = "new" }
    d = { source = 5, sorce = "x" }
    e {}
    Falcon = { source = "x" }
    f = { source = env("F") }
    g = { source = var.g }
    model-b = { source = "x", version = "~> 1" }
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
