"""Write torch.json: logits, loss and gradients of four small models by PyTorch.

The models are written here once more, in plain PyTorch in float64, document by
document, with masks and without anything of hone. Parameters are not stored: both
sides fill them by the same integer formula (see fill).

    pip install torch
    python testdata/gen_torch.py > testdata/torch.json
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)

DOCUMENTS = [[1, 4, 2, 9, 0, 3, 7], [5], [8, 8, 6, 1]]
WEIGHTS = [[0, 1, 1, 0.5, 0, 1, 2], [0], [0, 1, 0.25, 1]]


class Params:
    """Parameters by name, made when they are first asked for."""

    def __init__(self):
        self.tensors = {}

    def __call__(self, name, *shape, mean=0.0, size=0.5):
        if name not in self.tensors:
            self.tensors[name] = fill(name, shape, mean, size).requires_grad_()
        assert tuple(self.tensors[name].shape) == shape, name
        return self.tensors[name]


def fill(name, shape, mean, size):
    """mean + size·u, u in [−1, 1) from a hash of the name and the index."""
    seed = sum((i + 1) * b for i, b in enumerate(name.encode()))
    n = math.prod(shape)
    u = [((seed * 40503 + i * 2654435761) % 2**32) / 2**31 - 1 for i in range(n)]
    return torch.tensor([mean + size * x for x in u]).reshape(shape)


def rms(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def layer_norm(x, weight, bias, eps):
    return F.layer_norm(x, x.shape[-1:], None, None, eps) * weight + bias


def angles(n, freq):
    """float32 products, as models compute them."""
    position = torch.arange(n, dtype=torch.float32)
    return (position[:, None] * torch.tensor(freq, dtype=torch.float32)[None]).double()


def rotate(x, freq, interleaved=False, factor=1.0):
    """x [n, heads, 2·len(freq)]."""
    a = angles(x.shape[0], freq)
    cos, sin = (a.cos() * factor)[:, None], (a.sin() * factor)[:, None]
    if interleaved:
        pairs = x.unflatten(-1, (-1, 2))
        first, second = pairs[..., 0], pairs[..., 1]
        return torch.stack([first * cos - second * sin, second * cos + first * sin], -1).flatten(-2)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def attend(q, k, v, scale, window=0, chunk=0, cap=0.0, sinks=None):
    """q [n, H, Dk], k [n, KV, Dk], v [n, KV, Dv]; gives [n, H·Dv]."""
    n, heads = q.shape[:2]
    k = k.repeat_interleave(heads // k.shape[1], 1)
    v = v.repeat_interleave(heads // v.shape[1], 1)
    scores = torch.einsum("ihd,jhd->hij", q, k) * scale
    if cap:
        scores = cap * torch.tanh(scores / cap)
    i, j = torch.arange(n)[:, None], torch.arange(n)[None]
    seen = j <= i
    if window:
        seen = seen & (j > i - window)
    if chunk:
        seen = seen & (i // chunk == j // chunk)
    scores = scores.masked_fill(~seen, -torch.inf)
    if sinks is not None:
        scores = torch.cat([scores, sinks[:, None, None].expand(heads, n, 1)], -1)
    p = scores.softmax(-1)[..., :n]
    return torch.einsum("hij,jhd->ihd", p, v).flatten(1)


FREQ = [1.0, 0.25]


def llama(ids, p):
    """GQA, biases on q, k, v, a low-rank adapter with rsLoRA on q and down."""
    hidden, heads, kv, width, inner, vocab, rank, alpha = 6, 4, 2, 4, 10, 11, 2, 3.0

    def linear(x, module, out, bias=False, adapted=False):
        y = x @ p(module + ".weight", out, x.shape[-1]).T
        if bias:
            y = y + p(module + ".bias", out)
        if adapted:
            a = p(f"base_model.model.{module}.lora_A.weight", rank, x.shape[-1])
            b = p(f"base_model.model.{module}.lora_B.weight", out, rank)
            y = y + alpha / math.sqrt(rank) * ((x @ a.T) @ b.T + p(f"base_model.model.{module}.lora_B.bias", out))
        return y

    x = p("model.embed_tokens.weight", vocab, hidden)[ids]
    for i in range(2):
        at = f"model.layers.{i}."
        h = rms(x, p(at + "input_layernorm.weight", hidden, mean=1.0), 1e-5)
        q = linear(h, at + "self_attn.q_proj", heads * width, True, True).unflatten(-1, (heads, width))
        k = linear(h, at + "self_attn.k_proj", kv * width, True).unflatten(-1, (kv, width))
        v = linear(h, at + "self_attn.v_proj", kv * width, True).unflatten(-1, (kv, width))
        y = attend(rotate(q, FREQ), rotate(k, FREQ), v, width**-0.5)
        x = x + linear(y, at + "self_attn.o_proj", hidden)
        h = rms(x, p(at + "post_attention_layernorm.weight", hidden, mean=1.0), 1e-5)
        y = F.silu(linear(h, at + "mlp.gate_proj", inner)) * linear(h, at + "mlp.up_proj", inner)
        x = x + linear(y, at + "mlp.down_proj", hidden, False, True)
    return linear(rms(x, p("model.norm.weight", hidden, mean=1.0), 1e-5), "lm_head", vocab)


def gemma(ids, p):
    """1+w norms before and after, q and k normed, caps, a window on even layers, tied."""
    hidden, heads, kv, width, inner, vocab, eps = 6, 2, 1, 4, 8, 11, 1e-6
    table = p("model.embed_tokens.weight", vocab, hidden)
    x = table[ids] * math.sqrt(hidden)

    def norm(x, name):
        return rms(x, 1 + p(name + ".weight", x.shape[-1]), eps)

    def linear(x, name, out):
        return x @ p(name + ".weight", out, x.shape[-1]).T

    for i in range(2):
        at = f"model.layers.{i}."
        h = norm(x, at + "input_layernorm")
        q = norm(linear(h, at + "self_attn.q_proj", heads * width).unflatten(-1, (heads, width)), at + "self_attn.q_norm")
        k = norm(linear(h, at + "self_attn.k_proj", kv * width).unflatten(-1, (kv, width)), at + "self_attn.k_norm")
        v = linear(h, at + "self_attn.v_proj", kv * width).unflatten(-1, (kv, width))
        window = 3 if i % 2 == 0 else 0
        y = attend(rotate(q, FREQ), rotate(k, FREQ), v, 24**-0.5, window=window, cap=2.0)
        x = x + norm(linear(y, at + "self_attn.o_proj", hidden), at + "post_attention_layernorm")
        h = norm(x, at + "pre_feedforward_layernorm")
        y = F.gelu(linear(h, at + "mlp.gate_proj", inner), approximate="tanh") * linear(h, at + "mlp.up_proj", inner)
        x = x + norm(linear(y, at + "mlp.down_proj", hidden), at + "post_feedforward_layernorm")
    logits = norm(x, "model.norm") @ table.T
    return 5 * torch.tanh(logits / 5)


def odd(ids, p):
    """What the other two lack, in one model that nobody has."""
    hidden, vocab, n = 12, 11, len(ids)
    x = p("embed.weight", vocab, hidden)[ids]
    # A convolution of three taps: cross-correlation after padding on the left.
    w = p("conv.weight", hidden, 3)
    x = x + F.conv1d(F.pad(x.T, (2, 0)), w[:, None], p("conv.bias", hidden), groups=hidden).T
    # Layer norm of three groups of four columns, weights a column; and one a group.
    h = layer_norm(x.unflatten(-1, (3, 4)), p("ln.weight", hidden, mean=1.0).reshape(3, 4), p("ln.bias", hidden).reshape(3, 4), 1e-3)
    h = rms(h, p("rms.weight", 4, mean=1.0), 1e-3).flatten(-2)
    # A fused projection of two groups [q 4, q 4, k 4, v 3].
    fused = (h @ p("qkv.weight", 30, hidden).T + p("qkv.bias", 30)).unflatten(-1, (2, 15))
    q, k, v = fused[..., :8].reshape(n, 4, 4), fused[..., 8:12], fused[..., 12:]
    # Columns 1 and 2 of each head of q rotate, neighbours as pairs, by cos and sin
    # times 1.25; all of k, halves as pairs.
    q = torch.cat([q[..., :1], rotate(q[..., 1:3], [0.7], interleaved=True, factor=1.25), q[..., 3:]], -1)
    k = rotate(k, [0.9, 0.0])
    # Two tokens in a chunk of three, sinks, values narrower than keys.
    y = attend(q, k, v, 0.6, window=2, chunk=3, sinks=p("sinks", 4))
    # One head's rest shared by all: repeated before each of three groups.
    shared = h @ p("shared.weight", 2, hidden).T
    y = torch.cat([shared[:, None].expand(n, 3, 2), y.unflatten(-1, (3, 4))], -1).flatten(1)
    # A number a token, one a group, one a column, one in all, and the position.
    token, group = h @ p("token.weight", 1, hidden).T, h @ p("group.weight", 3, hidden).T
    position = torch.arange(n, dtype=torch.float64)[:, None]
    y = torch.where(y > 0, y * torch.sigmoid(token), torch.expm1(y)) + group.repeat_interleave(6, -1) * p("column", 18)
    y = y + p("single", 1) * torch.log1p(position)
    return y @ p("head.weight", vocab, 18).T


def top(x, k):
    """Indices of the k largest of each row."""
    return x.topk(k, -1).indices


def mixture(ids, p):
    """Four mixtures of experts: as Mixtral, DeepSeek-V3, gpt-oss and Llama 4 route."""
    hidden, inner, vocab, experts, n = 6, 5, 11, 4, len(ids)
    x = p("embed.weight", vocab, hidden)[ids]

    def mix(x, at, indices, weights, act, weigh_input=False, biased=False):
        """Σ w·down(act(gate_up(x))), expert by expert."""
        up, down = p(at + "gate_up_proj", experts, 2 * inner, hidden), p(at + "down_proj", experts, hidden, inner)
        y = torch.zeros_like(x)
        for t in range(n):
            for s in range(indices.shape[1]):
                e, w = indices[t, s], weights[t, s]
                h = up[e] @ (w * x[t] if weigh_input else x[t])
                if biased:
                    h = h + p(at + "gate_up_proj_bias", experts, 2 * inner)[e]
                h = down[e] @ act(h)
                if biased:
                    h = h + p(at + "down_proj_bias", experts, hidden)[e]
                y[t] = y[t] + (h if weigh_input else w * h)
        return y

    def router(x, i):
        return x @ p(f"layers.{i}.router.weight", experts, hidden).T

    def halves(h):
        return F.silu(h[:inner]) * h[inner:]

    def alternating(h):
        gate, up = h[::2].clamp(max=0.3), h[1::2].clamp(-0.2, 0.2)
        return (up + 1) * gate * torch.sigmoid(1.702 * gate)

    # Softmax over all, the best two, normalised.
    scores = router(x, 0).softmax(-1)
    chosen = top(scores, 2)
    weights = scores.gather(1, chosen)
    x = x + mix(x, "layers.0.experts.", chosen, weights / weights.sum(-1, keepdim=True), halves)
    # Sigmoid; the choice by score and bias, in the better of two groups.
    scores = router(x, 1).sigmoid()
    standing = scores + p("layers.1.correction", experts).detach()
    group = top(standing.unflatten(-1, (2, 2)).sum(-1), 1)
    kept = torch.arange(experts)[None] // 2 == group
    chosen = top(standing.masked_fill(~kept, -torch.inf), 2)
    weights = scores.gather(1, chosen)
    x = x + mix(x, "layers.1.experts.", chosen, weights / (weights.sum(-1, keepdim=True) + 1e-3) * 2.5, halves)
    # The best three logits, softmax over these; biases.
    logits = router(x, 2)
    chosen = top(logits, 3)
    x = x + mix(x, "layers.2.experts.", chosen, logits.gather(1, chosen).softmax(-1), alternating, biased=True)
    # The best logit, its sigmoid scales what the expert takes.
    logits = router(x, 3)
    chosen = top(logits, 1)
    x = x + mix(x, "layers.3.experts.", chosen, logits.gather(1, chosen).sigmoid(), halves, weigh_input=True)
    return x @ p("head.weight", vocab, hidden).T


def result(model):
    p = Params()
    logits, loss = [], torch.zeros(())
    for ids, weights in zip(DOCUMENTS, WEIGHTS):
        out = model(torch.tensor(ids), p)
        logits.append(out)
        loss = loss - (torch.tensor(weights[1:]) * out[:-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]).sum()
    loss.backward()
    return {
        "loss": loss.item(),
        "logits": torch.cat(logits).flatten().tolist(),
        "gradients": {k: t.grad.flatten().tolist() for k, t in p.tensors.items() if t.grad is not None},
    }


def rounded(x):
    """12 digits of each number suffice."""
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return float(f"{x:.12g}")


print(json.dumps(rounded({"llama": result(llama), "gemma": result(gemma), "odd": result(odd), "mixture": result(mixture)})))
