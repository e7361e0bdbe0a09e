package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func quickstart(t *testing.T) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "quickstart", "model", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

func TestWithTokens(t *testing.T) {
	before := quickstart(t)
	n := int32(before.VocabSize())
	for _, special := range []bool{true, false} {
		got, err := before.WithTokens([]string{"<tool>", "</tool>"}, special)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := got.AppendIDs(nil, "a<tool>b</tool>", Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, errA := before.AppendIDs(nil, "a", Options{})
		b, errB := before.AppendIDs(nil, "b", Options{})
		if want := slices.Concat(a, []int32{n}, b, []int32{n + 1}); errA != nil || errB != nil || !slices.Equal(ids, want) {
			t.Errorf("ids %v, want %v", ids, want)
		}
		text, err := got.Decode(ids, true)
		if want := map[bool]string{true: "ab", false: "a<tool>b</tool>"}[special]; err != nil || text != want {
			t.Errorf("special %v: %q, %v, want %q", special, text, err, want)
		}
		if got.VocabSize() != int(n)+2 || before.VocabSize() != int(n) || len(got.Warnings()) != len(before.Warnings()) {
			t.Errorf("%d ids, %v", got.VocabSize(), got.Warnings())
		}
		config, err := ParseConfig([]byte(`{"eos_token": "x", "added_tokens_decoder": {"0": {"content": "y"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if config, err = config.AddTokens(got, []string{"<tool>"}); err != nil {
			t.Fatal(err)
		}
		var decoder map[string]struct {
			Content string
			Special bool
		}
		if err := json.Unmarshal(config.Fields["added_tokens_decoder"], &decoder); err != nil || len(decoder) != 2 || decoder[quote(n)].Content != "<tool>" || decoder[quote(n)].Special != special {
			t.Errorf("%+v, %v", decoder, err)
		}
	}
}

func quote(id int32) string {
	data, err := json.Marshal(id)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestWithTokensRefuses(t *testing.T) {
	before := quickstart(t)
	known, _ := before.TokenText(5)
	for _, test := range []struct{ texts []string }{{[]string{known}}, {[]string{strings.Repeat("x", maxAdded+1)}}, {[]string{"<a>", "<a>"}}, {[]string{""}}} {
		if got, err := before.WithTokens(test.texts, true); err == nil {
			t.Errorf("%.20q: no error, %d ids", test.texts, got.VocabSize())
		}
	}
}
