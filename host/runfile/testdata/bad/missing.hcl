run "missing" {
  adapter "full" { rank = 8 }
  checkpoint { best = true }
  logger "strict" {}
}
