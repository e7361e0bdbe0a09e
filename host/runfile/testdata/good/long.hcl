run "long" {
  model { source = "../files/model" }
  rope_scaling "yarn" {
    factor           = 4
    original_length  = 32768
    attention_factor = 1
    beta_fast        = 16
    beta_slow        = 2
  }
  data "train" { source = "../files/chats.jsonl" }
  train {
    epochs     = 1
    max_length = 65536
  }
}
