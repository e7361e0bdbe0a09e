"""Writes quant.safetensors: for each ggml block type, random blocks ("Q4_K.blocks",
uint8) and the values that the Python package gguf gives for them ("Q4_K.values",
float32).

    python testdata/gen_quant.py        (needs: gguf, numpy, safetensors; run in the package's folder)

All bytes are random, so every code, scale and bit of the packings occurs. The
half-precision scales go through a list of extremes first (zeros, subnormals, the
largest, infinities, NaN), then through random ones. NaN is written as 0x7fc00000.
"""

import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

EXTREMES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x3C00, 0xB800]
# type: (extreme blocks, random blocks, offsets of half-precision fields)
PLAN = {
    T.Q4_0: (14, 10, [0]),
    T.Q4_1: (14, 10, [0, 2]),
    T.Q5_0: (14, 10, [0]),
    T.Q5_1: (14, 10, [0, 2]),
    T.Q8_0: (14, 10, [0]),
    T.Q4_K: (4, 3, [0, 2]),
    T.Q5_K: (4, 3, [0, 2]),
    T.Q6_K: (4, 3, [208]),
}

rng = np.random.default_rng(11)
tensors = {}
for qtype, (extreme, ordinary, fields) in PLAN.items():
    size, nbytes = gguf.GGML_QUANT_SIZES[qtype]
    blocks = rng.integers(0, 256, (extreme + ordinary, nbytes), dtype=np.uint8)
    for row in range(extreme + ordinary):
        for n, field in enumerate(fields):
            if row < extreme:
                bits = EXTREMES[(row * (5 if extreme < 14 else 1) + 3 * n) % len(EXTREMES)]
            else:
                # about the size of real scales
                bits = int((rng.normal(size=1) * 0.02).astype(np.float16).view(np.uint16)[0])
            blocks[row, field : field + 2] = np.frombuffer(np.uint16(bits).tobytes(), np.uint8)
    with np.errstate(all="ignore"):
        values = gguf.quants.dequantize(blocks, qtype).astype(np.float32).reshape(-1)
    values = np.where(np.isnan(values), np.uint32(0x7FC00000).view(np.float32), values)
    tensors[f"{qtype.name}.blocks"] = blocks.reshape(-1)
    tensors[f"{qtype.name}.values"] = values

# MXFP4 has a byte for a scale: each of 256 once.
blocks = rng.integers(0, 256, (256, 17), dtype=np.uint8)
blocks[:, 0] = np.arange(256)
tensors["MXFP4.blocks"] = blocks.reshape(-1)
tensors["MXFP4.values"] = gguf.quants.dequantize(blocks, T.MXFP4).astype(np.float32).reshape(-1)

save_file(tensors, pathlib.Path(__file__).parent / "quant.safetensors")
