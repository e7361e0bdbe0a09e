package chat

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/host/data/jinja"
	"github.com/honeml/hone/sdk/fault"
)

func conversation(t testing.TB, messages string) Conversation {
	t.Helper()
	return Conversation{Messages: dicts(t, []byte(messages))}
}

// TestVariables checks what a template is given.
func TestVariables(t *testing.T) {
	const show = "{{ messages|tojson }} {{ tools|tojson }} {{ documents|tojson }} {{ add_generation_prompt }} {{ bos_token }} {{ eos_token is defined }} {{ x }} {{ strftime_now('%Y') }}"
	template, err := New(show, Config{SpecialTokens: map[string]string{"bos_token": "<s>"}, Now: frozen})
	if err != nil {
		t.Fatal(err)
	}
	variables := jinja.NewDict()
	variables.Set("x", jinja.Int(5))
	tests := []struct {
		name    string
		c       Conversation
		options Options
		want    string
	}{
		{"plain", conversation(t, `[{"role": "user", "content": "hi"}]`), Options{}, `[{"role": "user", "content": "hi"}] null null False <s> False  2024`},
		{"prompt", conversation(t, `[{"role": "user", "content": "hi"}]`), Options{AddGenerationPrompt: true}, `[{"role": "user", "content": "hi"}] null null True <s> False  2024`},
		{"order and null", conversation(t, `[{"b": 1, "role": "user", "content": null, "a": [1.0, {"z": null}]}]`), Options{}, `[{"b": 1, "role": "user", "a": [1.0, {"z": null}]}] null null False <s> False  2024`},
		{"reasoning_content", conversation(t, `[{"role": "user", "reasoning_content": "r", "content": "c"}]`), Options{}, `[{"thinking": "r", "role": "user", "reasoning_content": "r", "content": "c"}] null null False <s> False  2024`},
		{"reasoning", conversation(t, `[{"role": "user", "reasoning": "r", "content": "c"}]`), Options{}, `[{"thinking": "r", "role": "user", "reasoning": "r", "content": "c", "reasoning_content": "r"}] null null False <s> False  2024`},
		{"two kinds of reasoning", conversation(t, `[{"role": "user", "thinking": "t", "reasoning_content": "r"}]`), Options{}, `[{"thinking": "t", "role": "user", "reasoning_content": "r"}] null null False <s> False  2024`},
		{"others", Conversation{Messages: []*jinja.Dict{NewMessage("user", "hi")}, Tools: jinja.NewList(jinja.NewDict()), Documents: jinja.None{}, Variables: variables}, Options{}, `[{"role": "user", "content": "hi"}] [{}] null False <s> False 5 2024`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := template.Render(context.Background(), test.c, test.options)
			if err != nil || got != test.want {
				t.Errorf("renders %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestVariablesOverTokens: a variable of a conversation hides a token.
func TestVariablesOverTokens(t *testing.T) {
	template, err := New("{{ bos_token }}", Config{SpecialTokens: tokens()})
	if err != nil {
		t.Fatal(err)
	}
	c := conversation(t, `[{"role": "user"}]`)
	c.Variables = jinja.NewDict()
	c.Variables.Set("bos_token", jinja.String{Text: "mine"})
	if got, err := template.Render(context.Background(), c, Options{}); got != "mine" || err != nil {
		t.Errorf("renders %q, %v", got, err)
	}
}

// TestBadConversations refuses what no template could be given.
func TestBadConversations(t *testing.T) {
	reserved := jinja.NewDict()
	reserved.Set("messages", jinja.None{})
	user := []*jinja.Dict{NewMessage("user", "hi")}
	answered := conversation(t, `[{"role": "user", "content": "hi"}, {"role": "assistant", "content": 5, "reasoning": "r"}]`)
	tests := []struct {
		name    string
		c       Conversation
		options Options
		want    string
	}{
		{"no messages", Conversation{}, Options{}, "no messages"},
		{"missing message", Conversation{Messages: []*jinja.Dict{user[0], nil}}, Options{}, "message 2 of the conversation is missing"},
		{"tools no list", Conversation{Messages: user, Tools: jinja.Int(5)}, Options{}, "the tools are no list"},
		{"a tool no object", Conversation{Messages: user, Tools: jinja.NewList(jinja.NewDict(), jinja.Int(5))}, Options{}, "item 2 of the tools is no object"},
		{"a document no object", Conversation{Messages: user, Documents: jinja.NewList(jinja.None{})}, Options{}, "item 1 of the documents is no object"},
		{"variables", Conversation{Messages: user, Variables: reserved}, Options{}, `cannot set "messages"`},
		{"both ends", Conversation{Messages: user}, Options{AddGenerationPrompt: true, ContinueFinal: "content"}, "both go on"},
		{"no such field", Conversation{Messages: user}, Options{ContinueFinal: "answer"}, `message 1 (user) has no "answer" to go on with`},
		{"field not read", answered, Options{ContinueFinal: "reasoning"}, `does not read the field "reasoning"`},
		{"no text", answered, Options{ContinueFinal: "content"}, `the "content" of message 2 (assistant) is no text`},
	}
	template := readTemplate(t, "testdata/templates/smollm2.jinja")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := template.Render(context.Background(), test.c, test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, fault.BadInput) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := template.RenderTurns(context.Background(), Conversation{}); err == nil {
		t.Error("RenderTurns of no messages has no error")
	}
}

// TestUnchanged checks that rendering leaves the messages as they were given.
func TestUnchanged(t *testing.T) {
	for name, s := range samples(t) {
		var before []string
		for _, m := range s.conversation.Messages {
			text, err := jinja.FormatJSON(m)
			if err != nil {
				t.Fatal(err)
			}
			before = append(before, text)
		}
		template := readTemplate(t, "testdata/templates/qwen3.jinja")
		// Some conversations are refused; they must be left alone too.
		_, _ = template.Render(context.Background(), s.conversation, s.options)
		_, _ = template.RenderTurns(context.Background(), s.conversation)
		for i, m := range s.conversation.Messages {
			if text, err := jinja.FormatJSON(m); err != nil || text != before[i] {
				t.Errorf("%q: message %d was %s, is %s, %v", name, i, before[i], text, err)
			}
		}
	}
}

// TestNewErrors checks that a broken template is named with its line.
func TestNewErrors(t *testing.T) {
	_, err := New("a\n{% if %}", Config{})
	if err == nil || err.Error() != "chat template:2: expected an expression, found %}" || jinja.KindOf(err) != jinja.Syntax {
		t.Errorf("the error is %v", err)
	}
	_, err = New("{{", Config{Name: "tokenizer_config.json: chat_template"})
	if err == nil || !strings.HasPrefix(err.Error(), "tokenizer_config.json: chat_template:1: ") {
		t.Errorf("the error is %v", err)
	}
}

// TestConcurrentUse renders with one template many times at once; the race detector
// watches.
func TestConcurrentUse(t *testing.T) {
	template := readTemplate(t, "testdata/templates/qwen3.jinja")
	all := samples(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, name := range []string{"three turns", "tool call", "reasoning field"} {
				if _, err := template.RenderTurns(context.Background(), all[name].conversation); err != nil {
					t.Errorf("%q: %v", name, err)
				}
			}
		})
	}
	group.Wait()
}
