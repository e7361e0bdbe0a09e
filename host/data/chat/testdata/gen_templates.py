"""Prints what transformers renders of conversations.json with every chat template
(*.jinja) below the folders given, one JSON object a line.

Run: python testdata/gen_templates.py FOLDER...     (needs transformers 5, jinja2 3.1)

Made into templates.json, for the templates in this folder, with

    python testdata/gen_templates.py templates > testdata/templates.json

(from testdata's parent; paths are relative to testdata).
"""

import datetime
import json
import os
import sys

from transformers.utils import chat_template_utils


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 2, 5, 14, 3, 9)


chat_template_utils.datetime = Clock

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def render(source, conversation):
    """The answer of apply_chat_template, without its tokenizer."""
    try:
        messages = chat_template_utils._normalize_chat_messages(conversation["messages"])
        blocks = "generation" in source
        texts, spans = chat_template_utils.render_jinja_template(
            conversations=[messages],
            tools=conversation.get("tools"),
            documents=conversation.get("documents"),
            chat_template=source,
            return_assistant_tokens_mask=blocks and not conversation.get("continue"),
            continue_final_message=conversation.get("continue", False),
            add_generation_prompt=conversation.get("prompt", False),
            **{**TOKENS, **(conversation.get("variables") or {})},
        )
        out = {"want": texts[0]}
        if spans and spans[0]:
            out["spans"] = spans[0]
        return out
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200].split("\n")[0]}


def main():
    with open(os.path.join(HERE, "conversations.json"), encoding="utf-8") as file:
        conversations = json.load(file)
    for folder in sys.argv[1:]:
        root = os.path.join(HERE, folder)
        names = [os.path.join(at, name) for at, _, names in os.walk(root) for name in names]
        for path in sorted(name for name in names if name.endswith(".jinja")):
            with open(path, encoding="utf-8") as file:
                source = file.read()
            for conversation in conversations:
                out = {"template": os.path.relpath(path, root), "conversation": conversation["name"]}
                print(json.dumps({**out, **render(source, conversation)}, ensure_ascii=False))


if __name__ == "__main__":
    main()
