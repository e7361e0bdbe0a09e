"""Trains a model's shape with PEFT, as hone bench train does, and prints one JSON line.

    python bench/peers/peft_gpu.py bench/shapes/llama-3.2-1b.json [--tokens 8192]
        [--length 2048 | --length 200-800] [--checkpointing] [--compile]

Weights are drawn from N(0, 0.02), LoRA goes onto every linear but the head. Weights are
bfloat16 and adapters float32, under autocast; attention is PyTorch's. Needs torch,
transformers, peft.
"""
import json

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import work


def build(a):
    """The model with adapters, on the device."""
    with open(a.config) as f:
        values = json.load(f)
    config = CONFIG_MAPPING[values.pop("model_type")](**values)
    config.use_cache = False
    with torch.device(a.device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
    parameters = model.num_parameters()
    lora = LoraConfig(r=a.rank, lora_alpha=a.rank, lora_dropout=a.dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    model.train()
    if a.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    return model, parameters, config.vocab_size


def main():
    a = work.arguments(__doc__, {"checkpointing": "compute each layer again in the backward pass", "compile": "torch.compile"})
    ways = [way for way, on in (("checkpointing", a.checkpointing), ("compiled", a.compile)) if on]
    work.run(a, " ".join(["peft"] + ways), build, compiled=a.compile)


main()
