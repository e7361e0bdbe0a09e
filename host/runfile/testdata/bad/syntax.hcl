run "x" {
  model { source = "a }
  train {
    epochs = = 1
  }
