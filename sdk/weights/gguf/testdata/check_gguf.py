"""Reads the GGUF file named on the command line with the Python package gguf and
prints what is in it as JSON: keys with their type and value, tensors with type,
row-major shape and bytes in hexadecimal.

    python testdata/check_gguf.py FILE        (needs: gguf)

A test runs it on a file that hone wrote, with the interpreter in HONE_TEST_PYTHON.
"""

import json
import sys

from gguf import GGUFReader

reader = GGUFReader(sys.argv[1])
print(json.dumps({
    "keys": [[k, f.types[0].name, f.contents()] for k, f in reader.fields.items() if not k.startswith("GGUF.")],
    "tensors": [[t.name, t.tensor_type.name, [int(d) for d in reversed(t.shape)], t.data.tobytes().hex()] for t in reader.tensors],
}))
