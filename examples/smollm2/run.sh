#!/bin/sh
# Fine-tunes SmolLM2-135M-Instruct and shows its answers before and after.
# MODEL names a copy of the model; without it fetch.sh brings one.
set -eu

here=$(dirname "$0")
root=$here/../..
model=${MODEL:-}
[ -n "$model" ] || model=$("$here/fetch.sh")
case $model in
  hf://* | /*) ;;
  *) model=$PWD/$model ;;
esac

run=runs/smollm2-$(date +%Y%m%d-%H%M%S)
"$root/bin/hone" run "$here/run.hone.hcl" -var "model=$model" -run-dir "$run" "$@"
(cd "$root" && go run ./examples/smollm2/judge "$OLDPWD/$run")
