package tokenizer

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// document returns a tokenizer.json with some parts in the place of its own.
func document(parts map[string]string) string {
	all := map[string]string{
		"version":       `"1.0"`,
		"added_tokens":  `[{"id": 3, "content": "<s>", "special": true}]`,
		"normalizer":    `null`,
		"pre_tokenizer": `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`,
		"decoder":       `{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}`,
		"model":         `{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}`,
	}
	for name, text := range parts {
		all[name] = text
	}
	var b strings.Builder
	separator := "{"
	for _, name := range []string{"version", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "truncation"} {
		if all[name] != "" {
			b.WriteString(separator + "\n  \"" + name + "\": " + all[name])
			separator = ","
		}
	}
	return b.String() + "\n}"
}

func TestLoad(t *testing.T) {
	tok, err := Load([]byte(document(nil)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Encode("ab<s>ba", Options{})
	if err != nil || len(e.IDs) != 4 || e.IDs[0] != 2 || e.IDs[1] != 3 {
		t.Errorf("got %v, %v", e, err)
	}
	if string(tok.MarshalTokenizerJSON()) != document(nil) {
		t.Error("MarshalTokenizerJSON is not the text that was loaded")
	}
	if _, err := Load([]byte("\ufeff" + document(nil))); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	model := func(text string) string { return document(map[string]string{"model": text}) }
	with := func(name, text string) string { return document(map[string]string{name: text}) }
	tests := []struct{ name, text, want string }{
		{"empty", ``, "tokenizer.json: byte 0"},
		{"not JSON", `hello`, "'h' where '{'"},
		{"an array", `[]`, "'[' where '{'"},
		{"cut short", document(nil)[:200], "ends within a value"},
		{"more after it", document(nil) + "x", "'x' after the value"},
		{"not UTF-8", "{\"a\": \"\xff\"}", "UTF-8"},
		{"no model", `{"version": "1.0"}`, "no model"},
		{"a later version", with("version", `"2.0"`), `"2.0"`},

		{"WordPiece", model(`{"type": "WordPiece", "vocab": {"a": 0}}`), `"WordPiece"`},
		{"Unigram", model(`{"type": "Unigram", "vocab": [["a", 0.5]]}`), `"Unigram"`},
		{"an older Unigram", model(`{"unk_id": 0, "vocab": [["a", 0.5]]}`), "names no type"},
		{"model of another type", model(`[1]`), "model: byte"},
		{"no vocabulary", model(`{"type": "BPE", "merges": []}`), "lacks its vocab"},
		{"no merges", model(`{"type": "BPE", "vocab": {}}`), "merges"},
		{"vocabulary is a list", model(`{"type": "BPE", "vocab": ["a"], "merges": []}`), "vocab: byte"},
		{"id is a string", model(`{"type": "BPE", "vocab": {"a": "0"}, "merges": []}`), `the id of "a"`},
		{"id below 0", model(`{"type": "BPE", "vocab": {"a": -1}, "merges": []}`), `the id of "a"`},
		{"huge id", model(`{"type": "BPE", "vocab": {"a": 99999999999999999999}, "merges": []}`), `the id of "a"`},
		{"large id", model(`{"type": "BPE", "vocab": {"a": 2000000000}, "merges": []}`), "ids go from 0"},
		{"sparse ids", model(`{"type": "BPE", "vocab": {"a": 10000000}, "merges": []}`), "damaged"},
		{"the same id twice", model(`{"type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": []}`), `"a" and "b" have the same id, 1`},
		{"the same token twice", model(`{"type": "BPE", "vocab": {"a": 1, "a": 2}, "merges": []}`), `"a" has two ids, 1 and 2`},
		{"half a surrogate", model(`{"type": "BPE", "vocab": {"\ud800": 1}, "merges": []}`), "surrogate"},
		{"merge of one token", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": ["aa"]}`), `"aa" is not a merge`},
		{"merge of three tokens", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a a"]}`), "is not a merge"},
		{"list of one token", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}`), "a merge of 1 tokens"},
		{"list of three tokens", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "a", "a"]]}`), "more than two"},
		{"merge is a number", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": [1]}`), "merges: byte"},
		{"left part unknown", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": ["x a"]}`), `"x" is not in the vocabulary`},
		{"right part unknown", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "x"]]}`), `"x" is not in the vocabulary`},
		{"result unknown", model(`{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}`), `"aa" is not in the vocabulary`},
		{"dropout", model(`{"type": "BPE", "dropout": 0.1, "vocab": {}, "merges": []}`), "dropout 0.1"},
		{"prefix", model(`{"type": "BPE", "continuing_subword_prefix": "##", "vocab": {}, "merges": []}`), `"##"`},
		{"suffix", model(`{"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {}, "merges": []}`), `"</w>"`},
		{"flag of another type", model(`{"type": "BPE", "ignore_merges": 1, "vocab": {}, "merges": []}`), "ignore_merges"},

		{"added token without id", with("added_tokens", `[{"content": "x"}]`), "entry 0"},
		{"added token without content", with("added_tokens", `[{"id": 4}]`), "entry 0"},
		{"added token below 0", with("added_tokens", `[{"id": -4, "content": "x"}]`), `"x" has id -4`},
		{"long added token", with("added_tokens", `[{"id": 4, "content": "`+strings.Repeat("x", 2000)+`"}]`), "2000 bytes"},
		{"added tokens of another type", with("added_tokens", `{"a": 1}`), "added_tokens: json"},

		{"unknown normalizer", with("normalizer", `{"type": "Precompiled"}`), `normalizer: type "Precompiled" is not supported`},
		{"normalizer without type", with("normalizer", `{}`), "names no type"},
		{"part of a sequence", with("normalizer", `{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt"}]}`), `part 1: type "Nmt"`},
		{"replace without pattern", with("normalizer", `{"type": "Replace", "content": "x"}`), "Replace lacks its pattern"},
		{"replace of nothing", with("normalizer", `{"type": "Replace", "pattern": {"String": ""}, "content": "x"}`), "empty string"},
		{"long replacement", with("normalizer", `{"type": "Replace", "pattern": {"String": "a"}, "content": "`+strings.Repeat("x", 999)+`"}`), "more than 256"},
		{"broken pattern", with("normalizer", `{"type": "Replace", "pattern": {"Regex": "(a"}, "content": "x"}`), `pattern "(a"`},
		{"deep normalizers", with("normalizer", strings.Repeat(`{"type": "Sequence", "normalizers": [`, 100)+strings.Repeat(`]}`, 100)), "nested"},
		{"many normalizers", with("normalizer", `{"type": "Sequence", "normalizers": [`+strings.Repeat(`{"type": "NFC"},`, 100)+`{"type": "NFC"}]}`), "a sequence of 101"},

		{"unknown pre-tokenizer", with("pre_tokenizer", `{"type": "BertPreTokenizer"}`), `pre_tokenizer: part 0: type "BertPreTokenizer"`},
		{"byte level without its flag", with("pre_tokenizer", `{"type": "ByteLevel"}`), "add_prefix_space"},
		{"no behavior", with("pre_tokenizer", `{"type": "Split", "pattern": {"String": " "}}`), `the behavior ""`},
		{"pattern of neither kind", with("pre_tokenizer", `{"type": "Split", "pattern": {}, "behavior": "Isolated"}`), "neither String nor Regex"},
		{"long metaspace", with("pre_tokenizer", `{"type": "Metaspace", "replacement": "__"}`), `"__"`},
		{"unknown scheme", with("pre_tokenizer", `{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}`), `"last"`},
		{"schemes that differ", with("pre_tokenizer", `{"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "add_prefix_space": false}`), "add_prefix_space false"},

		{"unknown post-processor", with("post_processor", `{"type": "X"}`), `post_processor: type "X"`},
		{"template of an unknown name", with("post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<z>"}}]}`), `"<z>"`},
		{"template of an unknown id", with("post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<z>"}}],
			"special_tokens": {"<z>": {"ids": [77]}}}`), "id 77"},
		{"template of the second sequence", with("post_processor", `{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}]}`), "piece 0"},
		{"template of many sequences", with("post_processor", `{"type": "TemplateProcessing", "single": [`+
			strings.Repeat(`{"Sequence": {"id": "A"}},`, 9)+`{"Sequence": {"id": "A"}}]}`), "adds more than"},
		{"two templates", with("post_processor", `{"type": "Sequence", "processors": [{"type": "TemplateProcessing", "single": []},
			{"type": "TemplateProcessing", "single": []}]}`), "two templates"},
		{"roberta without cls", with("post_processor", `{"type": "RobertaProcessing", "sep": ["<s>", 3]}`), "cls"},
		{"roberta of an unknown id", with("post_processor", `{"type": "RobertaProcessing", "sep": ["<s>", 3], "cls": ["a", 1e9]}`), "post_processor"},

		{"unknown decoder", with("decoder", `{"type": "CTC"}`), `decoder: type "CTC"`},
		{"strip of a word", with("decoder", `{"type": "Strip", "content": "xx", "start": 1, "stop": 0}`), "one character"},
		{"strip below 0", with("decoder", `{"type": "Strip", "content": "x", "start": -1, "stop": 0}`), "-1"},
		{"null in a sequence", with("decoder", `{"type": "Sequence", "decoders": [null]}`), "null"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one that holds %q", err, test.want)
			}
			if !strings.HasPrefix(err.Error(), "tokenizer.json: ") || len(err.Error()) > 500 {
				t.Errorf("error %v", err)
			}
			if strings.Contains(err.Error(), ErrUnsupported.Error()) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("error %v does not wrap ErrUnsupported", err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ name, part, text, want string }{
		{"id of the vocabulary", "added_tokens", `[{"id": 9, "content": "ab"}]`, `"ab" has id 9 in the file, but counts as 2`},
		{"a gap", "added_tokens", `[{"id": 3, "content": "x"}, {"id": 5, "content": "y"}]`, `"y" has id 5 in the file, but counts as 4`},
		{"truncation", "truncation", `{"max_length": 512}`, "truncation"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tok, err := Load([]byte(document(map[string]string{test.part: test.text})))
			if err != nil {
				t.Fatal(err)
			}
			if w := tok.Warnings(); len(w) != 1 || !strings.Contains(w[0], test.want) {
				t.Errorf("warnings %q, want one that holds %q", w, test.want)
			}
		})
	}
}

