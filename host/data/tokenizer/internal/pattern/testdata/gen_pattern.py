"""Write pattern.json: how the tokenizers library (Oniguruma) splits
pseudo-random texts with many patterns, for pattern_test.go.

Run:      python testdata/gen_pattern.py    (some seconds)
Packages: tokenizers==0.23.3
"""

import hashlib
import json
import pathlib

from tokenizers import Regex, pre_tokenizers

# Lists of pieces that texts are made of; pattern_test.go reads them from
# pattern.json.
POOLS = [
    list("abcdefghijklmnopqrstuvwxyz"),
    list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    list("0123456789"),
    [" "], [" "], [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", "\t\t", "\v", "\f"],
    list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "'Ll", "'\u017f", "'\u212a", "''", "'", "'r", "'v", "'l"],
    ["\u00a0", "\u0085", "\u2028", "\u2029", "\u3000", "\u2003", "\u200b", "\u1680", "\ufeff", "\u202f"],
    ["\u00e9", "\u00df", "\u00c4", "\u017f", "\u01c5", "\u0130", "\u0131", "\u1e9e", "\ufb03"],
    ["\u0301", "\u0308", "\u0323", "\u20dd", "\u0345"],
    ["\u0436", "\u0416", "\u0434\u0430", "\u03b1", "\u03a3", "\u03c2", "\u0561"],
    ["\u05e9\u05c1", "\u05dc", "\u0645\u064f", "\u0627", "\u0661", "\u06f5", "\u061f"],
    ["\u0915\u094d\u0937", "\u093f", "\u0967", "\u0e01\u0e33", "\u0e51", "\u0e40", "\u0f66"],
    ["\u4e2d", "\u6587", "\u3042", "\u30ab", "\u30fc", "\u3001", "\u3002", "\u3007", "\uff11", "\uff21", "\uff41"],
    ["\uac00", "\u1112\u1161\u11ab", "\u3131"],
    ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3"],
    ["\u00b2", "\u00bd", "\u2167", "\u2460", "\u3220", "\u0bf0", "\U0001d7d8", "\U00016b50"],
    ["\u20ac", "\u00a3", "\u2211", "\u00ac", "\u02c6", "\u0385", "\u2603", "\u00ab", "\u2014", "\u203f", "\u00bf"],
    ["\x00", "\x01", "\x1b", "\x7f", "\u0600", "\u00ad", "\u2060", "\ue000", "\U000f0000", "\uffff", "\u0378"],
    # Assigned after Unicode 15: letters, digits, marks of Garay and others.
    ["\U00010d50", "\U00010d70", "\U00010d40", "\U00010d69", "\u1c89", "\ua7cb", "\U00011bc0", "\U0001cc00",
     "\U0001ccf3", "\U0002ebf0", "\U00011de1", "\u0897"],
    ["\U00010400", "\U00010428", "\U0001d400", "\U00020000", "\U00012400", "\u02b0", "\u16ee"],
    ["if (x == 1) {\n\treturn foo_bar2;\n}\n", "http://a.b/c?d=1&e", "def f(x):\n    pass\n", "/**\n * x\n */\r\n"],
]

PATTERNS = {
    "GPT2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "Llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "Qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "GPT4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "Tekken": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    # No scanner of our own: DeepSeek, GLM 4, Falcon, Bloom, StarCoder 2 and such.
    "digits": r"\p{N}{1,3}",
    "DeepSeek V3 CJK": "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "DeepSeek V3 words": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    "GLM 4": r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "cl100k possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "Qwen marks": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "Bloom": " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
    "Falcon digits": r"[0-9][0-9][0-9]",
    "groups of three from the right": r"\d{1,3}(?=(?:\d{3})*\b)",
    # Corners of the syntax.
    "anchors": r"^\s+|\s+$",
    "string ends": r"\A.|.\z|.\Z",
    "dot": r"b.",
    "dot all": r"(?m:b.)|(?m)c.",
    "word boundary": r"\b\w",
    "no word boundary": r"\B\w",
    "fold": r"(?i)WORD|s\p{Lu}|k[s-t]?|[^\Wa-m]|\u03c3",
    "negated property": r"\P{L}+|\p{^Lu}",
    "intersection": r"[\p{L}&&[^a-z\p{Lu}]]+",
    "nested class": r"[a-c[x-z\d]_]+",
    "posix": r"[[:digit:][:space:]]+|[[:^ascii:]]",
    "hex digits": r"\h+|\H",
    "class corners": r"[]a-c-]+|[\-\]\\^]",
    "escapes": r"\t|\x41|\u0416|\x{1F600}|\.|\n\r?|\e",
    "lookbehind": r"(?<=a|\d)\w+|(?<!\s)[.,]",
    "lazy": r"\w+?\d|\s{2,}?|a{0,2}?b",
    "atomic": r"(?>\p{L}+)\d|x*+y",
    "backreference": r"(\w)\1|(?:(a)|b)\s",
    "named": r"(?:one|two)|ab{2}|ab{2}c?|a{,2}c|a{b",
    "optional exactly": r"a{2}?b|(?:ab){2}+c",
    "empty matches": r"\d*|x*",
    "comment": r"a(?#a comment)b|c",
    "option inside": r"a(?i)b|c",
}


def texts():
    state = 7
    def draw():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return state >> 33
    for _ in range(4000):
        pieces = []
        for _ in range(1 + draw() % 24):
            pool = POOLS[draw() % len(POOLS)]
            for _ in range(1 + draw() % 4):
                pieces.append(pool[draw() % len(pool)])
        yield "".join(pieces)


def main():
    golden = {"pools": POOLS, "patterns": []}
    for name, expr in PATTERNS.items():
        splitter = pre_tokenizers.Split(Regex(expr), "isolated")
        h = hashlib.sha256()
        examples = []
        for i, text in enumerate(texts()):
            pieces = [p for p, _ in splitter.pre_tokenize_str(text)]
            h.update(("\0".join(pieces) + "\0\0").encode())
            if i < 3:
                examples.append(pieces)
        golden["patterns"].append({"name": name, "expr": expr, "sha256": h.hexdigest(), "examples": examples})
    path = pathlib.Path(__file__).with_name("pattern.json")
    path.write_text(json.dumps(golden, ensure_ascii=True, indent=None, separators=(",", ":"))
                    .replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
