package plugintest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/sdk/plugin"
	"github.com/honeml/hone/sdk/plugintest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// builtIn is the folder of the binary of testdata/sample, once there is one.
var builtIn string

// buildSample builds that binary once and gives its path.
var buildSample = sync.OnceValues(func() (string, error) {
	var err error
	if builtIn, err = os.MkdirTemp("", "plugintest"); err != nil {
		return "", err
	}
	path := filepath.Join(builtIn, "sample")
	output, err := exec.Command("go", "build", "-o", path, "./testdata/sample").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building testdata/sample: %w\n%s", err, output)
	}
	return path, nil
})

// program is the sample binary under the name of a plugin.
func program(t *testing.T, folder string) string {
	t.Helper()
	binary, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hone-plugin-"+folder)
	if err := os.Link(binary, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrograms(t *testing.T) {
	for _, folder := range []string{"reference-kernels", "model-tiny", "logger-journal"} {
		t.Run(folder, func(t *testing.T) {
			plugintest.Program(t, program(t, folder), plugintest.Options{
				Kernels: plugintest.KernelsOptions{Only: []string{ // what a process can make a difference to
					"kernels/describe", "kernels/out-of-order-refused", "kernels/bad-weights-named", "kernels/loss-is-a-sum",
					"kernels/save-restore-exact", "kernels/generate-greedy", "kernels/errors-of-the-host", "kernels/cancel", "kernels/close",
				}},
				Logger: journalOptions(),
			})
		})
	}
}

func TestCheckOfAProgram(t *testing.T) {
	report, err := plugintest.Check(t.Context(), program(t, "logger-journal"), plugintest.Options{})
	if err != nil || report.Err() != nil || report.Name != "journal" || report.Version != "1.0.0" || report.Kind != plugin.Logger {
		t.Errorf("got %+v, %v", report, err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil || !strings.Contains(text.String(), "pass  logger/survives-kill") ||
		!strings.Contains(text.String(), "logger plugin journal 1.0.0: 16 rules kept, 0 broken, 0 skipped") {
		t.Errorf("got %s, %v", text.String(), err)
	}
}

func TestBrokenPrograms(t *testing.T) {
	tests := []struct{ folder, id string }{
		{"logger-forgetful", "logger/survives-kill"},
		{"logger-willing", "process/by-hand"},
		{"logger-immortal", "process/ends-with-host"},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			report, err := plugintest.Check(t.Context(), program(t, tt.folder), plugintest.Options{
				Logger: plugintest.LoggerOptions{Only: []string{tt.id}},
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Failures() {
				if f.ID == tt.id {
					t.Log(f.Detail)
					return
				}
			}
			t.Errorf("%s is not refused: %+v", tt.id, report.Results)
		})
	}
}

func TestCheckOfWhatIsNoPlugin(t *testing.T) {
	for _, path := range []string{"/bin/true", "/x/hone-plugin-something"} {
		if report, err := plugintest.Check(t.Context(), path, plugintest.Options{}); err == nil {
			t.Errorf("%s: got %+v", path, report)
		}
	}
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	report, err := plugintest.Check(t.Context(), truth, plugintest.Options{Kind: plugin.Model})
	if err != nil || len(report.Failures()) == 0 {
		t.Errorf("got %+v, %v", report, err)
	}
}
