#!/bin/sh
# Runs examples/smollm2 on the GPU and prints how long it took, tokens a second, losses,
# and how many answers are a pirate's:
#
#   bench/smollm2_gpu.sh MODEL.gguf [KERNELS[:PRECISION]]...
#
# KERNELS are kernels plugins, "cuda" by default, PRECISION is train.precision. With
# several, losses are compared with those of the first: cpu cuda:bf16 cuda:fp32.
# Programs are taken from BIN, bin/ by default, and judge, which counts the answers, too
# where it is there: go build -o bin/judge ./examples/smollm2/judge.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(cd "${BIN:-$root/bin}" && pwd)
model=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
[ $# -gt 0 ] || set -- cuda
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$root/examples/smollm2/"*.jsonl "$work"
export HONE_PLUGIN_DIR="$bin" HONE_CACHE_DIR="$work/cache"

judge() {
  if [ -x "$bin/judge" ]; then "$bin/judge" "$1"; else (cd "$root" && go run ./examples/smollm2/judge "$1"); fi
}

# column NAME RUN: a number of each record of a run that has it.
column() { sed -n 's|.*"'"$1"'":\([-+.0-9e]*\).*|\1|p' "$2/metrics.jsonl"; }

# measure KERNELS PRECISION RUN: what a run came to.
measure() {
  sed -e 's/kernels "cpu"/kernels "'"$1"'"/' -e 's/^  train {/&\n    precision = "'"$2"'"/' "$root/examples/smollm2/run.hone.hcl" >"$work/run.hone.hcl"
  begin=$(date +%s.%N)
  "$bin/hone" run "$work/run.hone.hcl" -var "model=$model" -run-dir "$3" >"$3.out" 2>&1 || { cat "$3.out"; exit 1; }
  end=$(date +%s.%N)
  echo "$1, $2:"
  echo "$begin $end" | awk '{ printf "  %.1f s in all\n", $2 - $1 }'
  column perf/step_seconds "$3" | awk '{ s += $1 } END { printf "  %d steps in %.2f s\n", NR, s }'
  column perf/tokens_per_second "$3" | sort -n | awk '{ v[NR] = $1 } END { printf "  %.0f tok/s, the median step\n", v[int((NR + 1) / 2)] }'
  column train/loss "$3" | awk 'NR == 1 { a = $1 } { b = $1 } END { printf "  training loss %.4f to %.4f\n", a, b }'
  column eval/loss "$3" | awk '{ printf "  held-out loss %.4f\n", $1 }'
  judge "$3" | sed 's/^/  /'
}

first=
n=0
for what; do
  n=$((n + 1))
  kernels=${what%%:*} precision=bf16
  [ "$kernels" = "$what" ] || precision=${what#*:}
  measure "$kernels" "$precision" "$work/$n"
  if [ -z "$first" ]; then
    first=$what
    continue
  fi
  column train/loss "$work/1" >"$work/want"
  column train/loss "$work/$n" | paste "$work/want" - |
    awk -v first="$first" '{ d = $2 / $1 - 1; s += d * d; if (d < 0) d = -d; if (d > m) m = d }
      END { printf "  losses differ from %s by %.2e, at most %.2e\n", first, sqrt(s / NR), m }'
done
