package data

import (
	"strings"
	"testing"
)

func TestView(t *testing.T) {
	encoder := testEncoder(t)
	row := `{"messages": [{"role": "user", "content": "Hi \u001b[2J🙂"}, {"role": "assistant", "content": "Ho"}]}`
	set, _, err := load(t, encoder, 1000, Source{}, "a.jsonl", row)
	if err != nil {
		t.Fatal(err)
	}
	doc := set.Documents[0]
	doc.Where = "a.jsonl:1"
	tests := []struct {
		name       string
		view       View
		want, none []string
	}{
		{"plain", View{}, []string{"a.jsonl:1 · ", " tokens, ", "  <|im_start|>user\n  Hi \\u001b[2J🙂<|im_end|>\n  <|im_start|>assistant\n  ⟦Ho<|im_end|>\n  ⟧\n"}, []string{"\x1b"}},
		{"colour", View{Color: true}, []string{"\x1b[2m<|im_start|>assistant\x1b[0m\n  \x1b[32mHo<|im_end|>\x1b[0m\n", `\u001b[2J`}, []string{"⟦", "\x1b[2J"}},
		{"tokens", View{Tokens: true}, []string{"\n       0         1  \"<|im_start|>\"\n", " +       2  \"<|im_end|>\"\n", `"ðŁ`}, nil},
		{"cut", View{Tokens: true, MaxTokens: 3}, []string{"… and "}, []string{"Ho", "<|im_end|>"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			test.view.Tokenizer = smallTokenizer(t)
			if err := test.view.Write(&out, doc); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%q", want, out.String())
				}
			}
			for _, none := range test.none {
				if strings.Contains(out.String(), none) {
					t.Errorf("%q stands in\n%q", none, out.String())
				}
			}
			if !strings.Contains(test.view.Legend(), "what is learned") {
				t.Error(test.view.Legend())
			}
		})
	}
}
