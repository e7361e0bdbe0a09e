#! env KEY=hush-hush
#! env SHORT=hush
locals {
  upper  = upper(env("KEY"))
  object = { for k in [env("KEY"), env("KEY")] : k => 1 }
}
run "x" {
  model { source = env("KEY") }
  data "train" { source = "../files/${env("SHORT")}" }
  train {
    epochs = env("KEY") == "a" ? 1 : 2
    steps  = sensitive(5)
  }
  metric "m" { value = loss * local.upper }
  logger "wandb" {
    project = jsondecode(env("KEY"))
    api_key = env("KEY").x
    tags    = [tonumber(local.upper), regex("z", env("KEY")), {}[env("KEY")]]
    labels  = { (env("KEY")) = "x" }
  }
}
