"""Write adamw.json: what torch.optim.AdamW, after clip_grad_norm_, makes of a parameter.

Run with `python testdata/gen_adamw.py` in the package's folder; needs torch.
"""

import json
import pathlib

import torch

torch.manual_seed(0)
cases = []
for weight_decay, max_norm, epsilon in [(0.0, 0.0, 1e-8), (0.1, 0.0, 1e-8), (0.1, 0.5, 1e-3)]:
    parameter = torch.nn.Parameter(torch.randn(6, dtype=torch.float32))
    optimizer = torch.optim.AdamW(
        [parameter], lr=1e-2, betas=(0.9, 0.98), eps=epsilon, weight_decay=weight_decay
    )
    case = {
        "weight_decay": weight_decay,
        "max_grad_norm": max_norm,
        "epsilon": epsilon,
        "start": parameter.tolist(),
        "steps": [],
    }
    for _ in range(5):
        gradient = torch.randn(6, dtype=torch.float32)
        parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([parameter], max_norm if max_norm > 0 else float("inf"))
        optimizer.step()
        case["steps"].append({"gradient": gradient.tolist(), "norm": norm.item(), "parameter": parameter.tolist()})
    cases.append(case)
path = pathlib.Path(__file__).with_name("adamw.json")
path.write_text(json.dumps(cases, indent=1) + "\n")
