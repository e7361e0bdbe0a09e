//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/cli"
)

// BenchmarkValidate is hone validate of the quickstart's run file, without the start
// of the process, once what plugins say of themselves is in the cache.
func BenchmarkValidate(b *testing.B) {
	b.Setenv("HONE_CACHE_DIR", filepath.Join(b.TempDir(), "cache"))
	b.Setenv("HONE_PLUGIN_DIR", built)
	validate := func() {
		var out bytes.Buffer
		streams := cli.Streams{In: bytes.NewReader(nil), Out: io.Discard, Err: &out}
		args := []string{"validate", filepath.Join(quickstart, "run.hone.hcl")}
		if code := cli.Main(context.Background(), args, streams, "test", make(chan struct{})); code != 0 {
			b.Fatalf("exit code %d\n%s", code, &out)
		}
	}
	validate()
	for b.Loop() {
		validate()
	}
}
