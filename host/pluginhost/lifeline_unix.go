//go:build unix

package pluginhost

import (
	"os"
	"strconv"

	"github.com/honeml/hone/sdk/plugin"
)

// newLifeline makes the pipe whose one end the plugin watches: when the host is
// gone, and with it the other end, the plugin ends too. env tells the plugin where
// it stands.
func newLifeline() (theirs, ours *os.File, env []string, err error) {
	theirs, ours, err = os.Pipe()
	return theirs, ours, []string{plugin.LifelineEnv + "=" + strconv.Itoa(firstExtraFile)}, err
}

// firstExtraFile is the descriptor that the first of exec.Cmd.ExtraFiles becomes.
const firstExtraFile = 3
