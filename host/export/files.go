package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// tokenizerFiles are what a model's folder may hold beside weights and
// configuration, and what a merged model takes over as it is.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
	"vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", "generation_config.json",
}

// CopyTokenizer copies tokenizer, chat template and generation configuration
// from one model's folder to another's. What is not there is not missed.
func CopyTokenizer(from, to string) error {
	for _, name := range tokenizerFiles {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// WriteConfiguration writes a model's config.json with the changes given; a nil
// value removes a key.
func WriteConfiguration(path string, configuration []byte, changes map[string]any) error {
	var c map[string]any
	decoder := json.NewDecoder(bytes.NewReader(configuration))
	decoder.UseNumber() // numbers keep the digits that they are written with
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	for key, v := range changes {
		if v == nil {
			delete(c, key)
			continue
		}
		c[key] = v
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
