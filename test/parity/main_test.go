package parity

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/test/binaries"
)

// built is the folder of the built plugins.
var built string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	models, err := filepath.Glob("../../plugins/model-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	names := []string{binaries.Kernels() + "-kernels"}
	for _, path := range models {
		names = append(names, filepath.Base(path))
	}
	if built, err = binaries.Build(context.Background(), names...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	return m.Run()
}

func catalog() *pluginhost.Catalog {
	return pluginhost.NewCatalog(pluginhost.CatalogOptions{
		Directories: []pluginhost.Directory{{Path: built, Asked: true}}, CacheFolder: filepath.Join(built, "cache"),
	})
}

// plugins finds and starts model plugins for basemodel.
type plugins struct{ t *testing.T }

// Model starts the plugin that answers for the architecture.
func (p plugins) Model(ctx context.Context, architecture string, gguf bool) (model.Model, func(), error) {
	find := func(ctx context.Context, name string) (pluginhost.ModelPlugin, error) {
		return catalog().ModelFor(ctx, name)
	}
	if gguf {
		find = catalog().ModelForGGUF
	}
	found, err := find(ctx, architecture)
	if err != nil {
		return nil, nil, err
	}
	process := start(p.t, found.Plugin) //nolint:contextcheck // it lives for the test, not for the call
	return process.Model(), func() {}, nil
}

// modelPlugin starts the model plugin that answers for the architecture.
func modelPlugin(t *testing.T, architecture string) model.Model {
	t.Helper()
	found, err := catalog().ModelFor(t.Context(), architecture)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, found.Plugin).Model()
}

// start starts a plugin that ends with the test.
func start(t *testing.T, p pluginhost.Plugin) *pluginhost.Process {
	t.Helper()
	process, err := pluginhost.Start(t.Context(), p, pluginhost.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := process.Close(ctx); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	})
	return process
}
