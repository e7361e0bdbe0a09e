package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// Sources are the chat templates of a model: mostly one, in some models several
// under names.
type Sources struct {
	named map[string]string
	// Path is the file that they are from; "" for a GGUF file's.
	Path string
}

// The names of templates that have a meaning.
const (
	defaultName = "default"
	toolUseName = "tool_use"
)

// Found reports whether there is a template.
func (s Sources) Found() bool { return len(s.named) > 0 }

// Names are the names of the templates, in order; a single one is "default".
func (s Sources) Names() []string {
	names := make([]string, 0, len(s.named))
	for name := range s.named {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Choose is the source of the template with a name. With "" it is the one to use:
// "tool_use" for conversations with tools, if there is one, else "default".
func (s Sources) Choose(name string, tools bool) (string, error) {
	if !s.Found() {
		return "", fault.New(fault.BadInput, "the model has no chat template").
			WithHint("set data.chat_template to a template, a .jinja file or its text")
	}
	if name == "" {
		name = defaultName
		if _, ok := s.named[toolUseName]; ok && tools {
			name = toolUseName
		}
	}
	source, ok := s.named[name]
	if !ok {
		return "", fault.New(fault.BadInput, "the model has no chat template named %q", name).
			WithHint("it has %s: set data.chat_template to the text of one of them", strings.Join(s.Names(), ", "))
	}
	return source, nil
}

// maxFile is the most bytes that are read of a file.
const maxFile = 64 << 20

// Find finds the chat templates of a model's folder, in the order of transformers:
// chat_template.jinja and additional_chat_templates/*.jinja; else the
// "chat_template" of tokenizer_config.json, a string or a list of named ones; else
// that of chat_template.json. A folder without any is no error.
func Find(dir string) (Sources, error) {
	found, err := findFiles(dir)
	if err != nil || found.Found() {
		return found, err
	}
	for _, name := range []string{"tokenizer_config.json", "chat_template.json"} {
		path := filepath.Join(dir, name)
		var config struct {
			Template json.RawMessage `json:"chat_template"`
		}
		ok, err := readJSON(path, &config)
		if err != nil {
			return Sources{}, err
		}
		if !ok {
			continue
		}
		named, err := inline(config.Template)
		if err != nil {
			return Sources{}, fmt.Errorf("%s: %w", path, err)
		}
		if len(named) > 0 {
			return Sources{named: named, Path: path}, nil
		}
	}
	return Sources{}, nil
}

// findFiles are the templates in files of their own.
func findFiles(dir string) (Sources, error) {
	found := Sources{named: map[string]string{}}
	main := filepath.Join(dir, "chat_template.jinja")
	source, err := readFile(main)
	switch {
	case err == nil:
		found.named[defaultName], found.Path = string(source), main
	case !errors.Is(err, fs.ErrNotExist):
		return Sources{}, err
	}
	more := filepath.Join(dir, "additional_chat_templates")
	entries, err := os.ReadDir(more)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Sources{}, err
	}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".jinja")
		if !ok || entry.IsDir() {
			continue
		}
		source, err := readFile(filepath.Join(more, entry.Name()))
		if err != nil {
			return Sources{}, err
		}
		found.named[name] = string(source)
		if found.Path == "" {
			found.Path = more
		}
	}
	return found, nil
}

// inline are the templates of a "chat_template" in JSON.
func inline(raw json.RawMessage) (map[string]string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return map[string]string{defaultName: one}, nil
	}
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New(`"chat_template" is neither a string nor a list of {"name", "template"}`)
	}
	named := map[string]string{}
	for i, t := range list {
		if t.Name == "" {
			return nil, fmt.Errorf(`template %d of "chat_template" has no name`, i+1)
		}
		named[t.Name] = t.Template
	}
	return named, nil
}

// Metadata is the metadata of a GGUF file, as *gguf.File has it.
type Metadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Strings(key string) ([]string, error)
}

// FromGGUF are the chat templates in the metadata of a GGUF file: the key
// tokenizer.chat_template, and tokenizer.chat_template.NAME for every name that
// tokenizer.chat_templates lists.
func FromGGUF(metadata Metadata) (Sources, error) {
	const key = "tokenizer.chat_template"
	found := Sources{named: map[string]string{}}
	if metadata.Has(key + "s") {
		names, err := metadata.Strings(key + "s")
		if err != nil {
			return Sources{}, err
		}
		for _, name := range names {
			if found.named[name], err = metadata.String(key + "." + name); err != nil {
				return Sources{}, err
			}
		}
	}
	if metadata.Has(key) {
		source, err := metadata.String(key)
		if err != nil {
			return Sources{}, err
		}
		found.named[defaultName] = source
	}
	return found, nil
}

// Single is a template that stands alone.
func Single(source string) Sources {
	return Sources{named: map[string]string{defaultName: source}}
}

// specialTokens are the names of tokens that templates are given.
var specialTokens = [...]string{
	"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
}

// SpecialTokens are the named tokens of a model's folder, for [Config]: those of
// tokenizer_config.json, and in folders of before 2023, whose
// tokenizer_config.json has no added_tokens_decoder, of special_tokens_map.json.
func SpecialTokens(dir string) (map[string]string, error) {
	out := map[string]string{}
	path := filepath.Join(dir, "tokenizer_config.json")
	config := map[string]json.RawMessage{}
	if _, err := readJSON(path, &config); err != nil {
		return nil, err
	}
	if err := takeTokens(out, path, config); err != nil {
		return nil, err
	}
	if _, ok := config["added_tokens_decoder"]; ok {
		return out, nil
	}
	path = filepath.Join(dir, "special_tokens_map.json")
	older := map[string]json.RawMessage{}
	if _, err := readJSON(path, &older); err != nil {
		return nil, err
	}
	return out, takeTokens(out, path, older)
}

// takeTokens reads tokens that are strings, or objects with a "content".
func takeTokens(out map[string]string, path string, config map[string]json.RawMessage) error {
	for _, name := range specialTokens {
		raw, ok := config[name]
		if !ok || string(raw) == "null" {
			continue
		}
		var plain string
		if json.Unmarshal(raw, &plain) == nil {
			out[name] = plain
			continue
		}
		var object struct {
			Content *string `json:"content"`
		}
		if err := json.Unmarshal(raw, &object); err != nil || object.Content == nil {
			return fmt.Errorf(`%s: %q is neither a string nor an object with "content"`, path, name)
		}
		out[name] = *object.Content
	}
	return nil
}

// readJSON reads a file into v; ok is false if there is none.
func readJSON(path string, v any) (ok bool, err error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// readFile reads a file that is not too large.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return data, nil
}
