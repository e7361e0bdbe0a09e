package modeltest

import (
	"path/filepath"
	"testing"

	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest/golden"
)

// Golden holds a model to what transformers and PEFT made of each configuration: the
// folders of testdata/golden, which testdata/golden.py writes (package golden). unread
// are patterns, as [path.Match] has them, of tensors of the checkpoints that the model
// has no use for.
func Golden(t *testing.T, m model.Model, unread ...string) {
	t.Helper()
	for name := range Configurations(t) {
		t.Run(name, func(t *testing.T) {
			c, err := golden.Read(filepath.Join("testdata", "golden", name))
			if err != nil {
				t.Fatalf("%v\npython testdata/golden.py %s makes it", err, name)
			}
			if err := c.Check(t.Context(), m, unread...); err != nil {
				t.Error(err)
			}
		})
	}
}
