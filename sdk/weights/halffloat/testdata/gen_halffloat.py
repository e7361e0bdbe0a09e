"""Writes halffloat.json, the conversions that the tests hold package halffloat to.

    python testdata/gen_halffloat.py        (needs: numpy, torch; run in the package's folder)

"widen" holds SHA-256 sums over the float32 values (little-endian bytes) of all
65,536 bit patterns. "narrow" holds float32 bit patterns with the bits of the
float16 (by numpy) and bfloat16 (by torch) nearest to them: every kind of
boundary, then a pseudo-random walk over all exponents. NaN is left to the test
itself, since the libraries differ in what they keep of its payload.
"""

import hashlib
import json
import pathlib

import numpy as np
import torch

here = pathlib.Path(__file__).parent
everything = np.arange(65536, dtype=np.uint32).astype(np.uint16)
half = everything.view(np.float16).astype(np.float32)
brain = (everything.astype(np.uint32) << 16).view(np.float32)

boundaries = [0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x7F7F8000, 0x7F7F7FFF, 0x7F800000]
for h in [0x0000, 0x0001, 0x0002, 0x03FE, 0x03FF, 0x0400, 0x0401, 0x3BFF, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF]:
    low = np.array([h], np.uint16).view(np.float16).astype(np.float32)
    high = np.array([h + 1], np.uint16).view(np.float16).astype(np.float32)
    middle = (low + (high - low) / np.float32(2)) if h < 0x7BFF else np.array([65520], np.float32)
    bits = int(middle.view(np.uint32)[0])
    boundaries += [int(low.view(np.uint32)[0]), bits - 1, bits, bits + 1] if bits else [bits, 1]
for b in [0x3F80, 0x3F81, 0x0001, 0x0000, 0x7F7E]:
    boundaries += [b << 16 | low for low in (0x7FFF, 0x8000, 0x8001)]
rng = np.random.default_rng(7)
walk = rng.integers(0, 0x7F800000, 200, dtype=np.uint32)
near = rng.integers(0x33000000, 0x47900000, 300, dtype=np.uint32)
bits = np.concatenate([np.array(boundaries, np.uint32), walk, near])
bits = np.unique(np.concatenate([bits, bits | np.uint32(0x80000000)]))
values = bits.view(np.float32)
with np.errstate(over="ignore"):
    to_half = values.astype(np.float16).view(np.uint16)
to_brain = torch.from_numpy(values.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)

golden = {
    "widen": {
        "float16": hashlib.sha256(half.tobytes()).hexdigest(),
        "bfloat16": hashlib.sha256(brain.tobytes()).hexdigest(),
    },
    "narrow": [[int(a), int(h), int(b)] for a, h, b in zip(bits, to_half, to_brain)],
}
text = json.dumps(golden).replace("], [", "],\n[")
(here / "halffloat.json").write_text(text + "\n")
