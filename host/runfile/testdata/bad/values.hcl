run "values" {
  seed = -1
  model {
    source   = "../files/model"
    dtype    = "float23"
    quantize = "n f 4"
    revision = "main"
  }
  adapter "lora" {
    rank    = 0
    alpha   = 0
    dropout = 1
    bias    = "lora"
    targets = []
  }
  data "train" { source = "../files/chats.jsonl" }
  data "eval" { fraction = 1 }
  train {
    epochs          = 0
    tokens_per_step = 512
    max_length      = 1024
    learning_rate   = 20
    warmup          = 1.5
    schedule        = "cos"
    precision       = "fp8"
    weight_decay    = -0.1
    betas           = [0.9, 1]
    epsilon         = 0
    max_grad_norm   = -1
    expert_balance  = -0.01
  }
  evaluate {
    every       = -5
    prompts     = [""]
    max_tokens  = 0
    temperature = -1
  }
  checkpoint {
    every = -1
    keep  = 0
  }
  kernels "cpu" { memory_limit = "24 gigs" }
  export "gguf" { type = "Q4_K_X" }
}
