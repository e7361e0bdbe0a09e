package layout

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestMarshal(t *testing.T) {
	l := Layout{
		Vocab:       []string{"a", "\"<&\u2028", "b", "ab"},
		Merges:      [][2]string{{"a", "b"}},
		Added:       []Added{{ID: 4, Content: "<s>", LStrip: true, Special: true}},
		Decoder:     json.RawMessage(`{"type":"Fuse"}`),
		Unknown:     "a",
		FuseUnknown: true,
	}
	text, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version    string          `json:"version"`
		Added      []Added         `json:"added_tokens"`
		Normalizer json.RawMessage `json:"normalizer"`
		Decoder    struct{ Type string }
		Model      struct {
			Type   string
			Vocab  map[string]int
			Merges [][2]string
			Unk    string `json:"unk_token"`
			Fuse   bool   `json:"fuse_unk"`
			Ignore bool   `json:"ignore_merges"`
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	m := got.Model
	if got.Version != "1.0" || !reflect.DeepEqual(got.Added, l.Added) || string(got.Normalizer) != "null" || got.Decoder.Type != "Fuse" ||
		m.Type != "BPE" || len(m.Vocab) != 4 || m.Vocab["\"<&\u2028"] != 1 || m.Merges[0] != l.Merges[0] || m.Unk != "a" || !m.Fuse || m.Ignore {
		t.Errorf("got %+v of\n%s", got, text)
	}
	if !strings.Contains(string(text), "<s>") {
		t.Error("tokens are escaped as for HTML")
	}
}

func TestMarshalNothing(t *testing.T) {
	text, err := (&Layout{}).Marshal()
	if err != nil || !json.Valid(text) {
		t.Errorf("%v, %s", err, text)
	}
	if !strings.Contains(string(text), `"added_tokens": []`) || !strings.Contains(string(text), `"unk_token": null`) {
		t.Errorf("got %s", text)
	}
	if _, err := (&Layout{Decoder: json.RawMessage(`{`)}).Marshal(); err == nil || !strings.Contains(err.Error(), "decoder") {
		t.Errorf("error %v of a broken decoder", err)
	}
}
