#!/bin/sh
# How long hone run takes from its start to the end of its first step: weights read,
# kernels compiled, the step done. With weights in the page cache; once with no kernel
# compiled before, and once with all of them:
#
#   bench/first_step.sh SHAPE
#
# SHAPE is a file of bench/shapes without its ending, such as llama-3.1-8b; its weights are
# random and lie in memory. What may be set:
#
#   BIN      where hone and its plugins are        bin
#   PYTHON   with torch and transformers           python3
#   KERNELS  the kernels plugin                    cuda
#   TOKENS   of the step, in documents of LENGTH   8192 and 2048
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(cd "${BIN:-$root/bin}" && pwd)
kernels=${KERNELS:-cuda}
tokens=${TOKENS:-8192}
length=${LENGTH:-2048}
memory=/dev/shm
[ -d "$memory" ] || memory=${TMPDIR:-/tmp}
work=$(mktemp -d "$memory/hone.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HONE_PLUGIN_DIR="$bin" HONE_CACHE_DIR="$work/cache"

device=cuda
[ "$kernels" = cuda ] || device=cpu
"${PYTHON:-python3}" "$root/bench/peers/checkpoint.py" "$root/bench/shapes/$1.json" "$work/model" "$device" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
# Any tokenizer will do that has no more tokens than the model.
cp "$root/examples/quickstart/model/tokenizer.json" "$root/examples/quickstart/model/tokenizer_config.json" "$work/model"

# Lines whose text is longer than a document, each a document then.
awk -v documents=$((2 * tokens / length)) -v length_=$((3 * length)) 'BEGIN {
  for (i = 0; i < documents; i++) {
    printf "{\"text\":\""
    for (j = 0; j < length_; j++) printf "%d ", (i * 7919 + j * 104729) % 10007
    printf "\"}\n"
  }
}' >"$work/data.jsonl"
cat >"$work/run.hone.hcl" <<END
run "first-step" {
  model { source = "model" }
  adapter "lora" { rank = 16 }
  data "train" {
    source   = "data.jsonl"
    overlong = "truncate"
  }
  train {
    steps           = 1
    tokens_per_step = $tokens
    max_length      = $length
  }
  kernels "$kernels" {}
}
END
cat "$work/model/"*.safetensors >/dev/null

for what in "no kernel compiled before" "kernels compiled before"; do
  rm -rf "$work/run"
  begin=$(date +%s.%N)
  "$bin/hone" run "$work/run.hone.hcl" -run-dir "$work/run" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
  time=$(sed -n 's|.*"step":1,"time":"\([^"]*\)".*|\1|p' "$work/run/metrics.jsonl" | head -1)
  echo "$begin $(date -d "$time" +%s.%N)" | awk -v what="$what" '{ printf "%.1f s from the start to the end of the first step, %s\n", $2 - $1, what }'
  sed -n 's|.*"perf/step_seconds":\([0-9.e-]*\).*|\1|p' "$work/run/metrics.jsonl" | awk 'NR == 1 { printf "  the step itself: %.2f s\n", $1 }'
done
