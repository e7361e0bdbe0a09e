package plugin_test

import (
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/plugin"
)

func TestParseName(t *testing.T) {
	tests := []struct {
		folder string
		kind   plugin.Kind
		name   string
	}{
		{"cpu-kernels", plugin.Kernels, "cpu"},
		{"my-own_2-kernels", plugin.Kernels, "my-own_2"},
		{"model-llama", plugin.Model, "llama"},
		{"model-kernels", plugin.Model, "kernels"},
		{"logger-wandb", plugin.Logger, "wandb"},
		{"logger-x-kernels", plugin.Logger, "x-kernels"},
		{"-kernels", "", ""},
		{"kernels", "", ""},
		{"model-", "", ""},
		{"logger", "", ""},
		{"model-Llama", "", ""},
		{"logger-wandb.sha256", "", ""},
		{"logger-../x", "", ""},
		{"logger-" + strings.Repeat("x", 65), "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			kind, name, ok := plugin.ParseName(tt.folder)
			if ok != (tt.kind != "") {
				t.Fatalf("got %q of kind %q, %v", name, kind, ok)
			}
			if ok && (kind != tt.kind || name != tt.name) {
				t.Errorf("got %q of kind %q", name, kind)
			}
		})
	}
}
