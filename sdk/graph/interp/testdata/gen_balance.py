"""Write balance.json: balancing losses of routes by PyTorch, in float64.

For routes of three kinds and three documents: the experts chosen, each document's f,
P and L as arXiv:2412.19437 has them (equations 17 to 20), and the gradient by the
logits of the sum of all L, each times the weights of its document. Logits are not
stored: both sides fill them by the integer formula of gen_torch.py.

The last lines hold one document of one layer to transformers' own loss, which does not
divide by the number of experts chosen.

    pip install torch transformers
    python testdata/gen_balance.py > testdata/balance.json
"""

import json
import math

import torch
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

torch.set_default_dtype(torch.float64)

LENGTHS = [7, 1, 4]
WEIGHTS = [[0, 1, 1, 0.5, 0, 1, 2], [0], [0, 1, 0.25, 1]]
COEFFICIENT = 0.7


def fill(name, shape, size):
    seed = sum((i + 1) * b for i, b in enumerate(name.encode()))
    u = [((seed * 40503 + i * 2654435761) % 2**32) / 2**31 - 1 for i in range(math.prod(shape))]
    return torch.tensor([size * x for x in u]).reshape(shape)


def route(name, experts, k, sigmoid=False, groups=1, biased=False):
    logits = fill(name, (sum(LENGTHS), experts), 4.0).requires_grad_()
    scores = logits.sigmoid() if sigmoid else logits.softmax(-1)
    standing = scores.detach()
    if biased:
        standing = standing + fill(name + ".bias", (experts,), 0.5)
    if groups > 1:  # the better group of two, by its best two
        parts = standing.unflatten(-1, (groups, experts // groups))
        best = parts.topk(2, -1).values.sum(-1).argmax(-1, keepdim=True)
        standing = standing.masked_fill(torch.arange(experts)[None] // (experts // groups) != best, -torch.inf)
    chosen = standing.topk(k, -1).indices
    normal = scores / scores.sum(-1, keepdim=True)
    total, out = 0, {"f": [], "p": [], "loss": []}
    for at, weights in zip(torch.arange(sum(LENGTHS)).split(LENGTHS), WEIGHTS):
        f = torch.nn.functional.one_hot(chosen[at], experts).sum((0, 1)) * experts / (k * len(at))
        p = normal[at].mean(0)
        loss = COEFFICIENT * (f * p).sum()
        total = total + sum(weights) * loss
        out["f"].append(f.tolist())
        out["p"].append(p.tolist())
        out["loss"].append(loss.item())
    total.backward()
    if not sigmoid and not biased and groups == 1:
        rows = slice(0, LENGTHS[0])
        theirs = load_balancing_loss_func((logits[rows].detach(),), experts, k).item()
        assert math.isclose(theirs, k * out["loss"][0] / COEFFICIENT, rel_tol=1e-6), (theirs, out["loss"][0])
    return out | {"chosen": chosen.tolist(), "total": total.item(), "gradient": logits.grad.flatten().tolist()}


def rounded(x):
    """12 digits of each number suffice."""
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return x if isinstance(x, int) else float(f"{x:.12g}")


print(
    json.dumps(
        rounded(
            {
                "softmax": route("softmax", 5, 2),
                "after": route("after", 6, 3),
                "sigmoid": route("sigmoid", 8, 2, sigmoid=True, groups=2, biased=True),
            }
        )
    )
)
