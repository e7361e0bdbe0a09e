run "contradictions" {
  model { source = "../files/model" }
  adapter "lora" {}
  adapter "full" {}
  data "train" { source = "../files/chats.jsonl" }
  data "train" {
    source  = "../files/more.jsonl"
    shuffle = false
    packing = true
  }
  data "train" {
    source  = "../files/more.jsonl"
    shuffle = true
  }
  data "eval" {
    source   = "../files/held-out.jsonl"
    fraction = 0.1
  }
  data "eval" {}
  data "eval" {
    fraction = 0.1
    loss     = "all"
  }
  train {
    epochs             = 1
    steps              = 10
    warmup             = 20
    tokens_per_step    = 4096
    documents_per_step = 8
  }
  kernels "cpu" {}
  kernels "cuda" {}
  logger "wandb" {}
  logger "wandb" {}
  export "merged" {}
  export "merged" {}
  checkpoint {}
  checkpoint {}
  metric "a" { value = 1 }
  metric "a" { value = 2 }
}
