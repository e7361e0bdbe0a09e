package shapes_test

import (
	"encoding/json"
	"testing"

	"github.com/honeml/hone/bench/shapes"
)

func TestShapes(t *testing.T) {
	if len(shapes.Names()) < 5 {
		t.Fatalf("got %q", shapes.Names())
	}
	for _, name := range shapes.Names() {
		data, ok := shapes.Config(name)
		var c struct {
			Architectures []string
			Hidden        int `json:"hidden_size"`
			Vocabulary    int `json:"vocab_size"`
		}
		if err := json.Unmarshal(data, &c); !ok || err != nil || len(c.Architectures) != 1 || c.Hidden == 0 || c.Vocabulary == 0 {
			t.Errorf("%s: %v, %v, %+v", name, ok, err, c)
		}
	}
	for _, name := range []string{"", "gpt-9", "../shapes", "shapes.go"} {
		if _, ok := shapes.Config(name); ok {
			t.Errorf("there is a shape %q", name)
		}
	}
}
