#! run second
run "first" {
  model { source = "/nowhere" }
}
run "second" {
  model { source = "hf://owner/name" }
  adapter "full" {}
  data "train" {
    source        = "hf://datasets/owner/name/train.jsonl"
    chat_template = "{{ messages }}"
  }
  data "eval" { fraction = 0.05 }
  train {
    steps      = 10
    max_length = 32768
    schedule   = "constant"
  }
  logger "wandb" { api_key = env("NOT_SET") }
  evaluate { prompts = null }
}
