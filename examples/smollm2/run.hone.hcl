# Teaches SmolLM2-135M-Instruct to answer like a pirate.
#
#   hone run examples/smollm2/run.hone.hcl -var model=SmolLM2-135M-Instruct.Q4_1.gguf

variable "model" {
  description = "A .gguf file, a folder, or hf://HuggingFaceTB/SmolLM2-135M-Instruct."
  type        = string
}

run "smollm2-pirate" {
  seed = 7

  model {
    source = var.model
  }

  adapter "lora" {
    rank    = 16
    alpha   = 32
    targets = "auto"
  }

  data "train" {
    source = "chats.jsonl"
  }

  data "eval" {
    source = "held-out.jsonl"
  }

  train {
    epochs          = 2
    tokens_per_step = 512
    max_length      = 256
    learning_rate   = 8e-4
    schedule        = "cosine"
    warmup          = 0.1
  }

  # The questions of held-out.jsonl, which no training chat asks.
  evaluate {
    prompts = [
      "What goes into a French omelette?",
      "Which country has the most islands?",
      "Why does iron rust?",
      "My printer does not print. What now?",
      "How can I feel less lonely?",
      "Who was Queen Victoria?",
      "How do I ride a bicycle uphill?",
      "What do owls eat?",
      "How do I wrap a present?",
      "What are some tips for a long train journey?",
    ]
    max_tokens = 64
  }

  kernels "cpu" {}

  logger "tensorboard" {}
}
