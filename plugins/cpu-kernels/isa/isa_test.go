package isa

import (
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	levels := Supported()
	best := levels[len(levels)-1]
	tests := []struct {
		name, value string
		want        Level
		err         string
	}{
		{"nothing said", "", best, ""},
		{"the plain one", "generic", Generic, ""},
		{"in capitals, with spaces", " Generic ", Generic, ""},
		{"the best", best.String(), best, ""},
		{"unknown", "avx9", best, "HONE_CPU=avx9: this machine has generic"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(Variable, test.value)
			got, err := Detect()
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.HasPrefix(err.Error(), test.err)) {
				t.Errorf("got the error %v, want %q", err, test.err)
			}
		})
	}
}

func TestGenericIsEverywhere(t *testing.T) {
	if !Has(Generic) {
		t.Error("the plain Go kernels must run on every machine")
	}
}
