package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/tokenizer"
	"github.com/honeml/hone/sdk/fault"
)

// smallTokenizer is the one of golden.json that adds nothing to a text: 420
// byte-level tokens, of which <|im_end|> has the id 2.
func smallTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Tokenizers map[string]json.RawMessage }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(golden.Tokenizers["plain"])
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

const testChatML = `{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>
{% endgeneration %}{% else %}{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

func testEncoder(t testing.TB) *Encoder {
	t.Helper()
	return &Encoder{Tokenizer: smallTokenizer(t), EOS: 2, Template: newTemplate(t, testChatML, "<s>", "<|im_end|>"), Vocabulary: 420}
}

// load loads one source with its rows in files given as name and content.
func load(t *testing.T, encoder *Encoder, maxLength int, source Source, files ...string) (*Dataset, *Report, error) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		source.Files = append(source.Files, writeFile(t, files[i], []byte(files[i+1])))
	}
	return Load(t.Context(), Spec{Sources: []Source{source}, MaxLength: maxLength}, encoder)
}

// learnedText is a document's text with what is learned in brackets.
func learnedMarks(t *testing.T, tok Tokenizer, doc *Document) string {
	t.Helper()
	var out strings.Builder
	v := View{Tokenizer: tok.(*tokenizer.Tokenizer)}
	if err := v.writeText(&out, doc, len(doc.IDs)); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.ReplaceAll(strings.TrimPrefix(out.String(), "  "), "\n  ", "\n"), "\n")
}

func TestLearned(t *testing.T) {
	const (
		two   = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}`
		pairs = `{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]}`
		begin = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"
		again = "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"
	)
	tests := []struct {
		name, row string
		loss      Loss
		eos       AppendEOS
		want      string
	}{
		{"text", `{"text": "a b"}`, LossAuto, AppendAuto, "a⟦ b<|im_end|>⟧"},
		{"text, no end", `{"text": "a b"}`, LossAll, AppendNever, "a⟦ b⟧"},
		{"text with its end", `{"text": "a b<|im_end|>"}`, LossAll, AppendAlways, "a⟦ b<|im_end|>⟧"},
		{"completion", `{"prompt": "a", "completion": " b"}`, LossAuto, AppendAuto, "a⟦ b<|im_end|>⟧"},
		{"completion, no end", `{"prompt": "a", "completion": " b"}`, LossCompletion, AppendNever, "a⟦ b⟧"},
		{"completion and prompt", `{"prompt": "a c", "completion": " b"}`, LossAll, AppendAuto, "a⟦ c b<|im_end|>⟧"},
		{"messages", two, LossAuto, AppendAuto, begin + "⟦b<|im_end|>\n⟧" + again + "⟦d<|im_end|>\n⟧"},
		{"messages, with an end", two, LossAssistant, AppendAlways, begin + "⟦b<|im_end|>\n⟧" + again + "⟦d<|im_end|>\n<|im_end|>⟧"},
		{"the last turn", two, LossCompletion, AppendAuto, begin + "b<|im_end|>\n" + again + "⟦d<|im_end|>\n⟧"},
		{"all of messages", two, LossAll, AppendAuto, "<|im_start|>⟦" + strings.TrimPrefix(begin, "<|im_start|>") + "b<|im_end|>\n" + again + "d<|im_end|>\n⟧"},
		{"a turn of no weight", strings.Replace(two, `"b"`, `"b", "weight": 0`, 1), LossAuto, AppendAuto, begin + "b<|im_end|>\n" + again + "⟦d<|im_end|>\n⟧"},
		{"a turn of weight 1", strings.Replace(two, `"b"`, `"b", "weight": 1`, 1), LossAuto, AppendAuto, begin + "⟦b<|im_end|>\n⟧" + again + "⟦d<|im_end|>\n⟧"},
		{"a completion of messages", pairs, LossAuto, AppendAuto, begin + "b<|im_end|>\n" + again + "⟦d<|im_end|>\n⟧"},
		{"the assistant's turns, prompt included", pairs, LossAssistant, AppendAuto, begin + "⟦b<|im_end|>\n⟧" + again + "⟦d<|im_end|>\n⟧"},
		{"Alpaca", `{"instruction": "a", "output": "b"}`, LossAuto, AppendAuto, begin + "⟦b<|im_end|>\n⟧"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			encoder := testEncoder(t)
			set, _, err := load(t, encoder, 1000, Source{Loss: test.loss, AppendEOS: test.eos}, "a.jsonl", test.row)
			if err != nil {
				t.Fatal(err)
			}
			if got := learnedMarks(t, encoder.Tokenizer, set.Documents[0]); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// A template that shows an earlier turn otherwise once another follows: the
// completion is found by its own turn then.
func TestCompletionOfAnUnstableTemplate(t *testing.T) {
	encoder := testEncoder(t)
	encoder.Template = newTemplate(t, `{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{% if loop.last %}={% endif %}{{ m.content }}{% endgeneration %}{% else %}[{{ m.content }}{{ loop.revindex }}]{% endif %}{% endfor %}`, "", "")
	set, _, err := load(t, encoder, 100, Source{}, "a.jsonl",
		`{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": [{"role": "assistant", "content": "d"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := learnedMarks(t, encoder.Tokenizer, set.Documents[0]); got != "[a4]b[c2]⟦=d⟧" {
		t.Error(got)
	}
}

func TestProblemsStop(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("{\"text\": \"good\"}\n{\"text\": 1}\n\n{\"text\": \"\"}\n{oops\n")
	_, report, err := load(t, testEncoder(t), 100, Source{}, "a.jsonl", rows.String())
	var problems *ProblemsError
	if !errors.As(err, &problems) || problems.Count != 3 || problems.Cut || fault.HintOf(err) == "" || !errors.Is(err, fault.BadInput) {
		t.Fatalf("error %v", err)
	}
	for i, want := range []string{`a.jsonl:2: "text" is a number`, `a.jsonl:4: "text" is empty`, "a.jsonl:5: broken JSON"} {
		if !strings.Contains(problems.First[i].String(), want) || !strings.Contains(err.Error(), want) {
			t.Errorf("problem %d is %v, want …%s…", i, problems.First[i], want)
		}
	}
	if report.Rows != 4 || report.Failed() != 3 {
		t.Errorf("%+v", report)
	}

	_, _, err = load(t, testEncoder(t), 100, Source{}, "b.jsonl", strings.Repeat("{}\n", 5000))
	if !errors.As(err, &problems) || problems.Count != tooMany || !problems.Cut || !strings.Contains(err.Error(), "at least 100 rows") ||
		!strings.Contains(err.Error(), "and 90 more") {
		t.Errorf("error %v", err)
	}
}

func TestProblemsSkip(t *testing.T) {
	set, report, err := load(t, testEncoder(t), 100, Source{OnError: ErrorSkip},
		"a.jsonl", `{"text": "good"}`+"\n"+strings.Repeat("{}\n", 300)+`{"messages": [{"role": "user", "content": "q"}]}`+"\n"+
			`{"text": "x", "id": 1}`, "b.txt", "one\ntwo\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Documents) != 4 || report.Documents != 4 || report.Rows != 305 || report.Failed() != 301 {
		t.Errorf("%d documents; %+v", len(set.Documents), report)
	}
	var out strings.Builder
	if n, err := report.WriteTo(&out); err != nil || n != int64(out.Len()) {
		t.Errorf("%d bytes written, %d counted, %v", out.Len(), n, err)
	}
	for _, want := range []string{
		"300 rows left out: empty", "a.jsonl:2: an object without values", "and 290 more", "1 row left out: nothing learned",
		"a.jsonl:302: no message is the assistant's", `key "id" is not used: 1 row`, "4 documents", "b.txt: 2 rows, 8 bytes",
		"305 rows (4 text, 1 messages)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestOverlong(t *testing.T) {
	rows := `{"text": "0123456789abcdefghij"}` + "\n" + `{"text": "0"}` + "\n" +
		`{"prompt": "0123456789012345", "completion": "!"}` + "\n" + `{"prompt": "01234567", "completion": "!!!!!"}`
	tests := []struct {
		overlong Overlong
		want     []string
		pieces   int
		problem  string
	}{
		{OverlongTruncate, []string{"0⟦123456789⟧", "0⟦<|im_end|>⟧", "01234567⟦!!⟧"}, 0, "none of its first 10 tokens is learned, and it has 18"},
		{OverlongSplit, []string{"0⟦123456789⟧", "a⟦bcdefghij⟧", "0⟦<|im_end|>⟧", "012345⟦!<|im_end|>⟧", "01234567⟦!!⟧", "!⟦!!<|im_end|>⟧"}, 2, ""},
		{OverlongSkip, []string{"0⟦<|im_end|>⟧"}, 0, ""},
	}
	for _, test := range tests {
		t.Run(string(test.overlong), func(t *testing.T) {
			encoder := &Encoder{Tokenizer: byteTokenizer(t, "null"), EOS: 256}
			set, report, err := load(t, encoder, 10, Source{Overlong: test.overlong, OnError: ErrorSkip}, "a.jsonl", rows)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, doc := range set.Documents {
				got = append(got, learnedMarks(t, encoder.Tokenizer, doc))
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if report.Overlong.Count != 3 || report.Longest != 21 || report.Pieces != test.pieces {
				t.Errorf("%d too long, the longest of %d, %d pieces left out", report.Overlong.Count, report.Longest, report.Pieces)
			}
			if (test.problem == "") != (report.Failed() == 0) {
				t.Fatalf("%d problems", report.Failed())
			}
			if test.problem != "" && !strings.Contains(report.Problems[0].First[0].String(), "a.jsonl:3: "+test.problem) {
				t.Error(report.Problems[0].First[0])
			}
		})
	}
	t.Run("stop", func(t *testing.T) {
		encoder := &Encoder{Tokenizer: byteTokenizer(t, "null"), EOS: 256}
		_, _, err := load(t, encoder, 10, Source{Overlong: OverlongStop, OnError: ErrorSkip}, "a.jsonl", rows)
		var problems *ProblemsError
		if !errors.As(err, &problems) || problems.Count != 3 || !strings.Contains(err.Error(), "a.jsonl:1: 21 tokens, 11 more than the 10") ||
			fault.HintOf(err) != "" || !strings.Contains(err.Error(), "train.max_length") {
			t.Error(err)
		}
	})
}

// byteTokenizer has a token for each character of ASCII that is printed, and
// <|im_end|>, with the id 256.
func byteTokenizer(t testing.TB, postProcessor string) *tokenizer.Tokenizer {
	t.Helper()
	var vocabulary []string
	for c := '!'; c <= '~'; c++ {
		vocabulary = append(vocabulary, fmt.Sprintf("%q: %d", string(c), c))
	}
	tok, err := tokenizer.Load([]byte(`{"version": "1.0", "added_tokens": [{"id": 256, "content": "<|im_end|>", "special": true}],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"decoder": {"type": "ByteLevel"}, "post_processor": ` + postProcessor + `,
		"model": {"type": "BPE", "vocab": {` + strings.Join(vocabulary, ", ") + `, "<|im_end|>": 256}, "merges": []}}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestLoadDoesNotDependOnWorkers(t *testing.T) {
	var rows strings.Builder
	for i := range 1000 {
		switch {
		case i%7 == 3:
			rows.WriteString("{broken\n")
		case i%3 == 0:
			fmt.Fprintf(&rows, `{"messages": [{"role": "user", "content": "%d?"}, {"role": "assistant", "content": "%s!"}]}`+"\n", i, strings.Repeat("Ho ", i%50))
		default:
			fmt.Fprintf(&rows, "{\"text\": \"line %d\"}\n", i)
		}
	}
	path := writeFile(t, "a.jsonl", []byte(rows.String()))
	text := writeFile(t, "b.txt", []byte("one\ntwo\n"))
	var sets []*Dataset
	var reports []*Report
	for _, workers := range []int{1, 2, 7} {
		spec := Spec{MaxLength: 60, Workers: workers, Sources: []Source{
			{Files: []string{path, path}, OnError: ErrorSkip, Overlong: OverlongSplit}, {Files: []string{text}},
		}}
		set, report, err := Load(t.Context(), spec, testEncoder(t))
		if err != nil {
			t.Fatal(err)
		}
		sets, reports = append(sets, set), append(reports, report)
	}
	for i := range sets {
		if !reflect.DeepEqual(sets[i].Documents, sets[0].Documents) || sets[i].Fingerprint() != sets[0].Fingerprint() ||
			!reflect.DeepEqual(reports[i], reports[0]) {
			t.Error("another number of workers gave another data set")
		}
	}
	last := sets[0].Documents[len(sets[0].Documents)-1]
	if !strings.HasSuffix(last.Where, "b.txt:2") || sets[0].Tokens() != reports[0].Tokens || sets[0].Supervised() != reports[0].Supervised {
		t.Errorf("the last document is %s", last.Where)
	}
}

func TestLoadRefuses(t *testing.T) {
	chat := `{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}`
	tests := []struct {
		name    string
		change  func(*Encoder, *Source)
		content string
		want    string // a part of error or hint
	}{
		{"no template", func(e *Encoder, _ *Source) { e.Template = nil }, `{"text": "a"}` + "\n" + chat, "a.jsonl:2: a chat, and the model has no chat template"},
		{"what to do without template", func(e *Encoder, _ *Source) { e.Template = nil }, chat, "set data.chat_template"},
		{"no end-of-sequence token", func(e *Encoder, s *Source) { e.EOS, s.AppendEOS = NoToken, AppendAlways }, chat, "end-of-sequence tokens are to be appended"},
		{"no rows", func(*Encoder, *Source) {}, "\n", "the data has no rows"},
		{"nothing left", func(_ *Encoder, s *Source) { s.OnError = ErrorSkip }, "{}", "no document is left of 1 rows"},
		{"ids beyond the model's", func(e *Encoder, _ *Source) { e.Vocabulary = 300 }, `{"text": "The capital of France"}`, "embeddings for 300 ids"},
		{"a text to learn an assistant from", func(_ *Encoder, s *Source) { s.Loss = LossAssistant }, `{"text": "a"}`, `loss is "assistant", and the row is a text`},
		{"a text to complete", func(_ *Encoder, s *Source) { s.Loss = LossCompletion }, `{"text": "a"}`, `loss is "completion", and the row is a text`},
		{"a completion to learn an assistant from", func(_ *Encoder, s *Source) { s.Loss = LossAssistant }, `{"prompt": "a", "completion": "b"}`, "the row is prompt and completion"},
		{"one token", func(_ *Encoder, s *Source) { s.AppendEOS = AppendNever }, `{"text": "a"}`, "a single token"},
		{"only users", func(*Encoder, *Source) {}, `{"messages": [{"role": "user", "content": "q"}]}`, "no message is the assistant's"},
		{"only users to complete", func(_ *Encoder, s *Source) { s.Loss = LossCompletion }, `{"messages": [{"role": "user", "content": "q"}]}`, "no message is the assistant's"},
		{"no turn of weight", func(*Encoder, *Source) {}, strings.Replace(chat, `"a"`, `"a", "weight": 0`, 1), "is learned"},
		{"a template that raises", func(e *Encoder, _ *Source) {
			e.Template = newTemplate(t, "{{ raise_exception('roles must alternate') }}", "", "")
		}, chat, "a.jsonl:1: the chat template refuses these messages: chat template:1: roles must alternate"},
		{"an unknown setting", func(_ *Encoder, s *Source) { s.Overlong = "cut" }, chat, `overlong "cut": choose one of truncate, split, skip, stop`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			encoder, source := testEncoder(t), Source{}
			test.change(encoder, &source)
			_, _, err := load(t, encoder, 100, source, "a.jsonl", test.content)
			if err == nil || !strings.Contains(err.Error()+fault.HintOf(err), test.want) {
				t.Errorf("error %v, hint %q, want …%s…", err, fault.HintOf(err), test.want)
			}
		})
	}
	t.Run("no sources", func(t *testing.T) {
		if _, _, err := Load(t.Context(), Spec{MaxLength: 10}, testEncoder(t)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("too short", func(t *testing.T) {
		if _, _, err := load(t, testEncoder(t), 1, Source{}, "a.txt", "a"); err == nil {
			t.Error("no error")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		spec := Spec{MaxLength: 10, Sources: []Source{{Files: []string{writeFile(t, "a.txt", []byte("a\n"))}}}}
		if _, _, err := Load(ctx, spec, testEncoder(t)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("the rows before a broken end", func(t *testing.T) {
		_, _, err := load(t, testEncoder(t), 100, Source{}, "a.json", "[{},\n {\"text\": \"a\"")
		if err == nil || !strings.Contains(err.Error(), "a.json: line 2: the row that begins here has no end") {
			t.Error(err)
		}
	})
}

func TestNotes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Encoder, *Source)
		row    string
		want   string
	}{
		{"a token across", func(*Encoder, *Source) {}, `{"prompt": "What is the ", "completion": "capital"}`, "in 1 rows a token spans"},
		{"nothing ends", func(_ *Encoder, s *Source) { s.AppendEOS = AppendNever }, `{"text": "a b"}`, "<|im_end|> is learned nowhere"},
		{"no end to append", func(e *Encoder, _ *Source) { e.EOS = NoToken }, `{"text": "a b"}`, "no end-of-sequence token"},
		{"nothing to remark", func(*Encoder, *Source) {}, `{"prompt": "What is the", "completion": " capital"}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			encoder, source := testEncoder(t), Source{}
			test.change(encoder, &source)
			_, report, err := load(t, encoder, 100, source, "a.jsonl", test.row)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(report.Notes, "\n"); !strings.Contains(got, test.want) || test.want == "" && got != "" {
				t.Errorf("notes %q, want …%s…", got, test.want)
			}
		})
	}
}

// A tokenizer that puts ^ before every text and <|im_end|> behind it.
func TestTokenizerThatClosesTexts(t *testing.T) {
	encoder := &Encoder{EOS: 256, Tokenizer: byteTokenizer(t, `{"type": "TemplateProcessing", "pair": [],
		"single": [{"SpecialToken": {"id": "^", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}],
		"special_tokens": {"^": {"id": "^", "ids": [94], "tokens": ["^"]}, "<|im_end|>": {"id": "<|im_end|>", "ids": [256], "tokens": ["<|im_end|>"]}}}`)}
	rows := `{"text": "ab"}` + "\n" + `{"text": "^ab"}` + "\n" + `{"prompt": "ab", "completion": "c"}` + "\n" + `{"prompt": "^ab", "completion": "c"}`
	set, report, err := load(t, encoder, 10, Source{}, "a.jsonl", rows)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, doc := range set.Documents {
		got = append(got, learnedMarks(t, encoder.Tokenizer, doc))
	}
	want := []string{"^⟦ab<|im_end|>⟧", "^⟦ab<|im_end|>⟧", "^ab⟦c<|im_end|>⟧", "^ab⟦c<|im_end|>⟧"}
	if !reflect.DeepEqual(got, want) || len(report.Notes) > 0 {
		t.Errorf("got  %q, notes %q\nwant %q", got, report.Notes, want)
	}
	for _, question := range []string{"ab", "^ab", "ab<|im_end|>", ""} {
		ids, err := encoder.Prompt(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		text, err := encoder.Tokenizer.(*tokenizer.Tokenizer).Decode(ids, false)
		want := "^" + strings.TrimPrefix(question, "^")
		if question == "ab<|im_end|>" {
			want += "<|im_end|>"
		}
		if err != nil || text != want {
			t.Errorf("the prompt of %q is %q, want %q (%v)", question, text, want, err)
		}
	}
}

func TestPrompt(t *testing.T) {
	encoder := testEncoder(t)
	decode := func(ids []int32, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := encoder.Tokenizer.(*tokenizer.Tokenizer).Decode(ids, false)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if got := decode(encoder.Prompt(t.Context(), "Hi")); got != "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" {
		t.Errorf("%q", got)
	}
	encoder.Template = nil
	if got := decode(encoder.Prompt(t.Context(), "Hi")); got != "Hi" {
		t.Errorf("%q", got)
	}
	if _, err := encoder.ChatPrompt(t.Context(), chat.Conversation{}); fault.HintOf(err) == "" {
		t.Errorf("a chat without a template: %v", err)
	}
}
