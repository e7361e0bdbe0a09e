"""Make golden.json: what TRL's SFT trainer makes of rows, for golden_test.go.

Run:      python testdata/gen_golden.py
          trains small tokenizers and writes testdata/golden.json: tokenizers,
          chat templates, and for each case rows, settings, ids and labels.

          python testdata/gen_golden.py MODEL.gguf
          writes testdata/smollm2.json: the same of SmolLM2's tokenizer, which
          the test takes from the file that HONE_TEST_SMOLLM2 names.

Packages: trl==1.16.0, transformers==5.24.0, tokenizers==0.23.3, torch, gguf
"""

import json
import pathlib
import sys
import uuid

import datasets
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

HERE = pathlib.Path(__file__).parent
datasets.disable_progress_bars()
# Nothing is cached, so fingerprints need not be of anything; some versions of dill cannot pickle what they would be of.
datasets.fingerprint.Hasher.hash = classmethod(lambda cls, value: uuid.uuid4().hex[:16])

CHATML = """
{%- if tools %}<|im_start|>tools
{{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'assistant' %}<|im_start|>assistant
{% generation %}{{ message.content }}<|im_end|>
{% endgeneration %}
{%- else %}<|im_start|>{{ message.role }}
{{ message.content }}{{ suffix | default('') }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

# A template that begins with the token that the tokenizer would put there, and
# whose turns begin and end within words.
BRACKETS = """{{ bos_token }}
{%- for message in messages %}
{%- if message.role == 'assistant' %}{% generation %}{{ message.content }}{% endgeneration %}{{ eos_token }}
{%- else %}[{{ message.role }}] {{ message.content }} [/{{ message.role }}]{% endif %}
{%- endfor %}"""

TEMPLATES = {"chatml": CHATML, "brackets": BRACKETS}

CORPUS = """How long do I boil an egg? Boil it for eight minutes and cool it in cold water. What is the capital of
France? The capital of France is Paris. Tell me a story about a small boat that sailed around the world in three
years. user assistant system Good morning! I'm sorry, I don't know that yet. 1 2 3 10 1984 It's the user's question,
isn't it? Zürich, naïve, café. def f(x):\n    return x + 1\n 你好，世界。 Привет, мир! 🙂 👩‍🚀"""


def small(post):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>"])
    t.train_from_iterator([CORPUS], trainer)
    if post:
        t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="<|im_end|>", pad_token="<|endoftext|>")


def message(role, content):
    return {"role": role, "content": content}


def user(content):
    return message("user", content)


def assistant(content):
    return message("assistant", content)


