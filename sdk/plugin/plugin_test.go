package plugin_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

func TestMain(m *testing.M) {
	if os.Getenv("PLUGIN_TEST_SERVE") != "" {
		plugin.Serve(plugin.Logger, logger.NewPlugin(nil))
	}
	os.Exit(m.Run())
}

// TestStartedByHand: whoever starts a plugin is told what it is.
func TestStartedByHand(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PLUGIN_TEST_SERVE=1")
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(output), "is a logger plugin of hone") ||
		!strings.Contains(string(output), "hone plugins check") {
		t.Errorf("got %v, %s", err, output)
	}
}

// TestInheritedLifeline: the variable without the descriptor ends nothing. The
// plugin serves, so that it has to be killed.
func TestInheritedLifeline(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PLUGIN_TEST_SERVE=1", plugin.CookieName+"="+plugin.CookieValue, plugin.LifelineEnv+"=3",
		"PLUGIN_PROTOCOL_VERSIONS=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4)
	if _, err := stdout.Read(line); err != nil || string(line) != "1|1|" {
		t.Errorf("got %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("it has ended by itself: %v", err)
	}
	_ = cmd.Wait()
}

func TestNewLogger(t *testing.T) {
	for value, want := range map[string]hclog.Level{"": hclog.Info, "debug": hclog.Debug, "error": hclog.Error, "nonsense": hclog.Info} {
		t.Setenv(plugin.LogLevelEnv, value)
		if got := plugin.NewLogger("").GetLevel(); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}
