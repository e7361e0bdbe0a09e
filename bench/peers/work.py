"""The work that hone bench train does, for its peers: steps on random tokens, timed.

Tokens are random and each step's own, every one of them but a document's first is
learned. A peer builds a model with adapters and gives it to run().
"""
import argparse
import json
import random
import time
import traceback

import torch


def arguments(description, ways):
    """The command line, with the flags in ways beside what all peers have."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("config", help="a config.json")
    p.add_argument("--tokens", type=int, default=8192, help="of a step")
    p.add_argument("--length", default="2048", help="of a document, in tokens, or a range such as 200-800: documents are packed then")
    p.add_argument("--micro-batch", type=int, default=0, help="tokens computed at once; 0: all of a step")
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--steps", type=int, default=10, help="that are measured")
    p.add_argument("--warmup", type=int, default=3)
    p.add_argument("--device", default="cuda")
    p.add_argument("--seed", type=int, default=1)
    for way, what in ways.items():
        p.add_argument("--" + way, action="store_true", help=what)
    a = p.parse_args()
    a.least, _, a.most = a.length.partition("-")
    a.least, a.most = int(a.least), int(a.most or a.least)
    a.micro_batch = a.micro_batch or a.tokens
    if a.tokens % a.micro_batch or a.least == a.most and a.micro_batch % a.least:
        p.error("the tokens of a step are whole micro-batches, and these whole documents")
    return a


def batch(a, vocabulary, draw):
    """A micro-batch as a model takes it. Documents of different lengths follow each
    other in one row, told apart by their positions."""
    if a.least == a.most:
        ids = torch.randint(0, vocabulary, (a.micro_batch // a.least, a.least), device=a.device)
        return {"input_ids": ids, "labels": ids}
    lengths = []
    while (left := a.micro_batch - sum(lengths)) > 0:
        lengths.append(min(left, draw.randint(a.least, a.most)))
    ids = torch.randint(0, vocabulary, (1, a.micro_batch), device=a.device)
    positions = torch.cat([torch.arange(n) for n in lengths])[None].to(a.device)
    return {"input_ids": ids, "labels": ids.masked_fill(positions == 0, -100), "position_ids": positions}


def train(a, build, compiled):
    """Times the steps; gives what is known of them."""
    synchronize = torch.cuda.synchronize if a.device == "cuda" else lambda: None
    model, parameters, vocabulary = build(a)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0, fused=a.device == "cuda")
    forward = torch.compile(model) if compiled else model
    batches, draw = a.tokens // a.micro_batch, random.Random(a.seed)
    seconds, numbers = [], []
    for _ in range(a.warmup + a.steps):
        synchronize()
        begun = time.perf_counter()
        total = 0.0
        for _ in range(batches):
            with torch.autocast(a.device, dtype=torch.bfloat16):
                loss = forward(**batch(a, vocabulary, draw)).loss / batches
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize()
        seconds.append(time.perf_counter() - begun)
        numbers.append({"loss": float(total), "grad_norm": float(norm)})
    measured = sorted(seconds[a.warmup:])
    middle = (measured[(a.steps - 1) // 2] + measured[a.steps // 2]) / 2
    return {
        "parameters": parameters, "trained": sum(p.numel() for p in trained),
        "tokens_per_second": a.tokens / middle, "tokens_per_second_slowest": a.tokens / measured[-1],
        "tokens_per_second_fastest": a.tokens / measured[0], "step_seconds": middle, "first_step_seconds": seconds[0],
        "first": numbers[0], "last": numbers[-1],
    }


def run(a, program, build, compiled=False):
    """Prints one JSON line of what train() gives, or of why it gave nothing."""
    torch.manual_seed(a.seed)
    cuda = a.device == "cuda"
    result = {
        "program": program, "model": a.config.rsplit("/", 1)[-1].removesuffix(".json"),
        "device": torch.cuda.get_device_name() if cuda else "CPU", "precision": "bf16",
        "tokens": a.tokens, "length": a.length, "micro_batch_tokens": a.micro_batch, "steps": a.steps, "warmup": a.warmup,
    }
    begun = time.perf_counter()
    try:
        result |= train(a, build, compiled)
    except torch.cuda.OutOfMemoryError:
        result["error"] = "out of memory"
    except Exception as e:  # the others' figures stand all the same
        traceback.print_exc()
        result["error"] = type(e).__name__
    result["seconds"] = time.perf_counter() - begun
    if cuda:
        result["peak_bytes"] = torch.cuda.max_memory_allocated()
        result["reserved_bytes"] = torch.cuda.max_memory_reserved()
    print(json.dumps(result), flush=True)
