"""Trains SmolLM2-135M-Instruct with PEFT on the CPU and prints tokens a second.

    python bench/peers/peft_cpu.py MODEL.gguf [TOKENS]

LoRA of rank 16 on all seven linears, float32, AdamW, one sequence of TOKENS
(512) tokens a step: what bench/smollm2_cpu.sh lets hone do. Needs torch,
transformers, peft, gguf.
"""
import os
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

path = os.path.abspath(sys.argv[1])
tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 512
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
config = LoraConfig(r=16, lora_alpha=32, task_type="CAUSAL_LM",
                    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
model = get_peft_model(model, config)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
ids = torch.randint(100, 40000, (1, tokens))
times = []
for step in range(6):
    begun = time.time()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    times.append(time.time() - begun)
    print(f"step {step + 1} loss {loss.item():.4f} {tokens / times[-1]:.0f} tok/s", flush=True)
print(f"median of the last five: {tokens / sorted(times[1:])[2]:.0f} tok/s on {torch.get_num_threads()} threads")
