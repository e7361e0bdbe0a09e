"""Loads models, and adapters that hone saved, every warning of PEFT an error, and
answers with the log-probabilities of documents. TestPEFT and TestMerged run it:

    python testdata/check_peft.py REQUEST.json ANSWER.json
"""

import json
import sys
import warnings

import torch
from peft import PeftModel
from transformers import AutoConfig
from transformers.utils import logging

from kit import reference as ref


def log_probs(model, documents):
    """The log-probability of each token after those before it; 0 for a document's
    first."""
    out = []
    for d in documents:
        rows = torch.log_softmax(ref.logits(model, [d]), dim=-1)
        out += [0.0] + [rows[t - 1, d[t]].item() for t in range(1, len(d))]
    return out


def load(folder):
    auto = ref.auto_class(AutoConfig.from_pretrained(folder))
    model, info = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **ref.EAGER)
    assert not any(info.values()), f"{folder}: {info}"
    return model.eval()


def with_adapter(model, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FutureWarning)  # of PEFT's own calls, not of the adapter
        return PeftModel.from_pretrained(model, folder).eval()


def check_merged(model, base, adapter):
    """The weights of a model that hone merged are those of PEFT's merge_and_unload."""
    want = with_adapter(load(base), adapter).merge_and_unload().state_dict()
    got = model.state_dict()
    assert got.keys() == want.keys(), f"{adapter}: {got.keys() ^ want.keys()}"
    for name, w in want.items():
        far = (got[name] - w).norm() / w.norm().clamp(min=1e-30)
        assert far <= 1e-6, f"{adapter}: {name} differs by {far:.1e} from what PEFT merges"


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    answers = []
    for r in json.load(open(sys.argv[1])):
        model = load(r["model"])
        ref.fix_length(model, r["max_length"])
        if r["merged"]:
            check_merged(model, r["base"], r["adapter"])
        elif r["adapter"]:
            model = with_adapter(model, r["adapter"])
        answers.append(log_probs(model, r["documents"]))
    json.dump(answers, open(sys.argv[2], "w"))


if __name__ == "__main__":
    main()
