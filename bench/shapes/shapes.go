// Package shapes holds the configurations of well-known models, as far as they decide
// the shape of the computation, so that a benchmark needs neither a checkpoint nor
// a network. Their numbers are those of the published config.json files.
package shapes

import (
	"embed"
	"strings"
)

//go:embed *.json
var files embed.FS

// ending is what a file has behind the shape's name.
const ending = ".json"

// Names are the shapes that there are, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // not of a folder that is embedded
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ending)
	}
	return names
}

// Config is the configuration of a shape, a config.json; false where there is none of
// that name.
func Config(name string) ([]byte, bool) {
	data, err := files.ReadFile(name + ending)
	return data, err == nil
}
