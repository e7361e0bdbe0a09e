"""Texts that tokenizers are compared on, and trained on: many scripts, code,
white space, special tokens in the midst of text. Used by gen_golden.py and
gen_train.py; it writes nothing itself."""

import random

SENTENCES = [
    "The quick brown fox can't jump over the lazy dog's 1,234 bones, and they'll say it wasn't so.",
    "It's 9:45 a.m.; I'VE GOT 3.14159 reasons -- you're welcome! (See http://example.org/a?b=c&d=10#x)",
    "Tokenizers split words into pieces, and the pieces of one word are merged from the left.",
    "L'été dernier, nous avons mangé des crêpes à Nîmes ; où étiez-vous donc, cher ami ?",
    "Die Straße führt über die große Brücke, und „Fräulein Müller“ grüßt höflich zurück.",
    "El niño pequeño comió piñas en la montaña. ¿Cuántas? ¡Muchísimas!",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép.",
    "Быстрая лиса перепрыгнула через ленивую собаку в 2024 году. Съешь ещё этих мягких булок!",
    "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί· τι ώρα είναι;",
    "الثعلب البني السريع يقفز فوق الكلب الكسول. كَتَبَ الطالِبُ الدَّرْسَ ١٢٣٤ مرة؟",
    "השועל החום המהיר קופץ מעל הכלב העצלן. שָׁלוֹם לְכֻלָּם!",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है। संख्या १२३४५ है।",
    "দ্রুত বাদামী শিয়াল অলস কুকুরের উপর লাফ দেয়। আমি বাংলায় কথা বলি।",
    "வேகமான பழுப்பு நரி சோம்பேறி நாயின் மேல் குதிக்கிறது.",
    "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ ราคา ๑๒๓ บาท",
    "敏捷的棕色狐狸跳过了懒狗。今天天气很好，我们去公园散步吧！价格是３８元。",
    "素早い茶色の狐がのろまな犬を飛び越えた。カタカナとひらがな、ﾊﾝｶｸもある。",
    "빠른 갈색 여우가 게으른 개를 뛰어넘는다. 한국어 문장입니다!",
    "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng. Tiếng Việt có nhiều dấu.",
    "ქართული ენა, հայերեն լեզու, አማርኛ ቋንቋ, ភាសាខ្មែរ, မြန်မာဘာသာ, བོད་ཡིག",
    "def main(argv):\n    for i, x in enumerate(argv[1:]):\n        if x == 'a':\n\t\treturn x + \"\\n\"  # TODO\n\n",
    "#include <stdio.h>\r\nint main(void) { printf(\"%d\\n\", 0x7f + 1e-5); return 0; }\r\n",
    "SELECT * FROM users WHERE name LIKE '%O''Brien%' AND age >= 18;\n-- done\n",
    "{\"key\": [1, 2.5, null, true], \"nested\": {\"a\": \"b\"}}\n<div class=\"x\">&nbsp;</div>\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```go\nfunc f() error { return nil }\n```\n\n* item\n  - sub-item\n",
    "😀 👍🏽 👨‍👩‍👧‍👦 🇫🇷🇩🇪 ❤️ 1️⃣ ☃ ✓ → ∑ ∞ ≤ € £ ¥ © ® ™ … — – “quoted” ‘single’",
    "x² + y³ = z⁴, ½ cup, №5, Ⅻ, ①②③, ㈱, ﬁne ﬂow, ℃, Å",
    "Ｆｕｌｌ ｗｉｄｔｈ １２３, 𝐛𝐨𝐥𝐝 𝟙𝟚𝟛, 𐐀𐐨, 𠀀𠮷, ᚠᚢᚦ, ⠓⠑⠇⠇⠕",
]

SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<bos>", "<eos>", "<pad>",
    "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<start_of_turn>", "<end_of_turn>",
    "<tool_call>", "</think>", "<mask>", "[INST]", "[X]", "<0x0A>", "<0xE4>", "▁", "▁▁", "Ġ", "Ġthe", "<|", "|>", "<|im_",
    "word", "Cafe\u0301", "Café", "<ｂegin>",
]

SPACES = [" ", " ", " ", "  ", "   ", "    ", " " * 17, "\n", "\n", "\n\n", "\n\n\n\n", "\r\n", "\r", "\t", "\t\t", " \n ", "\n  \n",
          "\u00a0", "\u2003", "\u3000", "\u200b", "\u0085", "\u2028", "\ufeff", "\v", "\f", ""]

RANGES = [
    (0x20, 0x7E), (0x20, 0x7E), (0x00, 0x1F), (0x80, 0xFF), (0x100, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x531, 0x589), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x7C0, 0x7FF), (0x900, 0x97F),
    (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF),
    (0x1200, 0x137F), (0x1780, 0x17FF), (0x1C80, 0x1C8F), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F),
    (0x20A0, 0x20FF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x3000, 0x30FF), (0x3130, 0x318F),
    (0x3200, 0x32FF), (0x4E00, 0x9FFF), (0xA640, 0xA6FF), (0xA720, 0xA7FF), (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xF900, 0xFAFF),
    (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFE30, 0xFEFF), (0xFF00, 0xFFEF), (0x10400, 0x1044F), (0x10D40, 0x10D8F), (0x11BC0, 0x11BF9),
    (0x11DE0, 0x11DE9), (0x1CC00, 0x1CCF9), (0x16FF0, 0x16FF6), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F64F),
    (0x20000, 0x20100), (0x2EBF0, 0x2EC00), (0xE0100, 0xE01EF), (0x10FFF0, 0x10FFFF),
]


def part(rng):
    kind = rng.randrange(12)
    if kind < 3:
        words = rng.choice(SENTENCES).split(" ")
        at = rng.randrange(len(words))
        return " ".join(words[at:at + rng.randrange(1, 9)])
    if kind == 3:
        text = rng.choice(SENTENCES)
        at = rng.randrange(len(text))
        return text[at:at + rng.randrange(1, 12)]
    if kind == 4:
        return rng.choice(SPECIALS) * rng.choice((1, 1, 1, 2))
    if kind in (5, 6):
        return rng.choice(SPACES) * rng.choice((1, 1, 2, 3))
    if kind in (7, 8):
        low, high = rng.choice(RANGES)
        return "".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 7)))
    if kind == 9:
        return "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 9)))
    if kind == 10:
        return rng.choice(("'s", "'T", "'re", "'VE", "'ll", "'\u017f", "'d", "n't", "--", "...", "!!", ").", "/", "/\n", "==", "\\\\"))
    return rng.choice("aeioutnsrhld\u0301\u0308\u0323éüñ中文あ가") * rng.choice((1, 1, 2, 3, 60))


def texts(seed, count):
    rng = random.Random(seed)
    out = ["", " ", "\n", "a", " a", "a ", "\u0301", "é", "e\u0301", "\x00", "<s>", " <s> "]
    while len(out) < count:
        joint = rng.choice(("", "", " "))
        out.append(joint.join(part(rng) for _ in range(rng.randrange(1, 14))))
    return out


def corpus():
    return SENTENCES * 3 + texts(99, 400)
