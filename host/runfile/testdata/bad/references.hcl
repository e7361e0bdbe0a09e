#! env KEY=hush-hush
variable "rank" { default = 8 }
locals {
  a = local.b + 1
  b = local.c
  c = local.a
  d = local.a
  e = 1
  e2 = var.rnak + local.ee + vra.rank
  twice = 1
  self = local.self
}
locals {
  twice = 2
}
run "x" {
  seed  = local.a
  model {
    source = "../files/model"
    dtype  = float32
  }
  adapter "lora" {
    rank = var.rank[0]
    alpha = var.rank / 0
    dropout = env("KEY")
    targets = [env("KEY")]
  }
  data "train" { source = run.path }
  train {
    epochs = max(1, "x")
    learning_rate = lgo(2)
    warmup = local.e == 1 ? "a" : [1]
  }
  evaluate {
    every = var
    prompts = [for x in 5 : x]
  }
  metric "a" { value = lss / log(2) }
  metric "b" { value = loss / local.text }
  metric "c" { value = loss > 1 }
  metric "d" { value = loss + sum([1]) }
  metric "e" {}
  logger "wandb" { project = "${tonumber(env("KEY"))}" }
}
