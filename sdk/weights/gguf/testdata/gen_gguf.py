"""Writes what the tests of package gguf read:

    python testdata/gen_gguf.py        (needs: gguf, numpy; run in the package's folder)

all.gguf            a value of every type, arrays of them, and tensors of several
                    types and shapes, by the Python package gguf
split-0000?-of-00003.gguf  five F32 tensors t0…t4 of 4 elements, two a file
"""

import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFValueType as V

here = pathlib.Path(__file__).parent

w = gguf.GGUFWriter(here / "all.gguf", "llama")
for name, value in [("UINT8", 200), ("INT8", -100), ("UINT16", 60000), ("INT16", -30000), ("UINT32", 4000000000),
                    ("INT32", -2000000000), ("UINT64", 1 << 63), ("INT64", -(1 << 62)), ("FLOAT32", 0.1), ("FLOAT64", 0.1),
                    ("BOOL", True), ("STRING", "h\u00e9llo")]:
    w.add_key_value("one." + name, value, V[name])
for name, values in [("UINT8", [1, 255]), ("INT8", [-1, 127]), ("UINT16", [1, 65535]), ("INT16", [-1]), ("UINT32", [7]),
                     ("INT32", [-7, 8]), ("UINT64", [9, 1 << 63]), ("INT64", [-9]), ("FLOAT32", [0.5, -0.25]), ("FLOAT64", [0.1]),
                     ("BOOL", [True, False]), ("STRING", ["a", "", "\u6f22 b"])]:
    w.add_key_value("many." + name, values, V.ARRAY, sub_type=V[name])
w.add_uint32("general.alignment", 64)
w.data_alignment = 64
rng = np.random.default_rng(3)
w.add_tensor("f32", np.arange(6, dtype=np.float32).reshape(2, 3))
w.add_tensor("f16", np.arange(3, dtype=np.float16))
w.add_tensor("bf16", rng.integers(0, 256, (2, 8), dtype=np.uint8), raw_dtype=T.BF16)
w.add_tensor("i32", np.arange(4, dtype=np.int32).reshape(1, 2, 2, 1))
w.add_tensor("q4_0", rng.integers(0, 256, (3, 36), dtype=np.uint8), raw_dtype=T.Q4_0)
w.add_tensor("q6_k", rng.integers(0, 256, (1, 210), dtype=np.uint8), raw_dtype=T.Q6_K)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()

w = gguf.GGUFWriter(here / "split.gguf", "llama", split_max_tensors=2)
w.add_uint32("llama.block_count", 2)
for i in range(5):
    w.add_tensor(f"t{i}", np.full(4, i, np.float32))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
