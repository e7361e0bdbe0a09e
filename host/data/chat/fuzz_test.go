package chat

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/data/jinja"
)

// FuzzRenderTurns looks for turns in the texts of any template: no panic, no hang,
// turns in order and inside the text.
func FuzzRenderTurns(f *testing.F) {
	paths, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source), uint8(0))
		f.Add(string(source), uint8(1))
	}
	all := samples(f)
	names := []string{"three turns", "two tool calls, reasoning", "assistant first", "parts"}
	f.Fuzz(func(t *testing.T, source string, which uint8) {
		template, err := New(source, Config{SpecialTokens: tokens(), Now: frozen, Limits: jinja.Limits{Steps: 50_000, Bytes: 4 << 20}})
		if err != nil {
			return
		}
		s := all[names[int(which)%len(names)]]
		got, err := template.RenderTurns(context.Background(), s.conversation)
		if err != nil {
			return
		}
		end := 0
		for _, turn := range got.Turns {
			if turn.Start < end || turn.End < turn.Start || turn.End > len(got.Text) || turn.Message >= len(s.conversation.Messages) {
				t.Fatalf("the turns are %v in a text of %d bytes", got.Turns, len(got.Text))
			}
			end = turn.End
		}
	})
}

// FuzzTokenizerConfig reads any tokenizer_config.json.
func FuzzTokenizerConfig(f *testing.F) {
	for _, seed := range []string{`{"chat_template": "A", "bos_token": "<s>"}`, `{"chat_template": [{"name": "default", "template": "A"}]}`, `{"eos_token": {"content": "x"}}`, `[`, `null`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		sources, err := Find(dir)
		if err == nil && sources.Found() && len(sources.Names()) == 0 {
			t.Error("found templates without names")
		}
		if tokens, err := SpecialTokens(dir); err == nil && tokens == nil {
			t.Error("no error and no tokens")
		}
	})
}
