"""Load a tokenizer that hone wrote with tokenizers and transformers, and print
the ids that they give; python_test.go compares them.

Run:      python testdata/check_python.py FOLDER < texts.json
          FOLDER holds tokenizer.json and tokenizer_config.json.
Packages: tokenizers==0.23.3, transformers==5.*
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

from tokenizers import Tokenizer  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402


def main():
    folder = sys.argv[1]
    texts = json.load(sys.stdin)
    plain = Tokenizer.from_file(folder + "/tokenizer.json")
    auto = AutoTokenizer.from_pretrained(folder)
    json.dump({
        "tokenizers": [plain.encode(text).ids for text in texts],
        "transformers": [auto(text)["input_ids"] for text in texts],
        "class": type(auto).__name__,
        "special": [auto.bos_token, auto.eos_token, auto.pad_token, auto.unk_token],
        "template": auto.chat_template,
        "length": len(auto),
    }, sys.stdout)


if __name__ == "__main__":
    main()
