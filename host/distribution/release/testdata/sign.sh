#!/usr/bin/env bash
# Writes what the tests read, with minisign 0.11: a key, without a password and good for
# nothing else, and its signature of manifest.json, whose public_key has to be that of
# key.pub.
set -euo pipefail
cd "$(dirname "$0")"
[ -e key ] || minisign -G -W -p key.pub -s key
minisign -S -s key -m manifest.json -x manifest.json.minisig -t "model-apertus 1.2.0"
