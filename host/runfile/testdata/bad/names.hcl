trian = 1
tran {}
train { epochs = 1 }
variables "x" {}
run "na mes" {
  sede = 1
  learning_rate = 1e-4
  modle { source = "x" }
  model {
    source = "../files/model"
    lora {}
  }
  adapter "lorra" {}
  adapter {}
  data "train" {
    source = "../files/chats.jsonl"
    rank   = 8
  }
  data "test" {}
  data {}
  train "x" {
    epochs          = 1
    lerning_rate    = 1e-4
    max_seq_length  = 5
  }
  evaluate "x" {}
  seed {}
  kernels "cpuu" {}
  kernels {}
  logger "strict" {
    url {}
  }
  logger "wandb" {
    labels {}
    project {}
    proyect = "x"
  }
  logger "wandb" "x" {}
  export "ggu" {}
  metric "a" { valeu = 1 }
  metric "b c" { value = 1 }
}
