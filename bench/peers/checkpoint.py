"""Writes a checkpoint of a shape with random weights from N(0, 0.02), in bfloat16.

    python bench/peers/checkpoint.py bench/shapes/llama-3.2-1b.json FOLDER [DEVICE]

Needs torch, transformers.
"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING


def write(config, folder, device):
    """Writes it without a tokenizer, made on the device; gives how many parameters and
    how many tokens the model has."""
    with open(config) as f:
        values = json.load(f)
    config = CONFIG_MAPPING[values.pop("model_type")](**values)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = 1, 2, 3
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
    model.save_pretrained(folder)
    return model.num_parameters(), config.vocab_size


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], sys.argv[3] if sys.argv[3:] else "cuda")
