package nvrtc

import (
	"errors"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
)

func TestArchOf(t *testing.T) {
	cuda12 := []string{"sm_50", "sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90"}
	cuda13 := []string{"sm_75", "sm_80", "sm_86", "sm_87", "sm_88", "sm_89", "sm_90", "sm_100", "sm_103", "sm_110", "sm_120", "sm_121"}
	tests := []struct {
		name         string
		major, minor int
		supported    []string
		want         string
		err          string // part of the error
	}{
		{"A100", 8, 0, cuda12, "sm_80", ""},
		{"RTX 30", 8, 6, cuda13, "sm_86", ""},
		{"RTX 40", 8, 9, cuda12, "sm_89", ""},
		{"H100", 9, 0, cuda12, "sm_90a", ""},
		{"H100, variants listed", 9, 0, []string{"sm_80", "sm_90a"}, "sm_90a", ""},
		{"B200", 10, 0, cuda13, "sm_100a", ""},
		{"B300", 10, 3, cuda13, "sm_103", ""},
		{"RTX 50", 12, 0, cuda13, "sm_120", ""},
		{"B300, older compiler", 10, 3, []string{"sm_90", "sm_100", "sm_120"}, "sm_100", ""},
		{"a minor version that is unknown", 8, 8, cuda12, "sm_87", ""},
		{"not in order", 8, 8, []string{"sm_87", "sm_80"}, "sm_87", ""},
		{"never an older one than 8.0", 8, 6, []string{"sm_75", "nonsense", "sm_"}, "", "not for the GPU's compute capability 8.6"},
		{"RTX 50, older compiler", 12, 0, cuda12, "", "sm_90, not for the GPU's compute capability 12.0"},
		{"no compiler", 8, 0, nil, "", "NVRTC compiles for nothing"},
		{"T4", 7, 5, cuda13, "", "compute capability 7.5, hone needs 8.0"},
		{"nonsense", 0, 90, cuda13, "", "hone needs 8.0"},
		{"negative", 10, -1, cuda13, "", "hone needs 8.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ArchOf(tt.major, tt.minor, tt.supported)
			if tt.err == "" {
				if got != tt.want || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
				return
			}
			if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), tt.err) || fault.HintOf(err) == "" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
