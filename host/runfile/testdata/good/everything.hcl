#! version v1.2.3
#! env HONE_VAR_seed=11
#! env HONE_VAR_token=hush-from-env
#! env PLAIN=hush-plain
#! var-file values.hclvars
#! var-file values.json
#! var tags=["a", "b"]
#! var name=night
hone {
  required_version = ">= 1.2, < 2"
  required_plugins {
    falcon = { source = "example.com/falcon", version = "~> 1.2" }
    logger-strict = { source = "example.com/strict" }
  }
}

variable "seed" { type = number }
variable "name" {
  description = "Part of the run's labels."
  default     = "day"
}
variable "tags" { type = list(string) }
variable "token" {
  type      = string
  sensitive = true
}
variable "optimizer" {
  type = object({
    rate  = number
    decay = optional(number, 0.01)
    betas = optional(list(number), [0.9, 0.95])
  })
  validation {
    condition     = var.optimizer.rate < local.highest
    error_message = "The rate is ${var.optimizer.rate}."
  }
}
variable "steps" { type = number }

locals {
  highest = 1e-2
  every   = floor(var.steps / 10)
  labels  = { for i, tag in var.tags : tag => i }
  bits    = log(2)
}

run "everything" {
  seed = var.seed
  model {
    source = "../files/ggufs/tiny.gguf"
    dtype  = "float32"
  }
  adapter "lora" {
    from    = "../files/adapter"
    targets = ["q_proj", "v_proj"]
    dropout = 0
  }
  data "train" {
    source        = "../files/chats.jsonl"
    shuffle       = false
    append_eos    = false
    loss          = "assistant"
    overlong      = "split"
    on_error      = "skip"
    chat_template = "../files/chat.jinja"
  }
  data "train" {
    source  = "../files/more.jsonl"
    packing = false
  }
  data "eval" {
    source = "../files/held-out.jsonl"
    loss   = "all"
  }
  train {
    steps              = var.steps
    documents_per_step = 8
    max_length         = 512
    learning_rate      = var.optimizer.rate
    schedule           = "linear"
    warmup             = 5
    weight_decay       = var.optimizer.decay
    betas              = var.optimizer.betas
    epsilon            = 1e-6
    max_grad_norm      = 0
    expert_balance     = 0.001
    precision          = "fp32"
  }
  evaluate {
    every       = local.every
    prompts     = ["One?", "Two?"]
    max_tokens  = 16
    temperature = 0.7
  }
  checkpoint {
    every = local.every
    keep  = 3
    best  = true
  }
  metric "bits" { value = loss / local.bits }
  metric "gap" { value = eval_loss > loss ? eval_loss - loss : 0 }
  kernels "cpu" { threads = 2 }
  logger "wandb" {
    project = "${run.name}-${var.name}"
    api_key = var.token
    tags    = concat(var.tags, [env("PLAIN"), "x-${env("PLAIN")}"])
    labels  = local.labels
  }
  logger "tensorboard" { log_dir = "logs" }
  export "merged" { path = "out/merged" }
  export "gguf" {}
}
