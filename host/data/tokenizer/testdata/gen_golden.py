"""Make the golden files of golden_test.go with the Python tokenizers library.

Run:      python testdata/gen_golden.py
          trains a small tokenizer for each kind of pipeline and writes
          testdata/golden/NAME.json (the tokenizer.json and digests of what it
          gives on common texts) and testdata/golden/texts.json.

          python testdata/gen_golden.py DIR
          writes DIR/NAME/golden.jsonl for every DIR/NAME/tokenizer.json, with
          everything spelled out; the test reads them if HONE_TEST_TOKENIZERS
          is DIR. For real tokenizers, too large to be checked in.

          python testdata/gen_golden.py --gguf MODEL.gguf
          writes testdata/golden/smollm2.digests.json: what the tokenizer of the
          SmolLM2 GGUF file gives, laid out as the model's own tokenizer.json
          is. The test reads it if HONE_TEST_SMOLLM2 is the file.

          python testdata/gen_golden.py --small DIR
          writes the small tokenizers as DIR/NAME/tokenizer.json, to look at
          a difference in full.

Packages: tokenizers==0.23.3 (and gguf for --gguf)
"""

import hashlib
import json
import pathlib
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import texts as corpora  # noqa: E402

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = ["\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]

BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def special(content, **flags):
    return AddedToken(content, special=True, normalized=False, **flags)


def split(expr):
    return pre_tokenizers.Split(Regex(expr), "isolated")


def train(pre, *, normalizer=None, decoder=None, specials=(), added=(), size=420, alphabet=ALPHABET, **model):
    t = Tokenizer(models.BPE(**model))
    if normalizer is not None:
        t.normalizer = normalizer
    if pre is not None:
        t.pre_tokenizer = pre
    if decoder is not None:
        t.decoder = decoder
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(specials), initial_alphabet=alphabet,
                                  limit_alphabet=256 if size == 420 else 150,
                                  show_progress=False, max_token_length=24)
    t.train_from_iterator(corpora.corpus(), trainer)
    t.add_tokens(list(added))
    return t


def with_byte_tokens(t, **settings):
    """The same tokenizer with the 256 tokens of byte fallback."""
    j = json.loads(t.to_str())
    vocab = j["model"]["vocab"]
    for b in range(256):
        vocab[f"<0x{b:02X}>"] = len(vocab)
    j["model"].update(settings)
    return Tokenizer.from_str(json.dumps(j))


