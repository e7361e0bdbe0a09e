"""Write tables.go: Unicode properties as the Python tokenizers library has them.

The library mixes Unicode versions: its split patterns (Oniguruma), the digit
test (Rust's standard library), the word test of added tokens (the regex
crate) and its normal forms come from different crates. So the properties are
not taken from a Unicode database but asked of the library, code point by code
point. Only the values of canonical decompositions and combining classes come
from Python's unicodedata (they never change once assigned); whether the
library knows of them is asked again.

Run:      python gen_tables.py        (about a minute)
Packages: tokenizers==0.23.3          (Python 3.11 or newer)
"""

import pathlib
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# The order is the numbering in categories.go.
CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po "
              "Sm Sc Sk So Zs Zl Zp Cc Cf Co").split()
CONTROL_SPACE = len(CATEGORIES)  # controls that \s matches


def kept_out(splitter):
    """Code points that a splitter with behaviour "removed" takes out."""
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        text = "".join(map(chr, CODE_POINTS[i:i + 4096]))
        rest = "".join(word for word, _ in splitter.pre_tokenize_str(text))
        found |= set(text) - set(rest)
    return {ord(c) for c in found}


def pattern(expr):
    return kept_out(pre_tokenizers.Split(Regex(expr), "removed"))


def split_from(splitter, before):
    """Code points that the splitter separates from the character before."""
    return {c for c in CODE_POINTS
            if len(splitter.pre_tokenize_str(before + chr(c))) == 2}


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def category_runs():
    category = [0] * 0x110000
    for number, name in enumerate(CATEGORIES):
        if name == "Cn":
            continue
        for c in pattern(r"\p{%s}" % name):
            assert category[c] == 0, hex(c)
            category[c] = number
    space = pattern(r"\s")
    separators = {CATEGORIES.index(n) for n in ("Zs", "Zl", "Zp")}
    for c in space:
        if category[c] not in separators:
            assert CATEGORIES[category[c]] == "Cc", hex(c)
            category[c] = CONTROL_SPACE
    assert space == {c for c in CODE_POINTS if category[c] in separators | {CONTROL_SPACE}}
    runs = []
    for c in range(0x110000):
        if not runs or runs[-1][1] != category[c]:
            runs.append((c, category[c]))
    return runs, category


def canonical():
    """Combining classes, decompositions and compositions the library knows."""
    nfc, nfd = normalizers.NFC(), normalizers.NFD()
    classes, decompositions, composites = {}, {}, {}
    for c in CODE_POINTS:
        ccc = unicodedata.combining(chr(c))
        if ccc:
            # U+0345 has class 240 and U+0334 class 1: a known mark of another
            # class changes places with one of them.
            probe = "a\u0345" + chr(c) if ccc < 240 else "a" + chr(c) + "\u0334"
            if nfd.normalize_str(probe) != probe or c in (0x345, 0x334):
                classes[c] = ccc
        if 0xAC00 <= c <= 0xD7A3:
            continue  # Hangul syllables are computed
        full = nfd.normalize_str(chr(c))
        if full != chr(c):
            assert full == unicodedata.normalize("NFD", chr(c)), hex(c)
            decompositions[c] = full
            if nfc.normalize_str(full) == chr(c):
                pair = [int(x, 16) for x in unicodedata.decomposition(chr(c)).split()]
                assert len(pair) == 2, hex(c)
                composites[c] = pair
    return classes, decompositions, composites


def literal(values, per_line):
    lines = []
    for i in range(0, len(values), per_line):
        lines.append("\t" + " ".join(v + "," for v in values[i:i + per_line]))
    return "\n".join(lines)


def escaped(text):
    return '"' + "".join("\\u%04x" % ord(x) if ord(x) < 0x10000 else "\\U%08x" % ord(x)
                         for x in text) + '"'


def range_literal(points):
    return literal(["{0x%X, 0x%X}" % (a, b) for a, b in ranges(points)], 6)


def main():
    runs, category = category_runs()
    number = {c for c in CODE_POINTS
              if category[c] < CONTROL_SPACE and CATEGORIES[category[c]][0] == "N"}
    digits = split_from(pre_tokenizers.Digits(False), "!")
    assert number <= digits
    whitespace = kept_out(pre_tokenizers.WhitespaceSplit())
    assert whitespace == pattern(r"\s")
    whole = pre_tokenizers.Whitespace()
    word = {c for c in CODE_POINTS if c not in whitespace
            and len(whole.pre_tokenize_str("a" + chr(c))) == 1}
    punctuation = split_from(pre_tokenizers.Punctuation("isolated"), "a")
    classes, decompositions, composites = canonical()

    class_runs = []
    for c in sorted(classes):
        if class_runs and class_runs[-1][1] == c - 1 and class_runs[-1][2] == classes[c]:
            class_runs[-1][1] = c
        else:
            class_runs.append([c, c, classes[c]])

    out = f"""// Code generated by gen_tables.py from tokenizers {tokenizers.__version__}; DO NOT EDIT.

package ucd

// categoryRuns holds start<<8 | category of every run of code points of one
// general category.
var categoryRuns = [...]uint32{{
{literal(["0x%X" % (c << 8 | k) for c, k in runs], 10)}
}}

// numericExtra is what the digit test knows beyond the categories.
var numericExtra = [...]span{{
{range_literal(digits - number)}
}}

// wordRanges is what \\w of the regex crate matches.
var wordRanges = [...]span{{
{range_literal(word)}
}}

// punctuationRanges is what the Punctuation pre-tokenizer matches.
var punctuationRanges = [...]span{{
{range_literal(punctuation)}
}}

// combiningClasses holds first, last and canonical combining class.
var combiningClasses = [...]classRun{{
{literal(["{0x%X, 0x%X, %d}" % tuple(r) for r in class_runs], 6)}
}}

// decompositions holds full canonical decompositions, without Hangul.
var decompositions = [...]decomposition{{
{literal(["{0x%X, %s}" % (c, escaped(full)) for c, full in sorted(decompositions.items())], 4)}
}}

// compositions holds first, second and their primary composite.
var compositions = [...][3]rune{{
{literal(["{0x%X, 0x%X, 0x%X}" % (a, b, c) for c, (a, b) in sorted(composites.items())], 4)}
}}
"""
    pathlib.Path(__file__).with_name("tables.go").write_text(out, encoding="utf-8")


if __name__ == "__main__":
    main()
