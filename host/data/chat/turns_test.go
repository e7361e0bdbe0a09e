package chat

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

// said is a turn: the index of its message, and its text.
type said struct {
	message int
	text    string
}

func turnsOf(r Rendered) []said {
	var out []said
	for _, turn := range r.Turns {
		out = append(out, said{turn.Message, r.Text[turn.Start:turn.End]})
	}
	return out
}

// TestTurns finds the turns in conversations.json's conversations, by generation
// blocks, by prefixes and by probes.
func TestTurns(t *testing.T) {
	tests := []struct {
		template, conversation string
		want                   []said
	}{
		{"smollm2", "answered", []said{{1, "Hello!<|im_end|>\n"}}},
		{"smollm2", "three turns", []said{{2, "1<|im_end|>\n"}, {4, "2<|im_end|>\n"}, {6, "3<|im_end|>\n"}}},
		{"smollm2", "white space", []said{{1, "\n Hello é😀! \n\n<|im_end|>\n"}, {3, " ok <|im_end|>\n"}}},
		{"smollm2", "empty answer", []said{{1, "<|im_end|>\n"}}},
		{"smollm2", "same words", []said{{1, "yes<|im_end|>\n"}, {3, "yes<|im_end|>\n"}}},
		{"smollm2", "assistant first", []said{{0, "Welcome!<|im_end|>\n"}, {2, "Hello<|im_end|>\n"}}},
		{"smollm2", "two answers", []said{{1, "Hello.<|im_end|>\n"}, {2, "How are you?<|im_end|>\n"}}},
		{"qwen3", "answered", []said{{1, "<think>\n\n</think>\n\nHello!<|im_end|>\n"}}},
		{"qwen3", "three turns", []said{{2, "1<|im_end|>\n"}, {4, "2<|im_end|>\n"}, {6, "<think>\n\n</think>\n\n3<|im_end|>\n"}}},
		{"qwen3", "reasoning in content", []said{{1, "4<|im_end|>\n"}, {3, "<think>\nThree and three.\n</think>\n\n6<|im_end|>\n"}}},
		{"qwen3", "reasoning field", []said{{1, "4<|im_end|>\n"}, {3, "<think>\nThree and three.\n</think>\n\n6<|im_end|>\n"}}},
		{"qwen3", "no thinking, answered", []said{{1, "4<|im_end|>\n"}, {3, "6<|im_end|>\n"}}},
		{"qwen3", "tool call", []said{{1, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call><|im_end|>\n"}, {3, "<think>\n\n</think>\n\nIt is -3 degrees.<|im_end|>\n"}}},
		{"qwen3", "two tool calls, reasoning", []said{{1, "<think>\nCall it twice.\n</think>\n\nOne moment.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1, \"b\": 2}}\n</tool_call>\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 3, \"b\": 4.5}}\n</tool_call><|im_end|>\n"}, {4, "<think>\nDone.\n</think>\n\n3 and 7.5<|im_end|>\n"}}},
		{"qwen3", "assistant first", []said{{0, "Welcome!<|im_end|>\n"}, {2, "<think>\n\n</think>\n\nHello<|im_end|>\n"}}},
		{"phi3", "answered", []said{{1, "Hello!<|end|>\n</s>"}}},
		{"phi3", "three turns", []said{{2, "1<|end|>\n"}, {4, "2<|end|>\n"}, {6, "3<|end|>\n</s>"}}},
		{"phi3", "three turns, prompt", []said{{1, "1<|end|>\n"}, {3, "2<|end|>\n"}}},
		{"phi3", "tool call", []said{{1, "<|end|>\n"}, {3, "It is -3 degrees.<|end|>\n</s>"}}},
		{"phi3", "white space", []said{{1, "\n Hello é😀! \n\n<|end|>\n"}, {3, " ok <|end|>\n</s>"}}},
		{"llama2", "answered", []said{{1, " Hello! </s>"}}},
		{"llama2", "three turns", []said{{2, " 1 </s>"}, {4, " 2 </s>"}, {6, " 3 </s>"}}},
		{"llama2", "white space", []said{{1, " Hello é😀! </s>"}, {3, " ok </s>"}}},
		{"llama3", "answered", []said{{1, "Hello!<|eot_id|>"}}},
		{"llama3", "three turns", []said{{2, "1<|eot_id|>"}, {4, "2<|eot_id|>"}, {6, "3<|eot_id|>"}}},
		{"llama3", "white space", []said{{1, "Hello é😀!<|eot_id|>"}, {3, "ok<|eot_id|>"}}},
		{"llama3", "assistant first", []said{{0, "Welcome!<|eot_id|>"}, {2, "Hello<|eot_id|>"}}},
		{"llama3_always", "answered", []said{{1, "Hello!<|eot_id|>"}}},
		{"llama3_always", "three turns", []said{{2, "1<|eot_id|>"}, {4, "2<|eot_id|>"}, {6, "3<|eot_id|>"}}},
		{"llama3_always", "three turns, prompt", []said{{1, "1<|eot_id|>"}, {3, "2<|eot_id|>"}}},
		{"llama3_always", "assistant first", []said{{0, "Welcome!<|eot_id|>"}, {2, "Hello<|eot_id|>"}}},
		{"llama3_1", "three turns", []said{{2, "1<|eot_id|>"}, {4, "2<|eot_id|>"}, {6, "3<|eot_id|>"}}},
		{"llama3_1", "tool call", []said{{1, `{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eom_id|>`}, {3, "It is -3 degrees.<|eot_id|>"}}},
		{"llama3_1", "parts", []said{{1, "A test.<|eot_id|>"}}},
		{"llama3_1", "assistant first", []said{{0, "Welcome!<|eot_id|>"}, {2, "Hello<|eot_id|>"}}},
		{"mistral", "three turns, prompt", []said{{1, " 1</s>"}, {3, " 2</s>"}}},
		{"mistral", "tool call", []said{{1, `[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "abc123xyz"}]</s>`}, {3, " It is -3 degrees.</s>"}}},
		{"mistral", "tool call without content", []said{{1, `[TOOL_CALLS] [{"name": "get_weather", "arguments": {}, "id": "abc123xyz"}]</s>`}, {3, " Cold.</s>"}, {5, " You are welcome.</s>"}}},
		{"mistral", "two tool calls, reasoning", []said{{1, `[TOOL_CALLS] [{"name": "add", "arguments": {"a": 1, "b": 2}, "id": "aaaaaaaaa"}, {"name": "add", "arguments": {"a": 3, "b": 4.5}, "id": "bbbbbbbbb"}]</s>`}, {4, " 3 and 7.5</s>"}}},
		{"mistral", "assistant first", []said{{0, "Welcome!</s>"}, {2, " Hello</s>"}}},
		{"gemma", "answered", []said{{1, "Hello!<end_of_turn>\n"}}},
		{"gemma", "three turns, prompt", []said{{1, "1<end_of_turn>\n"}, {3, "2<end_of_turn>\n"}}},
		{"gemma", "white space", []said{{1, "Hello é😀!<end_of_turn>\n"}, {3, "ok<end_of_turn>\n"}}},
		{"reasoning", "answered", []said{{1, "Hello!<｜end▁of▁sentence｜>"}}},
		{"reasoning", "three turns", []said{{2, "1<｜end▁of▁sentence｜>"}, {4, "2<｜end▁of▁sentence｜>"}, {6, "3<｜end▁of▁sentence｜>"}}},
		{"reasoning", "reasoning in content", []said{{1, "\n\n4<｜end▁of▁sentence｜>"}, {3, "\n\n6<｜end▁of▁sentence｜>"}}},
		{"alpaca", "answered", []said{{1, "Hello!</s>\n\n"}}},
		{"alpaca", "three turns", []said{{2, "1</s>\n\n"}, {4, "2</s>\n\n"}, {6, "3</s>\n\n"}}},
		{"alpaca", "white space", []said{{1, "\n Hello é😀! \n\n</s>\n\n"}, {3, " ok </s>\n\n"}}},
		{"final_only", "answered", []said{{1, "<|channel|>final<|message|>Hello!<|return|>"}}},
		{"final_only", "three turns", []said{{2, "<|channel|>final<|message|>1<|end|>"}, {4, "<|channel|>final<|message|>2<|end|>"}, {6, "<|channel|>final<|message|>3<|return|>"}}},
		{"final_only", "reasoning field", []said{{1, "<|channel|>final<|message|>4<|end|>"}, {3, "<|channel|>analysis<|message|>Three and three.<|end|><|start|>assistant<|channel|>final<|message|>6<|return|>"}}},
		{"final_only", "assistant first", []said{{0, "<|channel|>final<|message|>Welcome!<|end|>"}, {2, "<|channel|>final<|message|>Hello<|return|>"}}},
		{"lookahead", "answered", []said{{1, "Hello!</turn>\n"}}},
		{"lookahead", "three turns", []said{{2, "1</turn>\n"}, {4, "2</turn>\n"}, {6, "3</turn>\n"}}},
		{"lookahead", "white space", []said{{1, "\n Hello é😀! \n\n</turn>\n"}, {3, " ok </turn>\n"}}},
		{"generation", "answered", []said{{1, "Hello!<|im_end|>\n"}}},
		{"generation", "three turns", []said{{2, "1<|im_end|>\n"}, {4, "2<|im_end|>\n"}, {6, "3<|im_end|>\n"}}},
		{"generation", "white space", []said{{1, "\n Hello é😀! \n\n<|im_end|>\n"}, {3, " ok <|im_end|>\n"}}},
		{"generation", "empty answer", []said{{1, "<|im_end|>\n"}}},
		{"generation_parts", "answered", []said{{1, "Hello!"}, {1, "</s>"}}},
		{"generation_parts", "reasoning field", []said{{1, "[Two and two.]"}, {1, "4"}, {1, "</s>"}, {3, "[Three and three.]"}, {3, "6"}, {3, "</s>"}}},
		{"generation_parts", "tool call", []said{{1, "</s>"}, {3, "It is -3 degrees."}, {3, "</s>"}}},
		{"smollm2", "one question", nil},
		{"generation", "one question", nil},
	}
	all := samples(t)
	for _, test := range tests {
		t.Run(test.template+"/"+test.conversation, func(t *testing.T) {
			template := readTemplate(t, filepath.Join("testdata", "templates", test.template+".jinja"))
			s, ok := all[test.conversation]
			if !ok {
				t.Fatalf("conversations.json has no %q", test.conversation)
			}
			got, err := template.RenderTurns(context.Background(), s.conversation)
			if err != nil {
				t.Fatal(err)
			}
			if turns := turnsOf(got); !slices.Equal(turns, test.want) {
				t.Errorf("the turns are\n%+v, want\n%+v, in\n%q", turns, test.want, got.Text)
			}
			text, err := template.Render(context.Background(), s.conversation, Options{})
			if err != nil || text != got.Text {
				t.Errorf("Render gives %q, %v; RenderTurns %q", text, err, got.Text)
			}
		})
	}
}

// TestLostTurns checks that what cannot be found is an error with a hint.
func TestLostTurns(t *testing.T) {
	tests := []struct {
		name, source, conversation string
		want                       string
	}{
		{"results inside the turn", "", "tool call", "the next message stands inside it"},
		{"content twice", "{% for m in messages %}{{ m.content ~ m.content ~ loop.last }}{% endfor %}", "three turns", "does not write the message in one place"},
		{"content reversed", "{% for m in messages %}{{ m.content|reverse ~ loop.last }}{% endfor %}", "three turns", "does not write the message in one place"},
		{"length first", "{{ messages|map(attribute='content')|join|length }}{% for m in messages %}{{ m.content }}|{% endfor %}", "white space", "depends on what it says"},
		{"only counted", "{{ messages|length }}", "answered", "does not write the message in one place"},
		{"a block's text changed", "{% for m in messages %}{% set x %}{% generation %}{{ m.content }}{% endgeneration %}{% endset %}{{ x|upper }}{% endfor %}", "answered", "its place in the text is lost"},
	}
	all := samples(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var template *Template
			if test.source == "" {
				template = readTemplate(t, "testdata/templates/lookahead.jinja")
			} else {
				var err error
				if template, err = New(test.source, Config{}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := template.RenderTurns(context.Background(), all[test.conversation].conversation)
			if err == nil {
				t.Fatalf("no error, but the turns %+v in %q", turnsOf(got), got.Text)
			}
			if !strings.Contains(err.Error(), test.want) || !errors.Is(err, fault.BadInput) {
				t.Errorf("the error is %q, want one with %q", err, test.want)
			}
			if hint := fault.HintOf(err); !strings.Contains(hint, "generation") || !strings.Contains(hint, "data.loss") {
				t.Errorf("the hint is %q", hint)
			}
		})
	}
}

// TestTurnsErrors checks that errors of the template itself come through.
func TestTurnsErrors(t *testing.T) {
	template := readTemplate(t, "testdata/templates/llama2.jinja")
	_, err := template.RenderTurns(context.Background(), samples(t)["two answers"].conversation)
	if jinja.KindOf(err) != jinja.Raised || !strings.Contains(err.Error(), "llama2.jinja:3: Questions and answers must take turns") {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	template = readTemplate(t, "testdata/templates/qwen3.jinja")
	many := samples(t)["three turns"].conversation
	for range 8 {
		many.Messages = append(many.Messages, many.Messages...)
	}
	if _, err := template.RenderTurns(ctx, many); !errors.Is(err, context.Canceled) {
		t.Errorf("the error of a cancelled context is %v", err)
	}
}

// TestTurnsOfTrainingTemplates compares the turns found in the texts of templates
// without generation blocks with those marked in the template beside them whose
// name ends in _training, where the texts are the same: TRL's folder
// trl/chat_templates is made so. HONE_TEST_CHAT_TEMPLATES names the folder.
func TestTurnsOfTrainingTemplates(t *testing.T) {
	folder := os.Getenv("HONE_TEST_CHAT_TEMPLATES")
	if folder == "" {
		t.Skip("set HONE_TEST_CHAT_TEMPLATES to a folder of chat templates")
	}
	var files []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, "_training.jinja") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("HONE_TEST_CHAT_TEMPLATES has no *_training.jinja")
	}
	var same, shorter, other int
	for _, path := range files {
		plain := strings.TrimSuffix(path, "_training.jinja") + ".jinja"
		if _, err := os.Stat(plain); err != nil {
			continue
		}
		a, b, c := compareTraining(t, readTemplate(t, plain), readTemplate(t, path), filepath.Base(plain))
		same, shorter, other = same+a, shorter+b, other+c
	}
	t.Logf("%d turns are the same, %d begin later in what a generation prompt writes, %d differ", same, shorter, other)
	if same < 300 || other > same/50 {
		t.Errorf("%d turns are the same, %d differ", same, other)
	}
}

// compareTraining counts the turns that are the same; those that begin later,
// inside what the training template marks though a generation prompt writes it; and
// the others.
func compareTraining(t *testing.T, plain, training *Template, name string) (same, shorter, other int) {
	t.Helper()
	for conversation, s := range samples(t) {
		want, err := training.RenderTurns(context.Background(), s.conversation)
		if err != nil || len(want.Turns) == 0 {
			continue
		}
		got, err := plain.RenderTurns(context.Background(), s.conversation)
		if err != nil || got.Text != want.Text {
			continue
		}
		merged := mergeTurns(want.Turns)
		for i, turn := range got.Turns {
			switch {
			case len(merged) != len(got.Turns):
				other++
				t.Logf("%s, %q: %d turns, marked are %d", name, conversation, len(got.Turns), len(merged))
			case turn.Start == merged[i].Start && turn.End == merged[i].End:
				same++
			case turn.End == merged[i].End && turn.Start > merged[i].Start && turn.Start <= merged[i].Start+40:
				shorter++
			default:
				other++
				t.Logf("%s, %q: turn %q, marked is %q", name, conversation, got.Text[turn.Start:turn.End], want.Text[merged[i].Start:merged[i].End])
			}
		}
	}
	return same, shorter, other
}

// mergeTurns joins the blocks of one message.
func mergeTurns(turns []Turn) []Turn {
	var out []Turn
	for _, turn := range turns {
		if n := len(out); n > 0 && (out[n-1].Message == turn.Message && (turn.Message >= 0 || out[n-1].End == turn.Start)) {
			out[n-1].End = turn.End
			continue
		}
		out = append(out, turn)
	}
	return out
}
