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

  train {
    epochs          = 3
    tokens_per_step = 512
    max_length      = 256
    learning_rate   = 8e-4
    schedule        = "cosine"
    warmup          = 0.1
  }

  evaluate {
    prompts = [
      "How do I boil an egg?",
      "Why is the sky blue?",
      "My computer is slow. What can I do?",
    ]
    max_tokens = 60
  }

  kernels "cpu" {}

  logger "tensorboard" {}
}
