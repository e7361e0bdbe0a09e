package pluginhost

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
)

// TestBothVersions: a plugin that speaks a later version too, besides this one, is spoken to
// in this one's.
func TestBothVersions(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-both"), Options{})
	if _, err := open(testContext(t), proc, "", ""); err != nil {
		t.Error(err)
	}
}

// TestNewerPlugin: of a plugin whose SDK is a later release, what this one's knows
// works, and a Graph that says more is refused by name instead of computed without it.
func TestNewerPlugin(t *testing.T) {
	p := bad(t, "model-newer")
	_, d, err := catalogOf(filepath.Dir(p.Path), t.TempDir()).Model(testContext(t), "newer")
	if err != nil || d.Version != "9.0.0" || len(d.Capabilities) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	m := mustStart(t, p, Options{}).Model()
	tests := []struct{ configuration, want string }{
		{"plain", ""},
		{"attribute", `graph: node "head": Linear has field 60, which this version of hone does not know`},
		{"operation", `graph: node "head": an operation that this version of hone does not know`},
	}
	for _, tt := range tests {
		t.Run(tt.configuration, func(t *testing.T) {
			_, err := m.Build(testContext(t), &model.BuildRequest{Configuration: []byte(tt.configuration)})
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q in it", err, tt.want)
			case tt.want != "" && (!errors.Is(err, fault.Unsupported) || !strings.Contains(fault.HintOf(err), "update hone and its plugins")):
				t.Errorf("%v: hint %q", err, fault.HintOf(err))
			}
		})
	}
}
