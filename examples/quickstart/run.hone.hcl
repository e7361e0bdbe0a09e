# Teaches a very small model, which knows a little about animals, to answer like
# a pirate. Change something and run it again: hone run run.hone.hcl

run "quickstart" {
  seed = 7

  model {
    source = "model"
  }

  adapter "lora" {
    rank  = 8
    alpha = 16
  }

  data "train" {
    source = "lessons.jsonl"
  }

  train {
    epochs          = 8
    tokens_per_step = 512
    max_length      = 128
    learning_rate   = 2e-3
    schedule        = "cosine"
    warmup          = 0.1
  }

  # No lesson mentions these animals.
  evaluate {
    prompts = [
      "What does a cow say?",
      "Where does a lion live?",
      "What does an elephant eat?",
    ]
    max_tokens = 40
  }

  kernels "cpu" {}

  logger "tensorboard" {}
}
