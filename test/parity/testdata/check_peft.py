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


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    answers = []
    for r in json.load(open(sys.argv[1])):
        auto = ref.auto_class(AutoConfig.from_pretrained(r["model"]))
        model, info = auto.from_pretrained(r["model"], dtype=torch.float32, output_loading_info=True, **ref.EAGER)
        assert not any(info.values()), f"{r['model']}: {info}"
        ref.fix_length(model.eval(), r["max_length"])
        if r["adapter"]:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", FutureWarning)  # of PEFT's own calls, not of the adapter
                model = PeftModel.from_pretrained(model, r["adapter"]).eval()
        answers.append(log_probs(model, r["documents"]))
    json.dump(answers, open(sys.argv[2], "w"))


if __name__ == "__main__":
    main()
