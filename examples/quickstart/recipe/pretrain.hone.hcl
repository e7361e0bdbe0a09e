# Trains the quickstart's base model from nothing: every parameter, on the small
# world's questions and plain answers. make quickstart-model runs it.

variable "folder" {
  description = "What the recipe wrote."
  type        = string
}

run "quickstart-base" {
  seed = 1

  model {
    source = "${var.folder}/untrained"
  }

  adapter "full" {}

  data "train" {
    source = "${var.folder}/corpus.jsonl"
    loss   = "all"
  }

  data "train" {
    source = "${var.folder}/tales.jsonl"
  }

  train {
    epochs          = 24
    tokens_per_step = 2048
    max_length      = 128
    learning_rate   = 3e-3
    schedule        = "cosine"
    warmup          = 0.05
    weight_decay    = 0.05
  }

  evaluate {
    prompts    = ["What does a cow say?", "Where does a lion live?", "Describe a whale.", "How many legs has a bee?"]
    max_tokens = 40
  }

  kernels "cpu" {}
}
