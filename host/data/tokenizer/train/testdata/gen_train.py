"""Write train.json: what the tokenizers library trains on a corpus, and the ids
that the result gives, for train_test.go.

Run:      python testdata/gen_train.py
Packages: tokenizers==0.23.3
"""

import json
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "testdata"))
import texts as corpora  # noqa: E402

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIALS = ["<|begin|>", "<|end|>", "<pad>"]


def main():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    corpus = corpora.SENTENCES * 2 + corpora.texts(5, 120)
    t.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=900, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(s, special=True, normalized=False) for s in SPECIALS]))
    model = json.loads(t.to_str())["model"]
    inputs = corpora.texts(6, 40)
    (HERE / "train.json").write_text(json.dumps({
        "corpus": corpus, "special": SPECIALS, "vocab": model["vocab"], "merges": model["merges"],
        "texts": inputs, "ids": [t.encode(text).ids for text in inputs],
    }, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
