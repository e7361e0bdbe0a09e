package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// WithTokens is the tokenizer with more added tokens, which get the ids after the
// greatest. special says whether decoding can leave them out. A text that is a token
// already, or no token's, is an error that names it.
func (t *Tokenizer) WithTokens(texts []string, special bool) (*Tokenizer, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(t.raw, &whole); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if raw := whole["added_tokens"]; raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("added_tokens: %w", err)
		}
	}
	first := t.VocabSize()
	for i, text := range texts {
		if id, known := t.TokenID(text); known {
			return nil, fmt.Errorf("%q is a token already, with the id %d", text, id)
		}
		entry, err := marshal(addedEntry(int32(first+i), text, special))
		if err != nil {
			return nil, err
		}
		list = append(list, entry)
	}
	var err error
	if whole["added_tokens"], err = marshal(list); err != nil {
		return nil, err
	}
	data, err := marshal(whole)
	if err != nil {
		return nil, err
	}
	extended, err := Load(data)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if id, _ := extended.TokenID(text); id != int32(first+i) {
			return nil, fmt.Errorf("%q gets the id %d and not %d, the next one: the tokenizer leaves ids out", text, id, first+i)
		}
	}
	return extended, nil
}

// addedEntry is an added token as tokenizer.json and tokenizer_config.json have it.
func addedEntry(id int32, text string, special bool) map[string]any {
	return map[string]any{
		"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special,
	}
}

// marshal is value as JSON, characters of HTML as they are.
func marshal(value any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}

// AddTokens enters what [Tokenizer.WithTokens] added, where the file lists added
// tokens at all. The Config that it gives is a copy.
func (c *Config) AddTokens(t *Tokenizer, texts []string) (*Config, error) {
	out := *c
	raw, listed := c.Fields["added_tokens_decoder"]
	if !listed {
		return &out, nil
	}
	var decoder map[string]json.RawMessage
	if err := json.Unmarshal(raw, &decoder); err != nil {
		return nil, fmt.Errorf("added_tokens_decoder: %w", err)
	}
	if decoder == nil { // null
		decoder = map[string]json.RawMessage{}
	}
	for _, text := range texts {
		id, _ := t.TokenID(text)
		entry := addedEntry(id, text, t.IsSpecial(id))
		delete(entry, "id")
		value, err := marshal(entry)
		if err != nil {
			return nil, err
		}
		decoder[fmt.Sprint(id)] = value
	}
	value, err := marshal(decoder)
	if err != nil {
		return nil, err
	}
	out.Fields = map[string]json.RawMessage{}
	for name, field := range c.Fields {
		out.Fields[name] = field
	}
	out.Fields["added_tokens_decoder"] = value
	return &out, nil
}
