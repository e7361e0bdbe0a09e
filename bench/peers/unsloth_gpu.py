"""Trains a model's shape with Unsloth, as hone bench train does, and prints one JSON line.

    python bench/peers/unsloth_gpu.py bench/shapes/llama-3.2-1b.json [--tokens 8192]
        [--length 2048] [--offloading]

Unsloth reads a checkpoint, so random weights from N(0, 0.02) are written first, to
memory. --offloading is its own checkpointing, which keeps a layer's input alone, in the
host's memory; without it nothing is computed again. Its first step compiles, which is
not in the rate. Needs torch, transformers, peft, unsloth.
"""
import os
import shutil
import tempfile

import unsloth  # before what it patches: torch and transformers

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import checkpoint
import work

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def tokenizer(folder, vocabulary):
    """A tokenizer that is never asked."""
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3} | {f"w{i}": i for i in range(4, vocabulary)}
    t = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=t, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>").save_pretrained(folder)


def build(a):
    """The model with adapters, on the device."""
    again = "unsloth" if a.offloading else False
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        parameters, vocabulary = checkpoint.write(a.config, folder, a.device)
        tokenizer(folder, vocabulary)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        model, _ = unsloth.FastLanguageModel.from_pretrained(
            model_name=folder, max_seq_length=a.most, dtype=torch.bfloat16, load_in_4bit=False, use_gradient_checkpointing=again)
    finally:
        shutil.rmtree(folder)
    model = unsloth.FastLanguageModel.get_peft_model(
        model, r=a.rank, lora_alpha=a.rank, lora_dropout=a.dropout, bias="none", target_modules=TARGETS,
        use_gradient_checkpointing=again, max_seq_length=a.most)
    unsloth.FastLanguageModel.for_training(model, use_gradient_checkpointing=again)
    model.train()
    model.config.use_cache = False
    return model, parameters, model.config.vocab_size


def main():
    a = work.arguments(__doc__, {"offloading": "Unsloth's own checkpointing, which keeps layers' inputs on the host"})
    work.run(a, "unsloth offloading" if a.offloading else "unsloth", build)


main()
