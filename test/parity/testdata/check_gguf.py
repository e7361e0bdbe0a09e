"""Reads GGUF files that hone wrote with the gguf package, and loads them with
transformers beside the checkpoints that they were made of. TestGGUFInPython runs
it:

    python testdata/check_gguf.py REQUEST.json ANSWER.json
"""

import json
import os
import sys

import torch
from gguf import GGUFReader
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from kit import reference as ref
from check_peft import log_probs

COMPARED = [
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "hidden_act", "max_position_embeddings", "tie_word_embeddings", "attention_bias", "mlp_bias",
]
FLOATS = ["rms_norm_eps", "norm_epsilon", "norm_eps"]


def differing(got, want):
    keys = [k for k in COMPARED if getattr(got, k, None) != getattr(want, k, None)]
    # GGUF holds these in float32.
    for k, a, b in [
        *[(k, getattr(got, k), getattr(want, k)) for k in FLOATS if hasattr(want, k)],
        ("rope_theta", got.rope_parameters.get("rope_theta", 0), want.rope_parameters.get("rope_theta", 0)),
    ]:
        if abs(a - b) > 1e-6 * b:
            keys.append(k)
    return keys


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    answers = []
    for r in json.load(open(sys.argv[1])):
        reader = GGUFReader(r["file"])
        folder, name = os.path.split(r["file"])
        # Of some architectures transformers leaves key-values unread.
        given = {"config": AutoConfig.from_pretrained(r["model"])} if r["partly"] else {}
        got = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, **ref.EAGER, **given).eval()
        want = AutoModelForCausalLM.from_pretrained(r["model"], dtype=torch.float32, **ref.EAGER).eval()
        ref.fix_length(want, r["max_length"])
        ref.fix_length(got, r["max_length"])
        answers.append({
            "keys": {k: f.types[0].name for k, f in reader.fields.items() if f.types},
            "tensors": {t.name: [int(d) for d in reversed(t.shape)] for t in reader.tensors},
            "differing": differing(got.config, want.config),
            "log_probs": log_probs(got, r["documents"]), "want_log_probs": log_probs(want, r["documents"]),
        })
    json.dump(answers, open(sys.argv[2], "w"))


if __name__ == "__main__":
    main()
