package tokenizer

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/honeml/hone/sdk/weights/gguf"
)

// TestPythonReadsWhatIsWritten has tokenizers and transformers load the files
// written of GGUF metadata. HONE_TEST_PYTHON is a Python that has them.
func TestPythonReadsWhatIsWritten(t *testing.T) {
	python := os.Getenv("HONE_TEST_PYTHON")
	if python == "" {
		t.Skip("HONE_TEST_PYTHON is not set")
	}
	cases := map[string]Metadata{}
	for name, pre := range map[string]string{"llama3": "llama-bpe", "qwen2": "qwen2", "smollm": "smollm"} {
		g, own := readSmall(t, name)
		meta := ggufOf(t, g, own, pre)
		tokens := own.AddedTokens()
		meta[keyBOS], meta[keyEOS] = uint64(tokens[0].ID), uint64(tokens[1].ID)
		meta[keyTemplate] = "{{ messages }} <a> & b"
		cases[name] = meta
	}
	if path := os.Getenv("HONE_TEST_SMOLLM2"); path != "" {
		file, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		cases["SmolLM2"] = file
	}
	for name, meta := range cases {
		t.Run(name, func(t *testing.T) { checkPython(t, python, meta) })
	}
}

func checkPython(t *testing.T, python string, meta Metadata) {
	t.Helper()
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	config, err := ConfigFromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	configText, err := config.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, text := range map[string][]byte{"tokenizer.json": tok.MarshalTokenizerJSON(), "tokenizer_config.json": configText} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := os.ReadFile("testdata/golden/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "testdata/check_python.py", folder)
	command.Stdin = bytes.NewReader(texts)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Tokenizers   [][]int32 `json:"tokenizers"`
		Transformers [][]int32 `json:"transformers"`
		Class        string    `json:"class"`
		Special      []*string `json:"special"`
		Template     *string   `json:"template"`
		Length       int       `json:"length"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, text := range readTexts(t) {
		e, err := tok.Encode(text, Options{AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, got.Tokenizers[i]) || !slices.Equal(e.IDs, got.Transformers[i]) {
			t.Errorf("%q: %v, tokenizers %v, transformers %v", text, e.IDs, got.Tokenizers[i], got.Transformers[i])
		}
	}
	for i, want := range []string{config.BOS, config.EOS, config.Pad, config.Unknown} {
		if s := got.Special[i]; (s == nil) != (want == "") || s != nil && *s != want {
			t.Errorf("special token %d: %v, want %q", i, s, want)
		}
	}
	if got.Template == nil || got.Length != tok.VocabSize() {
		t.Errorf("template %v, length %d, class %s; VocabSize is %d", got.Template, got.Length, got.Class, tok.VocabSize())
	}
}