TEXTS = [{"text": t} for t in [
    "The capital of France is Paris.", "a", " leading and trailing ", "An end of its own.<|im_end|>",
    "Two\nlines\n", "你好 🙂 and 👩‍🚀", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n"]]

PAIRS = [{"prompt": p, "completion": c} for p, c in [
    ("How long do I boil an egg?", " Eight minutes."), ("How long do I boil an egg? ", "Eight minutes."),
    ("", "No prompt at all."), ("Café:", "é"), ("1", "984"), ("user", "'s question"), ("a\n", "\nb"),
    ("Hi", " Ho<|im_end|>"), ("你", "好🙂"), ("x<|im_end|>", "y")]]

CHATS = [{"messages": m} for m in [
    [user("How long do I boil an egg?"), assistant("Eight minutes.")],
    [message("system", "Be brief."), user("Hi"), assistant("Ho"), user("And 🙂?"), assistant("Café 👩‍🚀")],
    [assistant("I begin."), user("Why?"), assistant("")],
    [user("<|im_end|> in a text"), assistant("It <|im_start|>counts.")],
    [user("a"), user("b"), assistant("c"), assistant("d"), user("e")],
    [user("  spaces "), assistant("\n\nlines  \n")]]]

CHAT_PAIRS = [{"prompt": p, "completion": c} for p, c in [
    ([user("How long do I boil an egg?")], [assistant("Eight minutes.")]),
    ([message("system", "Be brief."), user("Hi"), assistant("Ho"), user("And?")], [assistant("Well.")]),
    ([user("Hi")], [assistant("Ho"), user("And?"), assistant("Well.")])]]

TOOLS = json.dumps([{"type": "function", "function": {"name": "clock", "description": "Tells the time.", "parameters": {}}}])


def cases():
    """name, rows, chat template, loss, TRL's settings, and settings of hone's beside loss."""
    both = dict(assistant_only_loss=True, completion_only_loss=False)
    every = dict(completion_only_loss=False)
    for tokenizer in ("plain", "bos"):
        yield tokenizer, "texts", TEXTS, None, "auto", {}, {}
        yield tokenizer, "prompt and completion", PAIRS, None, "auto", {}, {}
        yield tokenizer, "prompt and completion, all", PAIRS, None, "all", every, {}
    for template in TEMPLATES:
        yield "bos", "assistant, " + template, CHATS, template, "assistant", dict(assistant_only_loss=True), {}
        yield "bos", "all, " + template, CHATS, template, "all", {}, {}
        yield "plain", "pairs, " + template, CHAT_PAIRS, template, "auto", {}, {}
        yield "plain", "pairs, assistant, " + template, CHAT_PAIRS, template, "assistant", both, {}
        yield "plain", "pairs, all, " + template, CHAT_PAIRS, template, "all", every, {}
    yield "plain", "tools", [dict(r, tools=TOOLS) for r in CHATS], "chatml", "assistant", dict(assistant_only_loss=True), {}
    yield ("plain", "variables", [dict(r, chat_template_kwargs={"suffix": " (softly)"}) for r in CHATS[:2]], "chatml", "assistant",
           dict(assistant_only_loss=True), {})
    for length in (6, 12, 30, 60):
        yield "plain", f"texts of {length}", TEXTS, None, "auto", dict(max_length=length), {"max_length": length}
        yield "bos", f"pairs of {length}", PAIRS, None, "auto", dict(max_length=length), {"max_length": length}
        if length < 30:
            continue
        yield ("plain", f"chats of {length}", CHATS, "chatml", "assistant", dict(assistant_only_loss=True, max_length=length),
               {"max_length": length})


def smollm2_cases(template):
    marked = template.replace(
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}",
        "{{'<|im_start|>' + message['role'] + '\n'}}{% if message['role'] == 'assistant' %}{% generation %}"
        "{{ message['content'] + '<|im_end|>' + '\n'}}{% endgeneration %}{% else %}"
        "{{ message['content'] + '<|im_end|>' + '\n'}}{% endif %}")
    assert "generation" in marked, template
    TEMPLATES.clear()
    TEMPLATES.update(own=template, marked=marked)
    yield "smollm2", "texts", TEXTS, None, "auto", {}, {}
    yield "smollm2", "prompt and completion", PAIRS, None, "auto", {}, {}
    yield "smollm2", "assistant", CHATS, "marked", "assistant", dict(assistant_only_loss=True), {}
    yield "smollm2", "all", CHATS, "own", "all", {}, {}
    yield "smollm2", "pairs", CHAT_PAIRS, "own", "auto", {}, {}


def prepare(tokenizer, rows, template, settings):
    if template:
        tokenizer.chat_template = TEMPLATES[template]
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                         num_attention_heads=1, num_key_value_heads=1))
    args = SFTConfig(output_dir="/tmp/sft", report_to=[], use_cpu=True, bf16=False, **{"max_length": None, **settings})
    trainer = SFTTrainer(model=model, args=args, processing_class=tokenizer, train_dataset=datasets.Dataset.from_list(rows))
    return [{"ids": row["input_ids"], "learned": [int(x != -100) for x in row["labels"]]} for row in trainer.train_dataset]


def main():
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        path = pathlib.Path(sys.argv[1])
        tokenizers = {"smollm2": AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)}
        listed, out, kept = smollm2_cases(tokenizers["smollm2"].chat_template), HERE / "smollm2.json", {}
    else:
        tokenizers = {"plain": small(False), "bos": small(True)}
        listed, out = cases(), HERE / "golden.json"
        kept = {name: json.loads(t.backend_tokenizer.to_str()) for name, t in tokenizers.items()}
    results = []
    for name, title, rows, template, loss, settings, own in listed:
        t = tokenizers[name]
        results.append({"name": f"{title} ({name})", "tokenizer": name, "template": template, "loss": loss, **own,
                        "rows": rows, "want": prepare(t, rows, template, settings)})
        print(results[-1]["name"], len(results[-1]["want"]))
    special = {name: {"bos": t.bos_token, "eos": t.eos_token} for name, t in tokenizers.items()}
    text = json.dumps({"tokenizers": kept, "special": special, "templates": TEMPLATES, "cases": results},
                      ensure_ascii=False, separators=(",", ":"))
    out.write_text(text.replace('{"name"', '\n{"name"').replace(']},{"ids"', ']},\n{"ids"') + "\n")


if __name__ == "__main__":
    main()
