#!/bin/sh
# Trains SmolLM2-135M-Instruct with hone on the CPU and prints tokens a second:
#
#   bench/smollm2_cpu.sh MODEL.gguf [TOKENS]
#
# The work of bench/peers/peft_cpu.py: LoRA of rank 16 on all seven linears, one
# document of TOKENS (512) tokens a step.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
model=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
tokens=${2:-512}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Numbers: one token a digit, so that every document is cut at TOKENS.
awk -v n="$tokens" 'BEGIN { srand(1); for (i = 0; i < 8; i++) { s = ""; for (j = 0; j < n; j++) s = s int(rand() * 1000) " "; printf "{\"text\": \"%s\"}\n", s } }' >"$work/data.jsonl"
cat >"$work/run.hone.hcl" <<HCL
run "bench" {
  model { source = "$model" }
  adapter "lora" {
    rank  = 16
    alpha = 32
  }
  data "train" { source = "data.jsonl" }
  train {
    steps           = 6
    tokens_per_step = $tokens
    max_length      = $tokens
    learning_rate   = 1e-4
  }
  kernels "cpu" {}
}
HCL
"$root/bin/hone" run "$work/run.hone.hcl" -run-dir "$work/run" -json | sed -n 's/.*"kind":"step".*"perf\/tokens_per_second":\([0-9.]*\).*/\1/p' |
  tail -n +2 | sort -n | awk '{ v[NR] = $1 } END { printf "median of the last five: %.0f tok/s\n", v[int((NR + 1) / 2)] }'
