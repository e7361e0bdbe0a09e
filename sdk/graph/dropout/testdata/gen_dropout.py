"""Write dropout.json: keys, Philox blocks and rows of the dropout of adapters.

The random numbers are randomgen's Philox (number=4, width=32); the rest follows
the definition in the package's comment, in Python's integers.

    pip install randomgen==2.5.1
    python testdata/gen_dropout.py > testdata/dropout.json
"""

import json
import math
from fractions import Fraction

from randomgen import Philox

WORD = 2**64 - 1


def philox(counter, key):
    """The block of four outputs for a counter; randomgen steps it before use."""
    c = sum(x << (32 * i) for i, x in enumerate(counter))
    k = sum(x << (32 * i) for i, x in enumerate(key))
    source = Philox(counter=(c - 1) % 2**128, key=k, number=4, width=32)
    return [int(x) for x in source.random_raw(4)]


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 & WORD
    return h


def key(seed, step, module):
    g = 0x9E3779B97F4A7C15
    k = 0
    for z in (seed, step, fnv1a(module)):
        k = mix((k + z + g) & WORD)
    return [k % 2**32, k >> 32]


def row(k, sample, position, p, width):
    """Which columns are kept, as a string of 0 and 1."""
    threshold = math.floor(Fraction(p) * 2**32 + Fraction(1, 2))
    kept = ""
    for column in range(width):
        out = philox([sample % 2**32, position, column // 4, 0], k)[column % 4]
        kept += "1" if out >= threshold else "0"
    return kept


blocks = [
    ([0] * 4, [0] * 2),
    ([2**32 - 1] * 4, [2**32 - 1] * 2),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]),
    ([7, 11, 13, 0], [17, 19]),
]
keys = [
    (0, 1, "model.layers.0.self_attn.q_proj"),
    (7, 1, "model.layers.0.self_attn.q_proj"),
    (7, 2, "model.layers.0.self_attn.q_proj"),
    (7, 2, "model.layers.1.mlp.down_proj"),
    (2**64 - 1, 2**63, ""),
]
rows = [
    (keys[1], 0, 0, 0.05, 64),
    (keys[1], 3, 1999, 0.5, 61),
    (keys[2], 2**31 - 1, 12, 0.1, 33),
    (keys[3], -1, 5, 0.9, 40),
    (keys[3], 5, 5, 0.0, 6),
    (keys[3], 5, 6, 1 - 2**-53, 6),
]
print(
    json.dumps(
        {
            "blocks": [{"counter": c, "key": k, "outputs": philox(c, k)} for c, k in blocks],
            "keys": [{"seed": str(s), "step": str(t), "module": m, "key": key(s, t, m)} for s, t, m in keys],
            "rows": [
                {"key": key(*k), "sample": s, "position": t, "p": p, "kept": row(key(*k), s, t, p, w)}
                for k, s, t, p, w in rows
            ],
        },
        indent=1,
    )
)
