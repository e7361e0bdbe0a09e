package data

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/data/jinja"
)

// describe is a row in one line, for comparing.
func describe(t testing.TB, r *row) string {
	t.Helper()
	var out []string
	if r.text != "" {
		out = append(out, fmt.Sprintf("text %q", r.text))
	}
	if r.completion != "" {
		out = append(out, fmt.Sprintf("prompt %q completion %q", r.prompt, r.completion))
	}
	for i, m := range r.chat.Messages {
		if i == r.completionFrom {
			out = append(out, "|")
		}
		out = append(out, formatJSON(t, m))
	}
	if r.chat.Tools != nil {
		out = append(out, "tools "+formatJSON(t, r.chat.Tools))
	}
	if r.chat.Variables != nil {
		out = append(out, "variables "+formatJSON(t, r.chat.Variables))
	}
	if len(r.unused) > 0 {
		out = append(out, "unused "+strings.Join(r.unused, ","))
	}
	return strings.Join(out, " ")
}

func formatJSON(t testing.TB, v jinja.Value) string {
	t.Helper()
	s, err := jinja.FormatJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRowShapes(t *testing.T) {
	tests := []struct {
		name, row string
		chats     bool // the model has a chat template
		shape     Shape
		want      string
	}{
		{"text", `{"text": "Ahoy"}`, false, ShapeText, `text "Ahoy"`},
		{"escapes", `{"text": "\ud83d\ude42 \u00e9 \\ud83d"}`, false, ShapeText, `text "🙂 é \\ud83d"`},
		{"nulls are no values", `{"text": "a", "messages": null, "id": null}`, false, ShapeText, `text "a"`},
		{"unused keys", `{"text": "a", "source": 1, "id": "x"}`, false, ShapeText, `text "a" unused id,source`},
		{"the last of two keys counts", `{"text": "a", "text": "b"}`, false, ShapeText, `text "b"`},
		{"prompt and completion", `{"prompt": "p", "completion": "c", "id": 1}`, false, ShapePrompt,
			`prompt "p" completion "c" unused id`},
		{"empty prompt", `{"prompt": "", "completion": "c"}`, false, ShapePrompt, `prompt "" completion "c"`},
		{"prompt and completion of messages",
			`{"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]}`, false, ShapePrompt,
			`{"role": "user", "content": "q"} | {"role": "assistant", "content": "a"}`},
		{"messages", `{"messages": [{"content": "q", "role": "user", "name": "Ann"}, {"role": "assistant", "content": "a"}]}`, false, ShapeMessages,
			`{"content": "q", "role": "user", "name": "Ann"} {"role": "assistant", "content": "a"}`},
		{"messages win over prompt", `{"prompt": "p", "prompt_id": 1, "messages": [{"role": "user", "content": "q"}]}`, false, ShapeMessages,
			`{"role": "user", "content": "q"} unused prompt,prompt_id`},
		{"content in parts", `{"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]}`, false, ShapeMessages,
			`{"role": "user", "content": [{"type": "text", "text": "q"}]}`},
		{"a call without content", `{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"b": 1, "a": 2}]}]}`, false, ShapeMessages,
			`{"role": "assistant", "content": null, "tool_calls": [{"b": 1, "a": 2}]}`},
		{"tools and variables", `{"messages": [{"role": "user", "content": "q"}], "tools": [{"name": "z"}], "chat_template_kwargs": {"think": false}}`, false, ShapeMessages,
			`{"role": "user", "content": "q"} tools [{"name": "z"}] variables {"think": false}`},
		{"tools in a string", `{"messages": [{"role": "user", "content": "q"}], "tools": "[{\"name\": \"z\"}]"}`, false, ShapeMessages,
			`{"role": "user", "content": "q"} tools [{"name": "z"}]`},
		{"no tools", `{"messages": [{"role": "user", "content": "q"}], "tools": ""}`, false, ShapeMessages, `{"role": "user", "content": "q"}`},
		{"ShareGPT", `{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a", "weight": 0}], "system": "s", "id": 3}`, false, ShapeConversations,
			`{"role": "system", "content": "s"} {"role": "user", "content": "q"} {"role": "assistant", "content": "a", "weight": 0} unused id`},
		{"ShareGPT with its own system", `{"conversations": [{"from": "system", "value": "own"}, {"from": "Human", "value": "q"}], "system": "s"}`, false, ShapeConversations,
			`{"role": "system", "content": "own"} {"role": "user", "content": "q"}`},
		{"ShareGPT with roles", `{"conversations": [{"role": "user", "content": "q"}]}`, false, ShapeConversations,
			`{"role": "user", "content": "q"}`},
		{"ShareGPT with calls", `{"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"z\": 1, \"a\": 2}}"}, {"from": "observation", "value": "o"}]}`, false, ShapeConversations,
			`{"role": "user", "content": "q"} {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"z": 1, "a": 2}}}]} {"role": "tool", "content": "o"}`},
		{"ShareGPT with a call that is text", `{"conversations": [{"from": "function_call", "value": "f()"}]}`, false, ShapeConversations,
			`{"role": "assistant", "content": "f()"}`},
		{"Alpaca to a model that chats", `{"instruction": "Add.", "input": "1 2", "output": "3", "system": "s", "text": "all"}`, true, ShapeInstruction,
			`{"role": "system", "content": "s"} {"role": "user", "content": "Add.\n\n1 2"} | {"role": "assistant", "content": "3"} unused text`},
		{"Alpaca with a history", `{"instruction": "And?", "input": "", "output": "b", "history": [["q", "a"]]}`, true, ShapeInstruction,
			`{"role": "user", "content": "q"} {"role": "assistant", "content": "a"} {"role": "user", "content": "And?"} | {"role": "assistant", "content": "b"}`},
		{"Alpaca to a model that does not", `{"instruction": "Add.", "input": "1 2", "output": "3"}`, false, ShapeInstruction,
			fmt.Sprintf(`prompt %q completion "3"`, fmt.Sprintf(alpacaWithInput, "Add.", "1 2"))},
		{"Alpaca without input", `{"instruction": "Sing.", "output": "La"}`, false, ShapeInstruction,
			fmt.Sprintf(`prompt %q completion "La"`, fmt.Sprintf(alpacaWithoutInput, "Sing."))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, p := parseRow(rawRow{data: []byte(test.row)})
			if p == nil && r.instruction != nil {
				p = r.settleInstruction(test.chats)
			}
			if p != nil {
				t.Fatal(p)
			}
			if got := describe(t, r); got != test.want || r.shape != test.shape {
				t.Errorf("%s\ngot  %s\nwant %s", r.shape, got, test.want)
			}
		})
	}
}

