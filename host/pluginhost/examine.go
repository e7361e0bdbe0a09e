package pluginhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/honeml/hone/sdk/plugin"
)

// examineTimeout bounds a plugin's look at the machine: a GPU that many use may take
// its time.
const examineTimeout = 90 * time.Second

// Examine has a plugin of capability plugin.DoctorCapability look at the machine; folders
// are where it looks for libraries first. It gives what the plugin says, and whether
// it says that it can train.
func Examine(ctx context.Context, p Plugin, folders []string) (report string, healthy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, append([]string{plugin.DoctorArgument}, folders...)...)
	cmd.Env = environment(os.Environ(), nil)
	cmd.WaitDelay = 2 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	report = string(output)
	var exited *exec.ExitError
	switch {
	case err == nil:
		return report, true, nil
	case ctx.Err() != nil:
		return report, false, fmt.Errorf("plugin %s does not come to an end: %w", p, ctx.Err())
	case errors.As(err, &exited) && exited.ExitCode() == 1 && report != "":
		return report, false, nil
	}
	return report, false, fmt.Errorf("plugin %s: %w: %s", p, err, strings.TrimSpace(lastBytes(stderr.String(), 2000)))
}

// lastBytes is the end of a text.
func lastBytes(s string, n int) string { return s[max(0, len(s)-n):] }
