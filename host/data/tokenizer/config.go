package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// A Config is a tokenizer_config.json, which transformers keeps beside a
// tokenizer.json: what the special tokens are for.
type Config struct {
	// Class is the tokenizer's class in transformers.
	Class string
	// BOS, EOS, Pad and Unknown are the texts of the tokens that begin and end
	// a sequence, fill one up, and stand for unknown text; "" for none.
	BOS, EOS, Pad, Unknown string
	// AddBOS and AddEOS say whether sequences begin and end with the tokens;
	// nil where the file does not say, and the post-processor decides.
	AddBOS, AddEOS *bool
	// MaxLength is the number of tokens that the model was made for; 0 where
	// none is given.
	MaxLength int
	// Fields are all the file's fields, chat_template among them.
	Fields map[string]json.RawMessage
}

// ParseConfig reads a tokenizer_config.json.
func ParseConfig(data []byte) (*Config, error) {
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return c, nil
}

func parseConfig(data []byte) (*Config, error) {
	if !utf8.Valid(data) {
		return nil, ErrInvalidUTF8
	}
	c := new(Config)
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &c.Fields); err != nil {
		return nil, err
	}
	if c.Fields == nil {
		return nil, errors.New("null where an object is expected")
	}
	for _, token := range c.tokens() {
		text, err := configToken(c.Fields[token.name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", token.name, err)
		}
		*token.text = text
	}
	var length *float64
	for _, field := range []struct {
		name  string
		value any
	}{
		{"tokenizer_class", &c.Class},
		{"add_bos_token", &c.AddBOS},
		{"add_eos_token", &c.AddEOS},
		{"model_max_length", &length},
	} {
		if text, ok := c.Fields[field.name]; ok {
			if err := json.Unmarshal(text, field.value); err != nil {
				return nil, fmt.Errorf("%s: %w", field.name, err)
			}
		}
	}
	// transformers writes 1e30 for no limit.
	if length != nil && *length >= 1 && *length < math.MaxInt32 {
		c.MaxLength = int(*length)
	}
	return c, nil
}

type configField struct {
	name string
	text *string
}

func (c *Config) tokens() []configField {
	return []configField{{"bos_token", &c.BOS}, {"eos_token", &c.EOS}, {"pad_token", &c.Pad}, {"unk_token", &c.Unknown}}
}

// configToken reads a token: a string, an object that describes an added
// token, or null.
func configToken(text json.RawMessage) (string, error) {
	if text == nil || string(text) == "null" {
		return "", nil
	}
	if text[0] == '{' {
		var token struct {
			Content *string `json:"content"`
		}
		if err := json.Unmarshal(text, &token); err != nil {
			return "", err
		}
		if token.Content == nil {
			return "", errors.New("an object without content")
		}
		return *token.Content, nil
	}
	var token string
	err := json.Unmarshal(text, &token)
	return token, err
}

// Marshal returns the tokenizer_config.json: all Fields, with those that have
// a field of their own as it says.
func (c *Config) Marshal() ([]byte, error) {
	fields := make(map[string]any, len(c.Fields)+8)
	for name, text := range c.Fields {
		fields[name] = text
	}
	set := func(name string, value any, there bool) {
		if there {
			fields[name] = value
		} else {
			delete(fields, name)
		}
	}
	for _, token := range c.tokens() {
		before, err := configToken(c.Fields[token.name])
		if err != nil || before != *token.text { // else as it was written
			set(token.name, *token.text, *token.text != "")
		}
	}
	set("tokenizer_class", c.Class, c.Class != "")
	set("add_bos_token", c.AddBOS, c.AddBOS != nil)
	set("add_eos_token", c.AddEOS, c.AddEOS != nil)
	if c.MaxLength > 0 {
		fields["model_max_length"] = c.MaxLength
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(fields); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return b.Bytes(), nil
}

// ConfigFromGGUF returns the Config of a GGUF file. Its class is one that
// transformers loads with the tokenizer.json of [FromGGUF].
func ConfigFromGGUF(meta Metadata) (*Config, error) {
	c := &Config{
		Class: "PreTrainedTokenizerFast",
		Fields: map[string]json.RawMessage{
			"clean_up_tokenization_spaces": json.RawMessage("false"),
		},
	}
	if err := c.readGGUF(meta); err != nil {
		return nil, fmt.Errorf("the tokenizer of the GGUF file: %w", err)
	}
	return c, nil
}

func (c *Config) readGGUF(meta Metadata) error {
	g, err := readGGUF(meta)
	if err != nil {
		return err
	}
	if g.kind == "llama" {
		if err := g.respell(); err != nil {
			return err
		}
	}
	keys := map[string]string{"bos_token": keyBOS, "eos_token": keyEOS, "pad_token": keyPadding, "unk_token": keyUnknown}
	for _, token := range c.tokens() {
		key := keys[token.name]
		if !meta.Has(key) {
			continue
		}
		id, err := meta.Uint(key)
		if err != nil {
			return err
		}
		if id >= uint64(g.used) {
			return fmt.Errorf("%s is %d; the file has %d tokens", key, id, g.used)
		}
		*token.text = g.tokens[id]
	}
	if meta.Has(keyTemplate) {
		template, err := meta.String(keyTemplate)
		if err != nil {
			return err
		}
		text, err := json.Marshal(template)
		if err != nil {
			return err
		}
		c.Fields["chat_template"] = text
	}
	if !meta.Has(keyArchitecture) {
		return nil
	}
	name, err := meta.String(keyArchitecture)
	if err != nil || !meta.Has(name+".context_length") {
		return err
	}
	length, err := meta.Uint(name + ".context_length")
	if err == nil && length < math.MaxInt32 {
		c.MaxLength = int(length)
	}
	return err
}