def small():
    """The small tokenizers by name."""
    byte_level = decoders.ByteLevel()
    chat = [special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")]

    yield "gpt2", train(pre_tokenizers.ByteLevel(add_prefix_space=False), decoder=byte_level,
                        specials=[special("<|endoftext|>")])

    t = train(pre_tokenizers.ByteLevel(add_prefix_space=True), decoder=byte_level,
              specials=[special("<s>"), special("</s>"), special("<pad>"), special("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=False)
    yield "roberta", t

    yield "smollm", train(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
                          decoder=byte_level, specials=chat, alphabet=[])

    t = train(pre_tokenizers.Sequence([split(LLAMA3), BYTE_LEVEL]), decoder=byte_level, ignore_merges=True,
              added=[special(s) for s in ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>")])
    bos = t.token_to_id("<|begin_of_text|>")
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)])])
    yield "llama3", t

    yield "qwen2", train(pre_tokenizers.Sequence([split(QWEN2), BYTE_LEVEL]), normalizer=normalizers.NFC(), decoder=byte_level,
                         added=[*chat, AddedToken("<tool_call>", normalized=False), AddedToken("</think>", normalized=False)])

    yield "gpt4o", train(pre_tokenizers.Sequence([split(GPT4O), BYTE_LEVEL]), decoder=byte_level, ignore_merges=True, added=chat)

    yield "deepseek3", train(pre_tokenizers.Sequence([*map(split, DEEPSEEK), BYTE_LEVEL]), decoder=byte_level,
                             normalizer=normalizers.Sequence([]), added=chat)

    # Byte-level characters are cut once more: Falcon does so.
    yield "falcon", train(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(False), split("[0-9][0-9][0-9]")]), decoder=byte_level, specials=[special("<|endoftext|>")])

    # Every flag of added tokens, with a normalizer that changes some of them.
    yield "flags", train(split(QWEN2), normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Replace("\uff42", "b")]),
                         decoder=decoders.Fuse(), unk_token="<unk>", fuse_unk=False, alphabet=[], size=330,
                         specials=[special("<unk>")],
                         added=[AddedToken("<s>", lstrip=True, rstrip=True, special=True, normalized=False),
                                AddedToken("</s>", rstrip=True, special=True, normalized=True),
                                AddedToken("word", single_word=True, normalized=False),
                                AddedToken("Cafe\u0301", normalized=True, special=True),
                                AddedToken("[X]", lstrip=True, normalized=True),
                                AddedToken("<begin>", normalized=True), AddedToken("<|", normalized=False), AddedToken("<|im_", normalized=False),
                                AddedToken("the", single_word=True, normalized=True, lstrip=True, special=True),
                                AddedToken(" ", rstrip=True, normalized=True, single_word=True)])

    # SentencePiece's ways: spaces as ▁, bytes for unknown characters.
    marks = [special(s) for s in ("<unk>", "<s>", "</s>")]
    legacy = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    pieces = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t = with_byte_tokens(train(None, normalizer=legacy, decoder=pieces, specials=marks, alphabet=[], size=330, unk_token="<unk>"),
                         byte_fallback=True, fuse_unk=True)
    t.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    yield "llama2", t

    t = with_byte_tokens(train(pre_tokenizers.Split(" ", "merged_with_previous"), normalizer=normalizers.Replace(" ", "\u2581"),
                               decoder=decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]),
                               specials=[special(s) for s in ("<pad>", "<eos>", "<bos>", "<unk>")], alphabet=[], size=330, unk_token="<unk>"),
                         byte_fallback=True, fuse_unk=True)
    t.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("\u2581\u2581", normalized=False), special("<end_of_turn>")])
    yield "gemma", t

    yield "metaspace", train(pre_tokenizers.Metaspace(prepend_scheme="first"), decoder=decoders.Metaspace(prepend_scheme="first"),
                             specials=marks, alphabet=[], size=330, unk_token="<unk>", fuse_unk=True)

    yield "metaspace_whole", train(pre_tokenizers.Metaspace(prepend_scheme="always", split=False), decoder=decoders.Metaspace(),
                                   specials=marks, alphabet=[], size=330, unk_token="<unk>", fuse_unk=False)

    # Words as a beginner's tutorial cuts them; no decoder.
    yield "whitespace", train(pre_tokenizers.Whitespace(), specials=[special("[UNK]"), special("[X]")], alphabet=[], size=330,
                              unk_token="[UNK]")

    yield "behaviors", train(pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[aeiou]+"), "merged_with_next"),
        pre_tokenizers.Split("t", "removed"), pre_tokenizers.Split(Regex(r"\p{Lu}"), "contiguous"),
        pre_tokenizers.Split(Regex("[^z]+"), "removed", invert=True)]), decoder=decoders.Fuse(), alphabet=[], size=330)


def smollm_from_gguf(path):
    """The tokenizer of a SmolLM2 GGUF file, put together by hand."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    read = lambda key: fields["tokenizer.ggml." + key].contents()
    assert (read("model"), read("pre")) == ("gpt2", "smollm") and not read("add_bos_token")
    tokens = read("tokens")
    t = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                             merges=[tuple(m.split(" ")) for m in read("merges")]))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([special(token) for token, kind in zip(tokens, read("token_type")) if kind == 3])
    return t


def byte_offsets(text, offsets):
    """The library's offsets count characters; ours count bytes."""
    at = [0]
    for char in text:
        at.append(at[-1] + len(char.encode()))
    return [[at[a], at[b]] for a, b in offsets]


