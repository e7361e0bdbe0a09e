"""Encodes English prose with the library tokenizers, one thread, and prints the rate
of the fastest pass, as BenchmarkEncode of host/data/tokenizer does.

    python bench/peers/tokenizers_encode.py FOLDER/NAME/tokenizer.json

Needs: tokenizers.
"""

import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer

sentences = []
for i in range(4000):
    sentences += [
        "The quick brown fox can't jump over the lazy dog's bones, and they'll say it wasn't so.",
        "Tokenizers split words into pieces, and the pieces of one word are merged from the left.",
        f"In {chr(ord('A') + i % 26)} there were some who would not go, and others went before.",
    ]
text = " ".join(sentences)
documents = [text[i : i + 2048] for i in range(0, len(text), 2048)]
tokenizer = Tokenizer.from_file(sys.argv[1])
best = float("inf")
for _ in range(10):
    begun = time.perf_counter()
    for d in documents:
        tokenizer.encode(d, add_special_tokens=False)
    best = min(best, time.perf_counter() - begun)
print(f"{len(text) / best / 1e6:.1f} MB/s")
