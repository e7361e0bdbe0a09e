package basemodel

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/host/data/chat"
	"github.com/honeml/hone/host/data/tokenizer"
	"github.com/honeml/hone/sdk/fault"
)

// A Text is what turns text into a model's ids and back.
type Text struct {
	Tokenizer *tokenizer.Tokenizer
	// EOS ends a document; NoToken if the model has none.
	EOS int32
	// Stop are the ids that end an answer: EOS and those that the generation
	// configuration adds.
	Stop []int32
	// Special are the special tokens by the names that chat templates know them
	// by: bos_token, eos_token, …
	Special map[string]string
	// Config is the tokenizer's configuration.
	Config *tokenizer.Config
	// Templates are the model's chat templates.
	Templates chat.Sources
}

// NoToken is the id of a token that a model does not have.
const NoToken int32 = -1

// Text reads the model's tokenizer and chat template.
func (m *Model) Text() (*Text, error) {
	if m.text != nil {
		return m.text, nil
	}
	t := &Text{EOS: NoToken, Special: map[string]string{}}
	read := t.readFolder
	if m.Folder == "" {
		read = func(m *Model) error { return t.readGGUF(m) }
	}
	if err := read(m); err != nil {
		return nil, err
	}
	t.addStops(m.Configuration)
	if vocabulary := m.Graph.Vocabulary(); t.Tokenizer.VocabSize() > vocabulary {
		return nil, fault.New(fault.InvalidModel, "the tokenizer has ids up to %d, the model %d of them", t.Tokenizer.VocabSize()-1, vocabulary)
	}
	return t, nil
}

// addStop notes an id that ends an answer.
func (t *Text) addStop(id int32) {
	if id >= 0 && !slices.Contains(t.Stop, id) {
		t.Stop = append(t.Stop, id)
	}
}

// addStops notes EOS, and what a configuration's eos_token_id says: an id or
// several.
func (t *Text) addStops(configuration []byte) {
	t.addStop(t.EOS)
	var c struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if json.Unmarshal(configuration, &c) != nil {
		return
	}
	var one int32
	var several []int32
	switch {
	case json.Unmarshal(c.EOS, &one) == nil && string(c.EOS) != "null":
		t.addStop(one)
		if t.EOS == NoToken {
			t.EOS = one
		}
	case json.Unmarshal(c.EOS, &several) == nil:
		for _, id := range several {
			t.addStop(id)
		}
	}
}

func (t *Text) readFolder(m *Model) error {
	path := filepath.Join(m.Folder, "tokenizer.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fault.New(fault.InvalidModel, "the model has no tokenizer: %w", err)
	}
	if t.Tokenizer, err = tokenizer.Load(data); err != nil {
		return fault.New(fault.InvalidModel, "%s: %w", path, err)
	}
	if err := t.readTokenizerConfig(filepath.Join(m.Folder, "tokenizer_config.json")); err != nil {
		return err
	}
	generation, err := os.ReadFile(filepath.Join(m.Folder, "generation_config.json"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	t.addStops(generation)
	if t.Templates, err = chat.Find(m.Folder); err != nil {
		return fault.New(fault.InvalidModel, "%w", err)
	}
	special, err := chat.SpecialTokens(m.Folder)
	if err != nil {
		return fault.New(fault.InvalidModel, "%w", err)
	}
	maps.Copy(t.Special, special)
	return nil
}

// readTokenizerConfig reads the configuration beside a tokenizer, if there is
// one.
func (t *Text) readTokenizerConfig(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Config = &tokenizer.Config{}
		return nil
	}
	if err != nil {
		return err
	}
	if t.Config, err = tokenizer.ParseConfig(data); err != nil {
		return fault.New(fault.InvalidModel, "%s: %w", path, err)
	}
	t.useConfig()
	return nil
}

// useConfig takes the special tokens from the configuration.
func (t *Text) useConfig() {
	for name, text := range map[string]string{
		"bos_token": t.Config.BOS, "eos_token": t.Config.EOS, "pad_token": t.Config.Pad, "unk_token": t.Config.Unknown,
	} {
		if text != "" {
			t.Special[name] = text
		}
	}
	if id, ok := t.Tokenizer.TokenID(t.Config.EOS); ok && t.Config.EOS != "" {
		t.EOS = id
	}
}

// readGGUF takes tokenizer and template from a GGUF file's key-values.
func (t *Text) readGGUF(m *Model) error {
	file := m.Checkpoint.GGUF()
	var err error
	if t.Tokenizer, err = tokenizer.FromGGUF(file); err != nil {
		return fault.New(fault.InvalidModel, "%w", err)
	}
	if t.Config, err = tokenizer.ConfigFromGGUF(file); err != nil {
		return fault.New(fault.InvalidModel, "%w", err)
	}
	t.useConfig()
	for _, key := range []string{"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"} {
		if id, err := file.Uint(key); err == nil && id <= math.MaxInt32 {
			t.addStop(int32(id))
		}
	}
	if t.Templates, err = chat.FromGGUF(file); err != nil {
		return fault.New(fault.InvalidModel, "%w", err)
	}
	return nil
}