// TestTemplateThatRepeats: templates may hold the sequence twice, or not.
func TestTemplateThatRepeats(t *testing.T) {
	tok, err := Load([]byte(document(map[string]string{"post_processor": `{"type": "TemplateProcessing",
		"single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "x"}}, {"Sequence": {"id": "A"}}],
		"special_tokens": {"x": {"ids": [3, 0]}}}`})))
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Encode("abb", Options{AddSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(e.IDs), 6; got != want || e.IDs[2] != 3 || e.Offsets[5] != (Span{2, 3}) || e.Offsets[2] != (Span{}) {
		t.Errorf("got %+v", e)
	}
}

// TestStagesThatGrowWithoutEnd: a short file may not ask for more memory than
// its texts are worth.
func TestStagesThatGrowWithoutEnd(t *testing.T) {
	const double = `{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}`
	list := strings.Repeat(double+",", 29) + double
	for _, parts := range []map[string]string{
		{"normalizer": `{"type": "Sequence", "normalizers": [` + list + `]}`},
		{"pre_tokenizer": `{"type": "Sequence", "pretokenizers": [` + strings.Repeat(`{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},`, 30) +
			`{"type": "WhitespaceSplit"}]}`},
		{"decoder": `{"type": "Sequence", "decoders": [` + list + `]}`},
	} {
		tok, err := Load([]byte(document(parts)))
		if err != nil {
			t.Fatal(err)
		}
		e, err := tok.Encode(strings.Repeat("aé", 100), Options{})
		if err == nil {
			_, err = tok.Decode(e.IDs, false)
		}
		if err == nil || !strings.Contains(err.Error(), "bytes of") {
			t.Errorf("error %v of %v", err, parts)
		}
	}
}

func fuzzSeeds(f *testing.F) {
	f.Add(document(nil), "ab<s>ba é")
	for _, parts := range []map[string]string{
		{"added_tokens": `[{"id": 3, "content": "<s>", "lstrip": true, "rstrip": true, "special": true, "normalized": true},
			{"id": 4, "content": " b", "single_word": true}]`, "normalizer": `{"type": "Prepend", "prepend": "b"}`},
		{"normalizer": `{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Strip", "strip_left": true}, {"type": "ByteLevel"}]}`},
		{"pre_tokenizer": `{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}`, "decoder": `{"type": "Metaspace", "replacement": "▁"}`},
		{"pre_tokenizer": `{"type": "Split", "pattern": {"Regex": "\\d*|b"}, "behavior": "MergedWithNext", "invert": true}`},
		{"post_processor": `{"type": "RobertaProcessing", "sep": ["<s>", 3], "cls": ["a", 0]}`},
		{"model": `{"type": "BPE", "byte_fallback": true, "unk_token": "a", "fuse_unk": true, "vocab": {"a": 0, "<0xC3>": 1}, "merges": [["a", "a"]]}`},
	} {
		f.Add(document(parts), "ab \u00e9\u0301b12")
	}
}

// FuzzLoad looks for files that make Load, Encode or Decode panic, and for ids
// that no token has.
func FuzzLoad(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, file, text string) {
		if len(text) > 200 {
			t.Skip()
		}
		tok, err := Load([]byte(file))
		if err != nil {
			return
		}
		for _, opts := range []Options{{AddSpecial: true}, {SpecialAsText: true}} {
			e, err := tok.Encode(text, opts)
			if err != nil {
				continue
			}
			for i, id := range e.IDs {
				if _, ok := tok.TokenText(id); !ok || int(id) >= tok.VocabSize() {
					t.Fatalf("id %d, which no token has", id)
				}
				if o := e.Offsets[i]; o.Start < 0 || o.End > len(text) {
					t.Fatalf("offsets %v in a text of %d bytes", o, len(text))
				}
			}
			if decoded, err := tok.Decode(e.IDs, true); err == nil && !utf8.ValidString(decoded) {
				t.Fatalf("decoded %q", decoded)
			}
			streamed(t, tok, e.IDs, false)
		}
	})
}

// FuzzRoundTrip: what a byte-level tokenizer without normalizer encodes, it
// decodes again.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range readTexts(f)[:40] {
		f.Add(text)
	}
	var toks []*Tokenizer
	for _, name := range []string{"gpt2", "llama3", "gpt4o", "deepseek3"} {
		_, tok := readSmall(f, name)
		toks = append(toks, tok)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		for _, tok := range toks {
			for _, opts := range []Options{{}, {SpecialAsText: true}} {
				e, err := tok.Encode(text, opts)
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range e.IDs {
					if int(id) >= tok.VocabSize() || opts.SpecialAsText && tok.IsSpecial(id) {
						t.Fatalf("%q: id %d", text, id)
					}
				}
				if got, err := tok.Decode(e.IDs, false); err != nil || got != text {
					t.Fatalf("%q comes back as %q, %v", text, got, err)
				}
				if got := streamed(t, tok, e.IDs, false); got != text {
					t.Fatalf("%q comes back as %q by the stream", text, got)
				}
			}
		}
	})
}
