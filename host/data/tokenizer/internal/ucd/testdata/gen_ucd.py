"""Write ucd.json: digests of what the tokenizers library answers about every
code point, and normalised texts, for ucd_test.go.

Run:      python testdata/gen_ucd.py    (about half a minute)
Packages: tokenizers==0.23.3
"""

import hashlib
import json
import pathlib

from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def digest(members):
    bits = bytes(49 if c in members else 48 for c in CODE_POINTS)
    return hashlib.sha256(bits).hexdigest()


def kept_out(splitter):
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        text = "".join(map(chr, CODE_POINTS[i:i + 4096]))
        rest = "".join(word for word, _ in splitter.pre_tokenize_str(text))
        found |= set(text) - set(rest)
    return {ord(c) for c in found}


def matched(expr):
    return digest(kept_out(pre_tokenizers.Split(Regex(expr), "removed")))


def split_from(splitter, before):
    return digest({c for c in CODE_POINTS if len(splitter.pre_tokenize_str(before + chr(c))) == 2})


def texts():
    """Pseudo-random texts rich in marks, jamo and composites; ucd_test.go
    makes the same ones."""
    pools = [(0x41, 26), (0xC0, 0x180), (0x300, 0x70), (0x1100, 0x100), (0xAC00, 11172),
             (0x900, 0x80), (0x9C0, 0x20), (0xB40, 0x20), (0x1E00, 0x200), (0x302A, 6), (0x3040, 0xC0),
             (0xF900, 0x100), (0xFB1D, 0x30), (0x110A0, 0x40), (0x1D15E, 0x20), (0x2F800, 0x21E),
             (0x7F0, 0x10), (0x591, 0x30), (0x610, 0x60), (0x1AB0, 0x20), (0x1DC0, 0x40), (0x20D0, 0x20),
             (0x20, 1), (0x11930, 0x10), (0xE000, 1), (0xF70, 0x20)]
    state = 1
    for _ in range(20000):
        chars = []
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        for _ in range(1 + (state >> 40) % 9):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            first, count = pools[(state >> 33) % len(pools)]
            chars.append(chr(first + (state >> 45) % count))
        yield "".join(chars)


def normalised(form, inputs):
    h = hashlib.sha256()
    for text in inputs:
        h.update(form.normalize_str(text).encode() + b"\n")
    return h.hexdigest()


def main():
    whole = pre_tokenizers.Whitespace()
    space = kept_out(pre_tokenizers.WhitespaceSplit())
    golden = {
        "category": {name: matched(r"\p{%s}" % name) for name in (
            "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po "
            "S Sm Sc Sk So Z Zs Zl Zp C Cn Cc Cf Co").split()},
        "Space": matched(r"\s"),
        "Word": matched(r"[\w]"),
        "IsSpace": digest(space),
        "IsNumeric": split_from(pre_tokenizers.Digits(False), "!"),
        "IsWord": digest({c for c in CODE_POINTS if c not in space
                          and len(whole.pre_tokenize_str("a" + chr(c))) == 1}),
        "IsPunctuation": split_from(pre_tokenizers.Punctuation("isolated"), "a"),
    }
    for name, form in (("NFC", normalizers.NFC()), ("NFD", normalizers.NFD())):
        golden[name] = {
            "code points": normalised(form, map(chr, CODE_POINTS)),
            "texts": normalised(form, texts()),
            "examples": [[t, form.normalize_str(t)] for t in list(texts())[:40]],
        }
    path = pathlib.Path(__file__).with_name("ucd.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