def offsets_comparer(t):
    """Whether our offsets of a text are meant to be the library's. They differ
    where NFC changes it (the library leaves out the marks that a composite took
    in) and after characters that are no tokens (the library's then shift)."""
    nfc = "NFC" in str(t.normalizer)
    has_unknown = t.model.unk_token is not None
    byte_level = isinstance(t.decoder, decoders.ByteLevel)
    vocab = set(t.get_vocab())

    def compare(text):
        if nfc and normalizers.NFC().normalize_str(text) != text:
            return False
        return has_unknown or byte_level and all(
            c in vocab for w, _ in BYTE_LEVEL.pre_tokenize_str(text) for c in w)
    return compare


def results(t, text, compare):
    """What the tests compare, by name."""
    plain = t.encode(text, add_special_tokens=False)
    with_special = t.encode(text)
    t.encode_special_tokens = True
    as_text = t.encode(text, add_special_tokens=False)
    t.encode_special_tokens = False
    return {
        "ids": plain.ids,
        "special": with_special.ids,
        "as_text": as_text.ids,
        "offsets": byte_offsets(text, plain.offsets) if compare(text) else None,
        "decoded": t.decode(with_special.ids, skip_special_tokens=False),
        "skipped": t.decode(with_special.ids, skip_special_tokens=True),
        "shuffled": t.decode(with_special.ids[::-1], skip_special_tokens=False),
    }


def without_trimming(t):
    """The same tokenizer, with offsets that keep white space."""
    j = json.loads(t.to_str())
    def keep(p):
        if p is None:
            return
        if "trim_offsets" in p:
            p["trim_offsets"] = False
        for q in p.get("processors", ()):
            keep(q)
    keep(j["post_processor"])
    j["truncation"] = j["padding"] = None
    return Tokenizer.from_str(json.dumps(j))


def digest(value):
    if value is None:
        return "-"
    if not isinstance(value, str):
        value = json.dumps(value, separators=(",", ":"))
    return hashlib.sha256(value.encode()).hexdigest()[:8]


def summary(t):
    """Ids of some common texts, and digests of all results of all of them."""
    compare = offsets_comparer(t)
    rows = [results(t, text, compare) for text in corpora.texts(1, 260)]
    return {
        "examples": [row["ids"] for row in rows[:24]],
        "digests": {key: " ".join(digest(row[key]) for row in rows) for key in rows[0]},
    }


def write(path, golden):
    path.write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")


def write_small(folder):
    folder.mkdir(exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(corpora.texts(1, 260), indent=0) + "\n")
    for name, t in small():
        t = without_trimming(t)
        write(folder / f"{name}.json", {**summary(t), "tokenizer": json.loads(t.to_str())})
        print(name, t.get_vocab_size())


def write_full(folder):
    for path in sorted(folder.glob("*/tokenizer.json")):
        t = without_trimming(Tokenizer.from_file(str(path)))
        compare = offsets_comparer(t)
        added = [token.content for token in t.get_added_tokens_decoder().values()][:200]
        with open(path.with_name("golden.jsonl"), "w") as out:
            for i, text in enumerate(corpora.texts(2, 4000)):
                if i % 3 == 2:  # its own special tokens among the text
                    text += added[i % len(added)] + corpora.SENTENCES[i % len(corpora.SENTENCES)] + added[i * 7 % len(added)] + text[:40]
                out.write(json.dumps({"text": text, **results(t, text, compare)}) + "\n")
        print(path.parent.name)


def main():
    here = pathlib.Path(__file__).parent
    if len(sys.argv) == 1:
        write_small(here / "golden")
    elif sys.argv[1] == "--gguf":
        write(here / "golden" / "smollm2.digests.json", summary(smollm_from_gguf(sys.argv[2])))
    elif sys.argv[1] == "--small":
        for name, t in small():
            folder = pathlib.Path(sys.argv[2]) / name
            folder.mkdir(parents=True, exist_ok=True)
            t.save(str(folder / "tokenizer.json"))
    else:
        write_full(pathlib.Path(sys.argv[1]))


if __name__ == "__main__":
    main()
