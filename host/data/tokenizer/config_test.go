package tokenizer

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name, text string
		want       Config
	}{
		{"empty", `{}`, Config{}},
		{"strings", `{"bos_token": "<s>", "eos_token": "</s>", "pad_token": null, "tokenizer_class": "LlamaTokenizer",
			"add_bos_token": true, "add_eos_token": false, "model_max_length": 4096}`,
			Config{Class: "LlamaTokenizer", BOS: "<s>", EOS: "</s>", AddBOS: &yes, AddEOS: &no, MaxLength: 4096}},
		{"objects", `{"unk_token": {"__type": "AddedToken", "content": "<unk>", "lstrip": false}, "pad_token": {"content": "<pad>"}}`,
			Config{Unknown: "<unk>", Pad: "<pad>"}},
		{"no limit", `{"model_max_length": 1000000000000000019884624838656}`, Config{}},
		{"null flags", `{"add_bos_token": null, "model_max_length": null, "tokenizer_class": null}`, Config{}},
		{"byte order mark", "\ufeff{\"bos_token\": \"é\"}", Config{BOS: "é"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := ParseConfig([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			fields := c.Fields
			c.Fields = nil
			if !reflect.DeepEqual(*c, test.want) {
				t.Errorf("got %+v, want %+v", *c, test.want)
			}
			c.Fields = fields
			written, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseConfig(written)
			if err != nil {
				t.Fatal(err)
			}
			again.Fields = nil
			if !reflect.DeepEqual(*again, test.want) {
				t.Errorf("written and read: %+v, want %+v", *again, test.want)
			}
		})
	}
}

func TestParseConfigErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no object", `[1]`, "tokenizer_config.json: json"},
		{"null", `null`, "null"},
		{"token of another type", `{"eos_token": 2}`, "eos_token"},
		{"object without content", `{"bos_token": {"id": 1}}`, "bos_token: an object without content"},
		{"flag of another type", `{"add_bos_token": "yes"}`, "add_bos_token"},
		{"length of another type", `{"model_max_length": "long"}`, "model_max_length"},
		{"not UTF-8", "{\"a\": \"\xff\"}", "UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseConfig([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that holds %q", err, test.want)
			}
		})
	}
}

func TestMarshalConfigKeepsFields(t *testing.T) {
	c, err := ParseConfig([]byte(`{"bos_token": {"content": "<s>", "lstrip": true}, "eos_token": "</s>", "chat_template": "<a> & b", "x": [1]}`))
	if err != nil {
		t.Fatal(err)
	}
	c.EOS, c.Pad = "<end>", "<pad>"
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"bos_token": map[string]any{"content": "<s>", "lstrip": true}, "eos_token": "<end>", "pad_token": "<pad>",
		"chat_template": "<a> & b", "x": []any{1.0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !strings.Contains(string(text), "<a> & b") {
		t.Errorf("the template is escaped: %s", text)
	}
}

func TestConfigFromGGUF(t *testing.T) {
	c, err := ConfigFromGGUF(metadata{
		keyModel: "gpt2", keyTokens: []string{"<s>", "a", "<pad>"}, keyBOS: uint64(0), keyPadding: uint64(2),
		keyTemplate: "{{ messages }}", keyArchitecture: "llama", "llama.context_length": uint64(8192),
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.BOS != "<s>" || c.Pad != "<pad>" || c.EOS != "" || c.MaxLength != 8192 ||
		c.Class != "PreTrainedTokenizerFast" || string(c.Fields["chat_template"]) != `"{{ messages }}"` {
		t.Errorf("got %+v", c)
	}
	_, err = ConfigFromGGUF(metadata{keyModel: "gpt2", keyTokens: []string{"a"}, keyPadding: uint64(9)})
	if err == nil || !strings.Contains(err.Error(), keyPadding) {
		t.Errorf("error %v of a token beyond the vocabulary", err)
	}
}

// FuzzParseConfig looks for panics, and for a Config that is not written as it
// was read.
func FuzzParseConfig(f *testing.F) {
	f.Add(`{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true, "model_max_length": 1e30}`)
	f.Add(`{"pad_token": null, "tokenizer_class": "X", "x": [1, {"a": "\u00e9"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		written, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseConfig(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if c.Fields, again.Fields = nil, nil; !reflect.DeepEqual(c, again) {
			t.Errorf("read %+v, then %+v", c, again)
		}
	})
}
