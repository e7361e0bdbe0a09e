package nearest_test

import (
	"testing"

	"github.com/honeml/hone/host/runfile/internal/nearest"
)

func TestName(t *testing.T) {
	known := []string{"rank", "alpha", "targets", "dropout", "learning_rate"}
	tests := []struct{ given, want string }{
		{"rnak", "rank"}, {"rankk", "rank"}, {"Alpha", "alpha"}, {"target", "targets"}, {"learningrate", "learning_rate"},
		{"lr", ""}, {"", ""}, {"beta", ""}, {"dorpout", "dropout"},
	}
	for _, tt := range tests {
		if got := nearest.Name(tt.given, known); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.given, got, tt.want)
		}
	}
	if got, want := nearest.Hint("rnak", known), ` Did you mean "rank"?`; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := nearest.List([]string{"a", "b", "c"}, "and"), `"a", "b" and "c"`; got != want {
		t.Errorf("got %q", got)
	}
}
