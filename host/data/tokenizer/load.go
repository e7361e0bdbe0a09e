package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/honeml/hone/host/data/tokenizer/internal/jsontext"
)

// ErrUnsupported is wrapped by the errors for what a tokenizer.json may well
// hold, but this package does not implement.
var ErrUnsupported = errors.New("not supported")

// Load reads a tokenizer.json. It keeps data, which must not change.
//
// An error names the part of the file; it wraps [ErrUnsupported] if the file
// is in order but asks for more than this package does.
func Load(data []byte) (*Tokenizer, error) {
	t, err := load(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

// maxFile bounds the file, so that offsets in it fit 32 bits.
const maxFile = 1 << 30

// file is a tokenizer.json as far as encoding/json reads it.
type file struct {
	parts map[string]json.RawMessage
	model *modelFile
}

func load(data []byte) (*Tokenizer, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("a file of %d bytes; the limit is %d", len(data), maxFile)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	f, err := readFile(data)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{raw: data}
	if err := t.build(f); err != nil {
		return nil, err
	}
	return t, nil
}

// readFile finds the parts of the file.
func readFile(data []byte) (*file, error) {
	f := &file{parts: make(map[string]json.RawMessage)}
	r := jsontext.NewReader(data, 0)
	err := r.Object(func(key []byte) error {
		name := string(key)
		if name == "model" {
			model, err := readModel(r)
			if err != nil {
				return fmt.Errorf("model: %w", err)
			}
			f.model = model
			return nil
		}
		text, _, err := r.Value()
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		f.parts[name] = text
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, err
	}
	if version, ok := f.parts["version"]; ok && string(version) != `"1.0"` {
		return nil, fmt.Errorf("version %s; only 1.0 is known", shortText(version))
	}
	if f.model == nil {
		return nil, errors.New("it has no model; is it the tokenizer.json of a model?")
	}
	return f, nil
}

// shortText bounds what an error quotes.
func shortText(text []byte) string {
	const most = 60
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}

// build makes the stages from the file. The order is that of their needs: added
// tokens are normalised and take their ids from the vocabulary, merges must not
// make special tokens, and the post-processor names tokens.
func (t *Tokenizer) build(f *file) error {
	var err error
	if t.model, err = f.model.vocabulary(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if t.normalizer, err = readNormalizer(f.parts["normalizer"], 0); err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	if err := t.addTokens(f.parts["added_tokens"]); err != nil {
		return fmt.Errorf("added_tokens: %w", err)
	}
	if t.stages, t.model.byteLevel, err = readPreTokenizer(f.parts["pre_tokenizer"]); err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	t.model.prepare()
	if err := f.model.readMerges(t.model, t.IsSpecial); err != nil {
		return fmt.Errorf("model: merges: %w", err)
	}
	if t.template, err = readPostProcessor(f.parts["post_processor"], t.hasID); err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	if t.decoder, err = readDecoder(f.parts["decoder"], 0); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	for _, name := range []string{"truncation", "padding"} {
		if part := f.parts[name]; part != nil && string(part) != "null" {
			t.warnings = append(t.warnings, name+" in tokenizer.json is not applied: the run decides on lengths")
		}
	}
	return nil
}

func (t *Tokenizer) hasID(id int32) bool {
	_, ok := t.TokenText(id)
	return ok
}

func (t *Tokenizer) addTokens(text json.RawMessage) error {
	var entries []struct {
		ID         *int64  `json:"id"`
		Content    *string `json:"content"`
		SingleWord bool    `json:"single_word"`
		LStrip     bool    `json:"lstrip"`
		RStrip     bool    `json:"rstrip"`
		Normalized bool    `json:"normalized"`
		Special    bool    `json:"special"`
	}
	if text != nil {
		if err := json.Unmarshal(text, &entries); err != nil {
			return err
		}
	}
	tokens := make([]AddedToken, 0, len(entries))
	for i, e := range entries {
		if e.ID == nil || e.Content == nil {
			return fmt.Errorf("entry %d lacks its id or its content", i)
		}
		if *e.ID < 0 || *e.ID > maxID {
			return fmt.Errorf("token %q has id %d; ids go from 0 to %d", shortText([]byte(*e.Content)), *e.ID, maxID)
		}
		tokens = append(tokens, AddedToken{int32(*e.ID), *e.Content, e.SingleWord, e.LStrip, e.RStrip, e.Normalized, e.Special})
	}
	var err error
	t.added, t.warnings, err = newAddedTokens(tokens, t.model, t.normalizer)
	if err != nil {
		return err
	}
	size := len(t.model.tokens)
	for _, token := range t.added.list {
		size = max(size, int(token.ID)+1)
	}
	t.special = make([]bool, size)
	for _, token := range t.added.list {
		t.special[token.ID] = t.added.special[token.Content]
	}
	return nil
}
