#! run train
run "trian" {}
run "other" {}
