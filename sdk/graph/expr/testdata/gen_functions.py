"""Write functions.json: every function of the language at a few points, and its
slope there, by PyTorch in float64.

    pip install torch
    python testdata/gen_functions.py > testdata/functions.json
"""

import json

import torch
import torch.nn.functional as F

points = [-20.0, -3.5, -1.0, -0.25, 0.0, 1e-9, 0.3, 1.0, 2.75, 19.0]
positive = [1e-9, 0.25, 1.0, 2.5, 40.0]
functions = {
    "exp": (torch.exp, points),
    "log": (torch.log, positive),
    "log1p": (torch.log1p, positive),
    "expm1": (torch.expm1, points),
    "tanh": (torch.tanh, points),
    "sigmoid": (torch.sigmoid, points),
    "softplus": (lambda x: F.softplus(x, threshold=1e9), points),
    "erf": (torch.erf, points),
    "sqrt": (torch.sqrt, positive),
    "floor": (torch.floor, [x for x in points if x != round(x)]),
    "silu": (F.silu, points),
    "relu": (F.relu, points),
    "square": (torch.square, points),
    "gelu": (F.gelu, points),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), points),
}
out = {}
for name, (f, xs) in functions.items():
    x = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    y = f(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    out[name] = {"x": xs, "y": y.tolist(), "slope": slope.tolist()}
print(json.dumps(out, indent=1))
