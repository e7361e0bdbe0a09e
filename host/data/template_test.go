package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/jinja"
)

func TestChooseTemplate(t *testing.T) {
	path := writeFile(t, "own.jinja", []byte("file {{ messages[0].content }}"))
	config := writeFile(t, "tokenizer_config.json", []byte(`{"chat_template": [
		{"name": "default", "template": "default {{ messages[0].content }}"},
		{"name": "tool_use", "template": "tools {{ messages[0].content }}"},
		{"name": "rag", "template": "rag {{ messages[0].content }}"}]}`))
	several, err := chat.Find(filepath.Dir(config))
	if err != nil {
		t.Fatal(err)
	}
	question := chat.Conversation{Messages: []*jinja.Dict{chat.NewMessage("user", "q")}}
	withTools := question
	withTools.Tools = jinja.NewList(jinja.NewDict())
	tests := []struct {
		name, setting string
		own           chat.Sources
		conversation  chat.Conversation
		want          string
	}{
		{"the model's own", "", chat.Single("own {{ messages[0].content }}"), withTools, "own q"},
		{"the default of several", "", several, question, "default q"},
		{"the one for tools", "", several, withTools, "tools q"},
		{"a name", "rag", several, withTools, "rag q"},
		{"text", "text {{ messages[0].content }}", several, question, "text q"},
		{"a file", path, several, withTools, "file q"},
		{"a file for a model without", path, chat.Sources{}, question, "file q"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			template, err := ChooseTemplate(test.setting, test.own, chat.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := template.Render(t.Context(), test.conversation, chat.Options{}); err != nil || got != test.want {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
			if got, err := template.RenderTurns(t.Context(), test.conversation); err != nil || got.Text != test.want {
				t.Errorf("%q, %v, want %q", got.Text, err, test.want)
			}
		})
	}
	if template, err := ChooseTemplate("", chat.Sources{}, chat.Config{}); template != nil || err != nil {
		t.Errorf("a model without template: %v, %v", template, err)
	}

	long := filepath.Join(t.TempDir(), "long.jinja")
	if err := os.WriteFile(long, make([]byte, maxTemplate+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"{% if %}":  "data.chat_template:1: ",
		"none":      "the model's own are named default, rag, tool_use",
		long:        "more than 2 MiB",
		t.TempDir(): "chat template: ",
	} {
		if template, err := ChooseTemplate(setting, several, chat.Config{}); err == nil || template != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", setting, err, want)
		}
	}
	if _, err := ChooseTemplate("", chat.Single("{{"), chat.Config{}); err == nil {
		t.Error("a broken template of the model's own is no error")
	}
}
