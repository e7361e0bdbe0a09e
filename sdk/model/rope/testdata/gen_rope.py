"""Makes rope.json: the frequencies that transformers computes for the rotary
embeddings of Llama configurations, of every kind of scaling and in both forms.

    python testdata/gen_rope.py

Made with torch 2.15.0 and transformers 5.24.0.
"""

import json
from pathlib import Path

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.utils import logging

SHORT = [1.0 + 0.05 * i for i in range(8)]
LONG = [1.5 + 1.25 * i for i in range(8)]
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}
LLAMA31 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
}
LONGROPE = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG, "original_max_position_embeddings": 64}

# By name: keys of the configuration, and the longest document of the run (0: none named).
CASES = {
    "nothing said": ({}, 0),
    "default, new form": ({"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}, 0),
    "default, old form": ({"rope_theta": 1000000.0, "rope_scaling": None}, 0),
    "a null theta is the default": ({"rope_parameters": {"rope_type": "default"}}, 0),
    "theta beside rope_parameters": ({"rope_theta": 25000.0, "rope_parameters": {"rope_type": "default"}}, 0),
    "theta in rope_parameters counts more": ({"rope_theta": 25000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 7000.0}}, 0),
    "rope_scaling counts more than rope_parameters": (
        {"rope_scaling": {"rope_type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 700.0}}, 0),
    "an empty rope_scaling counts for nothing": ({"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 700.0}}, 0),
    "linear, oldest form": ({"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.5}}, 0),
    "linear, new form": ({"rope_parameters": {"rope_type": "linear", "factor": 2.5, "rope_theta": 10000.0}}, 0),
    "dynamic within the model's length": ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 2048),
    "dynamic, the model's length": ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 0),
    "dynamic beyond the model's length": ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, 3000),
    "dynamic far beyond": ({"rope_parameters": {"rope_type": "dynamic", "factor": 8.0, "rope_theta": 5000.0}}, 16000),
    "yarn": ({"max_position_embeddings": 8192, "rope_parameters": {**YARN, "rope_theta": 10000.0}}, 0),
    "yarn, old form": ({"max_position_embeddings": 8192, "rope_theta": 10000.0, "rope_scaling": YARN}, 0),
    "yarn, original length beside it": (
        {"max_position_embeddings": 8192, "original_max_position_embeddings": 1024, "rope_scaling": YARN}, 0),
    "yarn, no original length": ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, 0),
    "yarn, a null factor": ({"max_position_embeddings": 16384, "rope_scaling": {**YARN, "factor": None}}, 0),
    "yarn, attention factor": ({"rope_scaling": {**YARN, "attention_factor": 0.7}}, 0),
    "yarn, betas": ({"rope_scaling": {**YARN, "beta_fast": 16, "beta_slow": 2}}, 0),
    "yarn, equal betas": ({"rope_scaling": {**YARN, "beta_fast": 4, "beta_slow": 4, "truncate": False}}, 0),
    "yarn, not truncated": ({"rope_scaling": {**YARN, "truncate": False}}, 0),
    "yarn, mscale": ({"rope_scaling": {**YARN, "factor": 40.0, "mscale": 1.0, "mscale_all_dim": 0.8}}, 0),
    "yarn, mscale alone": ({"rope_scaling": {**YARN, "factor": 40.0, "mscale": 0.707}}, 0),
    "yarn, a factor of 1": ({"rope_scaling": {**YARN, "factor": 1.0}}, 0),
    "yarn, a short original length": ({"rope_scaling": {**YARN, "original_max_position_embeddings": 16}}, 0),
    "llama3": ({"rope_theta": 500000.0, "max_position_embeddings": 131072, "rope_scaling": LLAMA31}, 0),
    "llama3, new form": ({"max_position_embeddings": 131072, "rope_parameters": {**LLAMA31, "rope_theta": 500000.0}}, 0),
    "llama3, factor 32": ({"rope_theta": 500000.0, "head_dim": 64, "max_position_embeddings": 131072, "rope_scaling": {**LLAMA31, "factor": 32.0}}, 0),
    "llama3, original length beside it": ({"original_max_position_embeddings": 512, "rope_scaling": LLAMA31}, 0),
    "longrope, short": ({"head_dim": 16, "max_position_embeddings": 256, "rope_scaling": LONGROPE}, 64),
    "longrope, long": ({"head_dim": 16, "max_position_embeddings": 256, "rope_scaling": LONGROPE}, 65),
    "longrope, the model's length": ({"head_dim": 16, "max_position_embeddings": 256, "rope_scaling": LONGROPE}, 0),
    "longrope, factor": ({"head_dim": 16, "max_position_embeddings": 256, "rope_scaling": {**LONGROPE, "factor": 32.0}}, 65),
    "longrope, attention factor": ({"head_dim": 16, "max_position_embeddings": 256, "rope_scaling": {**LONGROPE, "attention_factor": 1.19}}, 65),
    "longrope, a factor below 1": ({"head_dim": 16, "max_position_embeddings": 32, "rope_scaling": LONGROPE}, 65),
    "a narrow head": ({"head_dim": 6, "rope_scaling": {"rope_type": "dynamic", "factor": 3.0}}, 5000),
}

BASE = {"hidden_size": 512, "num_attention_heads": 8, "max_position_embeddings": 2048}


def frequencies(keys, length):
    config = LlamaConfig(**json.loads(json.dumps(BASE | keys)))
    kind = config.rope_parameters["rope_type"]
    if kind == "default":
        inv_freq, factor = LlamaRotaryEmbedding.compute_default_rope_parameters(config)
    else:
        inv_freq, factor = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length or config.max_position_embeddings)
    return {"kind": kind, "freq": inv_freq.tolist(), "factor": factor}


def main():
    logging.set_verbosity_error()
    lines = []
    for name, (keys, length) in CASES.items():
        case = {"name": name, "config": BASE | keys, "max_length": length} | frequencies(keys, length)
        lines.append(json.dumps(case))
    Path(__file__).with_name("rope.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
