package parity

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/host/export"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// TestConfigForms: the configurations of before transformers 5 give the same Graph
// as those that it writes.
func TestConfigForms(t *testing.T) {
	compared := 0
	for _, name := range cases(t) {
		g := readGolden(t, name)
		if !exists(filepath.Join(g.Folder, "config_old.json")) {
			continue
		}
		compared++
		t.Run(name, func(t *testing.T) {
			older := open(t, g.checkpoint(t, "config_old.json"), g.MaxLength).Graph.Text()
			if newer := open(t, g.checkpoint(t, "config.json"), g.MaxLength).Graph.Text(); older != newer {
				t.Errorf("the older form gives\n%s\nthe newer\n%s", older, newer)
			}
		})
	}
	if compared < 4 {
		t.Errorf("only %d cases have both forms", compared)
	}
}

// TestAdapterConfig: what PEFT wrote of each adapter is read as the same adapter,
// and what hone writes is read back as it too.
func TestAdapterConfig(t *testing.T) {
	for _, name := range cases(t) {
		g := readGolden(t, name)
		if g.Adapter == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m, trained, _ := openCase(t, g)
			want := trained
			if g.Adapter.Init == adapt.InitPiSSA { // what is saved is another
				want = plain(t, g, m.Graph)
			}
			lora, err := export.ReadAdapterConfig(filepath.Join(g.Folder, "start"))
			if err != nil {
				t.Fatal(err)
			}
			sameAdapter(t, m.Graph, lora, want)
			dir := t.TempDir()
			writeAdapterConfig(t, dir, trained, g)
			if lora, err = export.ReadAdapterConfig(dir); err != nil {
				t.Fatal(err)
			}
			sameAdapter(t, m.Graph, lora, want)
		})
	}
}

func sameAdapter(t *testing.T, g *graph.Graph, lora adapt.LoRA, want *graph.Graph) {
	t.Helper()
	got, err := adapt.Apply(g, lora)
	if err != nil {
		t.Fatal(err)
	}
	if got.Text() != want.Text() {
		t.Errorf("%+v gives\n%s\nwant\n%s", lora, got.Text(), want.Text())
	}
}

// TestMalformed: a configuration's mistake reaches the host from the plugin's
// process with its code and the name of the key, before any weight is looked at.
func TestMalformed(t *testing.T) {
	g := readGolden(t, "llama")
	tests := []struct{ name, from, to, want string }{
		{"heads", `"num_key_value_heads": 2`, `"num_key_value_heads": 3`, "config.json: num_key_value_heads: 3 does not divide num_attention_heads 4"},
		{"type", `"hidden_size": 32`, `"hidden_size": "32"`, `config.json: hidden_size: "32" is not a whole number`},
		{"scaling", `"rope_type": "default"`, `"rope_type": "spiral"`, `config.json: rope_parameters.rope_type: "spiral" is not known`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := g.checkpoint(t, "config.json")
			edit(t, filepath.Join(dir, "config.json"), test.from, test.to)
			_, err := basemodel.Open(t.Context(), basemodel.Request{Source: dir}, plugins{t})
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, fault.InvalidModel) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
