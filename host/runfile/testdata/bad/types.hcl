#! env KEY=hush-hush
run "types" {
  seed = 1.5
  model { source = 5 }
  adapter "lora" {
    rank    = "8"
    rslora  = "true"
    targets = ["q_proj", 5]
    alpha   = [1]
  }
  data "train" {
    source  = "../files/chats.jsonl"
    shuffle = 1
  }
  train {
    epochs = 1
    betas  = 0.9
  }
  evaluate { prompts = "How?" }
  logger "wandb" {
    project = 5
    api_key = 7
    tags    = ["a", true, null]
    labels  = { a = 1, b = "x", c = 1.5, "d" = [1] }
  }
  logger "strict" { url = [env("KEY")] }
}
