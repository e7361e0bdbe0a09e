package data

import (
	"os"
	"testing"

	"github.com/honeml/hone/host/data/tokenizer"
	"github.com/honeml/hone/sdk/weights/gguf"
)

// smollm2 is the encoder of the GGUF file that HONE_TEST_SMOLLM2 names.
func smollm2(t testing.TB) (*Encoder, string) {
	t.Helper()
	path := os.Getenv("HONE_TEST_SMOLLM2")
	if path == "" {
		t.Skip("HONE_TEST_SMOLLM2 is not set: the path of SmolLM2-135M-Instruct's GGUF file")
	}
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tok, err := tokenizer.FromGGUF(file)
	if err != nil {
		t.Fatal(err)
	}
	template, err := file.String("tokenizer.chat_template")
	if err != nil {
		t.Fatal(err)
	}
	encoder := &Encoder{Tokenizer: tok, EOS: idOf(t, tok, "<|im_end|>"), Vocabulary: 49152}
	encoder.Template = newTemplate(t, template, "<|im_start|>", "<|im_end|>")
	return encoder, template
}

func TestSmolLM2Goldens(t *testing.T) {
	encoder, template := smollm2(t)
	g := readGolden(t, "smollm2.json")
	if g.Templates["own"] != template {
		t.Error("the file's chat template is not the one that the goldens were made with")
	}
	testGoldens(t, g, map[string]*Encoder{"smollm2": encoder})
}

// SmolLM2's template has no generation blocks. Its turns, found by rendering, are
// those that blocks would mark.
func TestSmolLM2TurnsWithoutBlocks(t *testing.T) {
	encoder, template := smollm2(t)
	g := readGolden(t, "smollm2.json")
	g.Templates["marked"] = template
	testGoldens(t, g, map[string]*Encoder{"smollm2": encoder})
}
