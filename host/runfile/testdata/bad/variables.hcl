#! env HONE_VAR_count=many
#! env KEY=hush-hush
#! var count2=[1
#! var unknown=5
#! var noequals
#! var list={a = 1}
#! var secret=hush-secret
#! var-file ../files/values.hclvars
#! var-file ../files/values.json
#! var-file ../files/broken.json
#! var-file ../files/none.hclvars
variable "count" { type = number }
variable "count2" { type = list(number) }
variable "list" { type = list(string) }
variable "unset" {}
variable "bad-type" { type = strin }
variable "bad_default" {
  type    = number
  default = "x"
}
variable "refers" { default = var.count }
variable "twice" { default = 1 }
variable "twice" { default = 2 }
variable "odd" {
  default   = 3
  sensitive = "x"
  defualt   = 5
  nested {}
}
variable "positive" {
  default = -1
  validation {
    condition     = var.positive > 0
    error_message = "It is ${var.positive}, and must be positive."
  }
  validation {
    condition     = var.positive
    error_message = "x"
  }
  validation {}
}
variable "wrong_secret" {
  type      = number
  sensitive = true
  default   = "hush-in-the-file"
}
variable "secret" {
  type      = number
  sensitive = true
}
variable "kept" {
  default   = "hush-default"
  sensitive = true
  validation {
    condition     = length(var.kept) > 100
    error_message = "It is ${var.kept}."
  }
}
run "x" {
  model { source = var.kept }
  data "train" { source = "../files/chats.jsonl" }
  train {
    epochs = var.count
    steps  = length(var.list)
  }
}
