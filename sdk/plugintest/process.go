package plugintest

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/honeml/hone/sdk/plugin"
)

// processRules are those of a program, whatever its kind. They are kept by all that
// package plugin serves.
func processRules() []rule[string] {
	return []rule[string]{
		{"process/by-hand", "started by hand, it says what it is and ends with a status that is not 0", checkByHand},
		{"process/handshake", "started by a host, it announces the protocol's version and an address", checkHandshake},
		{"process/ends-with-host", "it ends when the host's end of the lifeline closes", checkLifeline},
	}
}

// processTime bounds what a process has to do at once.
const processTime = 10 * time.Second

func checkByHand(c *check, path string) {
	ctx, cancel := context.WithTimeout(c, processTime)
	defer cancel()
	output, err := exec.CommandContext(ctx, path).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		c.fail("it still runs after %v", processTime)
	case err == nil:
		c.fail("it ends with status 0, as if it had done something")
	case !errors.As(err, &exit):
		c.fail("%v", err)
	case len(output) == 0:
		c.fail("it says nothing")
	}
}

// hosted starts the program as a host does, and gives its handshake line. lifeline may
// be nil.
func hosted(c *check, path string, lifeline *os.File) (cmd *exec.Cmd, line string) {
	ctx, cancel := context.WithTimeout(c, processTime)
	c.cleanup(cancel)
	cmd = exec.CommandContext(ctx, path)
	cmd.Env = append(os.Environ(), plugin.CookieName+"="+plugin.CookieValue,
		"PLUGIN_PROTOCOL_VERSIONS="+strconv.Itoa(plugin.ProtocolVersion), "PLUGIN_MIN_PORT=10000", "PLUGIN_MAX_PORT=25000")
	if lifeline != nil {
		cmd.ExtraFiles = []*os.File{lifeline}
		cmd.Env = append(cmd.Env, plugin.LifelineEnv+"=3")
	}
	cmd.WaitDelay = time.Second
	stdout, err := cmd.StdoutPipe()
	c.must(err, "making a pipe")
	c.must(cmd.Start(), "starting it")
	line, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c.fail("no line on standard output: %v", err)
	}
	return cmd, strings.TrimSpace(line)
}

func checkHandshake(c *check, path string) {
	cmd, line := hosted(c, path, nil)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	parts := strings.Split(line, "|")
	if len(parts) < 5 || parts[0] != "1" || parts[1] != strconv.Itoa(plugin.ProtocolVersion) || parts[4] != "grpc" {
		c.fail("the line %q, it has to begin 1|%d|NETWORK|ADDRESS|grpc", line, plugin.ProtocolVersion)
	}
}

func checkLifeline(c *check, path string) {
	if runtime.GOOS == "windows" {
		c.skip("there is no lifeline on Windows")
	}
	theirs, ours, err := os.Pipe()
	c.must(err, "making a pipe")
	c.cleanup(func() { ours.Close() })
	cmd, _ := hosted(c, path, theirs)
	theirs.Close()
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	ours.Close()
	select {
	case <-ended:
	case <-time.After(processTime / 2):
		_ = cmd.Process.Kill()
		<-ended
		c.fail("it still runs %v after the lifeline was closed", processTime/2)
	}
}
