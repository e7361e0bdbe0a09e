package parity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/plugin"
	"github.com/honeml/hone/sdk/plugintest"
)

// TestBinaries runs hone plugins check on every model plugin as it was built, with the
// rules that a process of its own can make a difference to: the plugin's own tests have
// kept all of them.
func TestBinaries(t *testing.T) {
	checked := 0
	for _, p := range catalog().Plugins() {
		if p.Kind != plugin.Model {
			continue
		}
		checked++
		t.Run(p.String(), func(t *testing.T) {
			plugintest.Program(t, p.Path, plugintest.Options{Model: plugintest.ModelOptions{
				Configurations: configurations(t, p),
				Only:           []string{"model/describe", "model/graph-valid", "model/broken-configuration-refused", "model/concurrent"},
			}})
		})
	}
	if folders, err := filepath.Glob("../../plugins/model-*"); err != nil || checked != len(folders) {
		t.Errorf("%d plugins were checked, there are %d: %v", checked, len(folders), err)
	}
}

// configurations are the small ones in the plugin's own testdata.
func configurations(t *testing.T, p pluginhost.Plugin) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "plugins", p.String(), "testdata", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no configuration in its testdata: %v", p, err)
	}
	var out [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}
