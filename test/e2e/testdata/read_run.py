"""Reads what a run of hone left with the programs that it is for, and prints it as
JSON. TestInterop runs it:

    python testdata/read_run.py RUN PROMPT MAX_TOKENS

Needs: torch, transformers, peft, tensorboard, wandb.
"""

import glob
import json
import os
import sys

import torch
from peft import AutoPeftModelForCausalLM
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging
from wandb.proto import wandb_internal_pb2 as pb
from wandb.sdk.internal.datastore import DataStore


def answer(model, tokenizer, prompt, max_tokens):
    """The greedy answer of a model, and the logits after the prompt."""
    text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_tokens)
        logits = model(input_ids=ids).logits[0, -1]
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True), logits


def wandb_losses(run):
    (path,) = glob.glob(os.path.join(run, "wandb", "offline-run-*", "*.wandb"))
    store = DataStore()
    store.open_for_scan(path)
    losses = []
    while (data := store.scan_data()) is not None:
        record = pb.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            if item.key == "train/loss" or list(item.nested_key) == ["train/loss"]:
                losses.append(json.loads(item.value_json))
    return losses


def main(run, prompt, max_tokens):
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    merged = os.path.join(run, "export", "merged")
    tokenizer = AutoTokenizer.from_pretrained(merged)
    adapted = AutoPeftModelForCausalLM.from_pretrained(os.path.join(run, "adapter"), dtype=torch.float32).eval()
    adapted_text, adapted_logits = answer(adapted, tokenizer, prompt, max_tokens)
    whole = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    merged_text, merged_logits = answer(whole, tokenizer, prompt, max_tokens)
    events = EventAccumulator(os.path.join(run, "tensorboard"))
    events.Reload()
    difference = (adapted_logits - merged_logits).norm() / adapted_logits.norm()
    json.dump({
        "adapted": adapted_text, "merged": merged_text, "difference": difference.item(),
        "tensorboard": [[e.step, e.value] for e in events.Scalars("train/loss")], "wandb": wandb_losses(run),
    }, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
