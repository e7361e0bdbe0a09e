run "missing" {
  model {}
  data "train" {}
  train {}
  evaluate {}
}
