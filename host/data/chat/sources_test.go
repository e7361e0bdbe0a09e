package chat

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/weights/gguf"
)

// folder makes a folder with the given files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		names []string
		plain string // chosen without tools
		tools string // chosen with tools
		path  string
	}{
		{"none", map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`}, []string{}, "", "", ""},
		{"empty folder", nil, []string{}, "", "", ""},
		{"a string", map[string]string{"tokenizer_config.json": `{"chat_template": "A"}`}, []string{"default"}, "A", "A", "tokenizer_config.json"},
		{"null", map[string]string{"tokenizer_config.json": `{"chat_template": null}`}, []string{}, "", "", ""},
		{"named", map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}, {"name": "rag", "template": "C"}]}`}, []string{"default", "rag", "tool_use"}, "A", "B", "tokenizer_config.json"},
		{"a file of its own wins", map[string]string{"chat_template.jinja": "F\n", "tokenizer_config.json": `{"chat_template": "A"}`}, []string{"default"}, "F\n", "F\n", "chat_template.jinja"},
		{"more files", map[string]string{"chat_template.jinja": "F", "additional_chat_templates/tool_use.jinja": "T", "additional_chat_templates/notes.txt": "N"}, []string{"default", "tool_use"}, "F", "T", "chat_template.jinja"},
		{"files hide the inline ones", map[string]string{"additional_chat_templates/tool_use.jinja": "T", "tokenizer_config.json": `{"chat_template": "A"}`}, []string{"tool_use"}, "", "T", "additional_chat_templates"},
		{"a processor's", map[string]string{"chat_template.json": `{"chat_template": "P"}`}, []string{"default"}, "P", "P", "chat_template.json"},
		{"the tokenizer's before the processor's", map[string]string{"chat_template.json": `{"chat_template": "P"}`, "tokenizer_config.json": `{"chat_template": "A"}`}, []string{"default"}, "A", "A", "tokenizer_config.json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := folder(t, test.files)
			got, err := Find(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Names(), test.names) || got.Found() != (len(test.names) > 0) {
				t.Errorf("found %q, want %q", got.Names(), test.names)
			}
			if test.path != "" && got.Path != filepath.Join(dir, test.path) {
				t.Errorf("found in %s, want %s", got.Path, test.path)
			}
			for tools, want := range map[bool]string{false: test.plain, true: test.tools} {
				source, err := got.Choose("", tools)
				if source != want || (err == nil) != (want != "") {
					t.Errorf("with tools %v, the template is %q, %v; want %q", tools, source, err, want)
				}
				if err != nil && (!errors.Is(err, fault.BadInput) || fault.HintOf(err) == "") {
					t.Errorf("the error is %#v", err)
				}
			}
		})
	}
}

func TestChooseByName(t *testing.T) {
	sources := Sources{named: map[string]string{"default": "A", "rag": "B"}}
	if got, err := sources.Choose("rag", true); got != "B" || err != nil {
		t.Errorf("rag is %q, %v", got, err)
	}
	_, err := sources.Choose("tool_use", true)
	if err == nil || !strings.Contains(err.Error(), `"tool_use"`) || !strings.Contains(fault.HintOf(err), "default, rag") {
		t.Errorf("the error is %v", err)
	}
	if got, err := Single("X").Choose("", true); got != "X" || err != nil {
		t.Errorf("a single template is %q, %v", got, err)
	}
}

func TestFindErrors(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"broken JSON", map[string]string{"tokenizer_config.json": `{"chat_template": `}, "tokenizer_config.json: unexpected end of JSON input"},
		{"wrong type", map[string]string{"tokenizer_config.json": `{"chat_template": 5}`}, `"chat_template" is neither a string nor a list`},
		{"no name", map[string]string{"tokenizer_config.json": `{"chat_template": [{"template": "A"}]}`}, `template 1 of "chat_template" has no name`},
		{"a folder", map[string]string{"chat_template.jinja/x": ""}, "chat_template.jinja"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Find(folder(t, test.files))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestSpecialTokens(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  map[string]string
	}{
		{"none", nil, map[string]string{}},
		{"strings and objects", map[string]string{"tokenizer_config.json": `{"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null, "added_tokens_decoder": {}, "sep": "x"}`}, map[string]string{"bos_token": "<s>", "eos_token": "</s>"}},
		{"the older file", map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`, "special_tokens_map.json": `{"bos_token": "<b>", "unk_token": {"content": "<u>"}, "additional_special_tokens": ["x"]}`}, map[string]string{"bos_token": "<b>", "unk_token": "<u>"}},
		{"the older file does not count", map[string]string{"tokenizer_config.json": `{"bos_token": "<s>", "added_tokens_decoder": {}}`, "special_tokens_map.json": `{"bos_token": "<b>"}`}, map[string]string{"bos_token": "<s>"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := SpecialTokens(folder(t, test.files))
			if err != nil || !maps.Equal(got, test.want) {
				t.Errorf("the tokens are %v, %v; want %v", got, err, test.want)
			}
		})
	}
	for _, bad := range []string{`{"bos_token": 5}`, `{"bos_token": {"lstrip": true}}`, `[]`, `{`} {
		_, err := SpecialTokens(folder(t, map[string]string{"tokenizer_config.json": bad}))
		if err == nil || !strings.Contains(err.Error(), "tokenizer_config.json") {
			t.Errorf("%s: the error is %v", bad, err)
		}
	}
}

// keys are the metadata of a GGUF file.
type keys map[string]any

func (k keys) Has(key string) bool { _, ok := k[key]; return ok }

func (k keys) String(key string) (string, error) {
	if s, ok := k[key].(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("%s: no string", key)
}

func (k keys) Strings(key string) ([]string, error) {
	if s, ok := k[key].([]string); ok {
		return s, nil
	}
	return nil, fmt.Errorf("%s: no list of strings", key)
}

func TestFromGGUF(t *testing.T) {
	got, err := FromGGUF(keys{
		"tokenizer.chat_template":          "A",
		"tokenizer.chat_templates":         []string{"tool_use"},
		"tokenizer.chat_template.tool_use": "B",
	})
	if err != nil || !maps.Equal(got.named, map[string]string{"default": "A", "tool_use": "B"}) {
		t.Errorf("the templates are %v, %v", got.named, err)
	}
	if got, err := FromGGUF(keys{}); err != nil || got.Found() {
		t.Errorf("a file without templates has %v, %v", got.named, err)
	}
	for _, bad := range []keys{{"tokenizer.chat_template": 5}, {"tokenizer.chat_templates": "x"}, {"tokenizer.chat_templates": []string{"x"}}} {
		if _, err := FromGGUF(bad); err == nil {
			t.Errorf("%v has no error", bad)
		}
	}
}

// TestSmolLM2 checks that the template in testdata is that of the real model, whose
// GGUF file HONE_TEST_SMOLLM2 names.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("HONE_TEST_SMOLLM2")
	if path == "" {
		t.Skip("set HONE_TEST_SMOLLM2 to the GGUF file of SmolLM2-135M-Instruct")
	}
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sources, err := FromGGUF(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sources.Choose("", false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/templates/smollm2.jinja")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the file's template is %q, that in testdata %q", got, want)
	}
}

var _ Metadata = (*gguf.File)(nil)
