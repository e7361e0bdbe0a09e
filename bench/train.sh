#!/bin/sh
# Trains a model's shape with hone and with its peers, one after the other on the same
# card, and prints how they compare:
#
#   bench/train.sh SHAPE [TOKENS [LENGTH]]
#
# SHAPE is a file of bench/shapes without its ending, such as llama-3.2-1b. A step has
# TOKENS (8192) tokens in documents of LENGTH (2048, or a range such as 200-800). What
# may be set:
#
#   HONE     the program                                 bin/hone
#   PYTHON   with torch, transformers, peft, unsloth     python3
#   STEPS    that are measured, WARMUP before them       10 and 3
#   HONE_FLAGS  more flags of hone bench train, such as "-recompute layers"
#   PEERS    any of plain, checkpointing, compiled,      plain checkpointing
#            which are PEFT's ways, unsloth, offloading
#   RESULTS  a file that keeps the JSON lines
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
shape=$root/bench/shapes/$1.json
tokens=${2:-8192}
length=${3:-2048}
steps=${STEPS:-10}
warmup=${WARMUP:-3}
python=${PYTHON:-python3}
results=${RESULTS:-$(mktemp)}
[ -n "${RESULTS:-}" ] || trap 'rm -f "$results"' EXIT
: >"$results"

# Words of HONE_FLAGS are flags of their own.
"${HONE:-$root/bin/hone}" bench train "$shape" -tokens "$tokens" -length "$length" -steps "$steps" -warmup "$warmup" ${HONE_FLAGS:-} -json >>"$results"
for peer in ${PEERS:-plain checkpointing}; do
	program=peft_gpu.py
	case $peer in
	plain) flag= ;;
	checkpointing) flag=--checkpointing ;;
	compiled) flag=--compile ;;
	unsloth) program=unsloth_gpu.py flag= ;;
	offloading) program=unsloth_gpu.py flag=--offloading ;;
	*) echo "PEERS: there is no $peer" >&2 && exit 2 ;;
	esac
	"$python" "$root/bench/peers/$program" "$shape" --tokens "$tokens" --length "$length" --steps "$steps" --warmup "$warmup" $flag ${PEER_FLAGS:-} >>"$results"
done
"$python" "$root/bench/peers/table.py" "$results"