func TestRowProblems(t *testing.T) {
	tests := []struct {
		name, row string
		kind      Kind
		message   string // a part of it, or of the hint
	}{
		{"no JSON", `hello`, Broken, `it begins with "hello"`},
		{"cut short", `{"text": "a`, Broken, "ends too early"},
		{"a comma too many", `{"text": "a",, "b": 1}`, Broken, "byte 14"},
		{"two rows in a line", `{"text": "a"} {"text": "b"}`, Broken, "byte 15"},
		{"not UTF-8", "{\"text\": \"a\xff\"}", Broken, "byte 11"},
		{"half a character", `{"text": "\ud83d!"}`, Broken, "half of a character"},
		{"the other half", `{"text": "a\udc00"}`, Broken, "half of a character"},
		{"deep", `{"messages": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, Broken, "levels deep"},
		{"deeper", strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), Broken, "depth"},
		{"a list", `[1]`, WrongType, "the row is a list; it must be an object"},
		{"a string", `"text"`, WrongType, "the row is a string"},
		{"nothing", `{}`, Empty, "without values"},
		{"nulls", `{"text": null}`, Empty, "without values"},
		{"other keys", `{"question": "q", "answer": "a"}`, UnknownShape, `keys "answer", "question"`},
		{"one key", `{"prompt": "q"}`, UnknownShape, `key "prompt": no shape`},
		{"known keys", `{"prompt": "q"}`, UnknownShape, "prompt and completion"},
		{"preferences", `{"prompt": "q", "chosen": "a", "rejected": "b"}`, UnknownShape, "another kind of training"},
		{"a number for text", `{"text": 3}`, WrongType, `"text" is a number; it must be a string`},
		{"empty text", `{"text": " \n"}`, Empty, `"text" is empty`},
		{"empty completion", `{"prompt": "q", "completion": ""}`, Empty, `"completion" is empty`},
		{"string and messages", `{"prompt": "q", "completion": [{"role": "assistant", "content": "a"}]}`, WrongType, "both be strings"},
		{"a number for a prompt", `{"prompt": 1, "completion": "a"}`, WrongType, `"prompt" is a number`},
		{"no list of messages", `{"messages": "hi"}`, WrongType, `"messages" is a string; it must be a list`},
		{"no messages", `{"messages": []}`, Empty, "empty list"},
		{"a message that is none", `{"messages": ["hi"]}`, WrongType, "messages: entry 1 is no object"},
		{"no role", `{"messages": [{"role": "user", "content": "a"}, {"content": "b"}]}`, WrongType, `message 2: it has no "role"`},
		{"ShareGPT's keys in messages", `{"messages": [{"from": "human", "value": "b"}]}`, WrongType, `under "conversations"`},
		{"a role that is none", `{"messages": [{"role": 1, "content": "b"}]}`, WrongType, `"role" must be a string`},
		{"no content", `{"messages": [{"role": "user"}]}`, WrongType, `it has no "content"`},
		{"null content", `{"messages": [{"role": "user", "content": null}]}`, WrongType, `it has no "content"`},
		{"a number for content", `{"messages": [{"role": "user", "content": 7}]}`, WrongType, `"content" must be a string`},
		{"an image", `{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}`, WrongType, `of type "image_url"`},
		{"empty messages", `{"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": " "}]}`, Empty, "all empty"},
		{"tools that are none", `{"messages": [{"role": "user", "content": "a"}], "tools": 3}`, WrongType, `"tools" must be a list`},
		{"tools in no JSON", `{"messages": [{"role": "user", "content": "a"}], "tools": "[x]"}`, WrongType, "no JSON"},
		{"a tool that is none", `{"messages": [{"role": "user", "content": "a"}], "tools": ["f"]}`, WrongType, "entry 1 is no object"},
		{"variables that are none", `{"messages": [{"role": "user", "content": "a"}], "chat_template_kwargs": []}`, WrongType, "must be an object"},
		{"an unknown speaker", `{"conversations": [{"from": "narrator", "value": "x"}]}`, WrongType, `"narrator"`},
		{"a speaker that is none", `{"conversations": [{"from": 1, "value": "x"}]}`, WrongType, `"from" must be a string`},
		{"no value", `{"conversations": [{"from": "gpt"}]}`, WrongType, `"value" must be a string`},
		{"no turn", `{"conversations": [{"x": "gpt"}]}`, WrongType, "neither"},
		{"empty output", `{"instruction": "q", "output": ""}`, Empty, `"output" is empty`},
		{"empty instruction", `{"instruction": "", "output": "a"}`, Empty, `"instruction" is empty`},
		{"a history that is none", `{"instruction": "q", "output": "a", "history": [["a"]]}`, WrongType, "list of pairs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, p := parseRow(rawRow{data: []byte(test.row)})
			if p == nil {
				t.Fatalf("no problem: %+v", r)
			}
			if p.Kind != test.kind || !strings.Contains(p.line(), test.message) {
				t.Errorf("%s: %s, want %s: …%s…", p.Kind, p.line(), test.kind, test.message)
			}
		})
	}
}

func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		`{"text": "a\ud83d\ude42"}`, `{"prompt": "p", "completion": "c"}`, `{"messages": [{"role": "user", "content": "q", "weight": 0}], "tools": "[]"}`,
		`{"conversations": [{"from": "function_call", "value": "[{\"name\": 1}]"}], "system": null}`,
		`{"instruction": "i", "input": "j", "output": "o", "history": [["q", "a"]]}`, `[{"text": "a"}, {"text": "b]"}]`, "{\"text\": \"\\u\xff\"}",
	} {
		for mode := range byte(12) {
			f.Add([]byte(seed), mode)
		}
	}
	template := newTemplate(f, "{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}", "<s>", "</s>")
	encoder := &Encoder{Tokenizer: smallTokenizer(f), EOS: 2, Template: template, Vocabulary: 420}
	losses := []Loss{LossAuto, LossAll, LossCompletion, LossAssistant}
	formats := []Format{FormatJSONLines, FormatJSON, FormatText}
	path := filepath.Join(f.TempDir(), "rows")
	f.Fuzz(func(t *testing.T, data []byte, mode byte) {
		if len(data) > 1<<16 {
			return
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		source := Source{Files: []string{path}, Loss: losses[mode%4], Format: formats[mode/4%3], Overlong: OverlongSplit, OnError: ErrorSkip}
		set, report, err := Load(t.Context(), Spec{MaxLength: 50, Workers: 1, Sources: []Source{source}}, encoder)
		if err != nil {
			return
		}
		if report.Failed() >= report.Rows || len(report.Shapes) > report.Rows {
			t.Errorf("%d rows, %d failed, shapes %v", report.Rows, report.Failed(), report.Shapes)
		}
		for _, doc := range set.Documents {
			if len(doc.IDs) == 0 || len(doc.IDs) > 50 || len(doc.IDs) != len(doc.Supervised) || doc.SupervisedTokens() == 0 {
				t.Fatalf("%s: %d tokens, %d learned", doc.Where, len(doc.IDs), doc.SupervisedTokens())
			}
		}
	})
}
