#! env WANDB_API_KEY=hush-hush-123
variable "rank" {
  type    = number
  default = 16
}

run "support" {
  seed = 7

  model {
    source   = "hf://HuggingFaceTB/SmolLM2-135M-Instruct"   # or a folder, or a .gguf file
    quantize = "nf4"                                        # none by default
  }

  adapter "lora" {
    rank    = var.rank
    alpha   = 2 * var.rank
    targets = "auto"
  }

  data "train" { source = "../files/chats.jsonl" }
  data "eval"  { source = "../files/held-out.jsonl" }

  train {
    epochs          = 2
    tokens_per_step = 65536      # of all GPUs and micro-batches together; or documents_per_step
    max_length      = 2048
    learning_rate   = 2e-4
    schedule        = "cosine"
    warmup          = 0.03
    precision       = "bf16"
  }

  evaluate {
    every   = 50
    prompts = ["How do I reset my password?"]
  }

  metric "bits_per_token" { value = loss / log(2) }

  kernels "cuda" {
    gpus         = ["0"]
    memory_limit = "24GiB"
  }

  logger "tensorboard" {}
  logger "wandb" {
    project = "support-r${var.rank}"
    api_key = env("WANDB_API_KEY")
  }

  export "gguf" { type = "Q4_K_M" }
}
