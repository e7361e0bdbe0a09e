package device

import "testing"

// TestContextBytes: what a context takes is told from what other processes have.
func TestContextBytes(t *testing.T) {
	for name, test := range map[string]struct{ before, after, all, want int64 }{
		"alone":                          {0, 500 << 20, 500 << 20, 500 << 20},
		"beside others":                  {40 << 30, 40<<30 + 500<<20, 40<<30 + 510<<20, 500 << 20},
		"not known, alone":               {-1, -1, 480 << 20, 480 << 20},
		"not known, beside others":       {-1, -1, 30 << 30, UsualContext},
		"the process has a context":      {2 << 30, 2<<30 + 1<<20, 2<<30 + 1<<20, UsualContext},
		"others gave memory back":        {40 << 30, 20 << 30, 20 << 30, UsualContext},
		"others took more than there is": {0, 50 << 30, 600 << 20, 600 << 20},
	} {
		if got := contextBytes(test.before, test.after, test.all); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
