package pluginhost

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/honeml/hone/sdk/fault"
)

// A childProcess is a plugin's process as go-plugin sees it. It exists because
// go-plugin's own gives the plugin the host's standard input, stops reading
// standard output at a line of 64 KiB, panics at some log lines, and waits for a
// process's pipes, which a grandchild may hold for ever, before it sees that the
// process has ended.
type childProcess struct {
	plugin Plugin
	cmd    *exec.Cmd
	stdout *handshake
	stderr *lineWriter
	log    *logSink

	exited chan struct{} // closed when the process has ended and its output is read
	err    *ExitedError  // set before

	mu      sync.Mutex
	started bool
	reaping bool // the process has ended: its id may be another's
	closing bool // the host ends it
	killed  bool // by the host, while it ran or before
}

func newChildProcess(p Plugin, log *logSink) *childProcess {
	c := &childProcess{plugin: p, log: log, exited: make(chan struct{})}
	c.stdout = newHandshake(&lineWriter{emit: log.emit})
	c.stderr = &lineWriter{emit: log.emit}
	return c
}

// prepare makes the command. env is complete; the lifeline becomes descriptor 3.
func (c *childProcess) prepare(env []string, lifeline *os.File) {
	c.cmd = exec.Command(c.plugin.Path) //nolint:noctx // it lives until it is ended, not as long as a context
	c.cmd.Env = env
	c.cmd.Stdout, c.cmd.Stderr = c.stdout, c.stderr
	c.cmd.WaitDelay = time.Second // for output that a grandchild could still write
	if lifeline != nil {
		c.cmd.ExtraFiles = []*os.File{lifeline}
	}
	ownGroup(c.cmd)
}

// Start verifies the binary and starts it.
func (c *childProcess) Start(context.Context) error {
	if c.plugin.Checksum != nil {
		// The hash keeps its state from one check to the next: a fresh one each time.
		secure := &goplugin.SecureConfig{Checksum: c.plugin.Checksum, Hash: sha256.New()}
		same, err := secure.Check(c.plugin.Path)
		if err != nil {
			return fmt.Errorf("checksum: %w", err)
		}
		if !same {
			return newChecksumError(c.plugin)
		}
	}
	if c.wasKilled() {
		return errAbandoned
	}
	if err := c.startRetrying(); err != nil {
		return err
	}
	c.mu.Lock()
	c.started = true
	if c.killed { // meanwhile
		_ = killGroup(c.cmd)
	}
	c.mu.Unlock()
	go c.wait()
	return nil
}

var errAbandoned = errors.New("the start was abandoned")

// startRetrying starts the command. A binary that was written a moment ago, as by an
// installer, can be open for writing in a process that is just being forked.
func (c *childProcess) startRetrying() error {
	for attempt := 0; ; attempt++ {
		err := c.cmd.Start()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.ETXTBSY) && attempt < 20:
			time.Sleep(time.Duration(attempt+1) * time.Millisecond)
			env, files := c.cmd.Env, c.cmd.ExtraFiles
			c.prepare(env, nil)
			c.cmd.ExtraFiles = files
		case errors.Is(err, syscall.ENOEXEC):
			return fault.New(fault.Unsupported, "%s is no program for this system: %w", c.plugin.Path, err).
				WithHint("install the build of the plugin for this operating system and processor")
		case errors.Is(err, os.ErrNotExist) && fileExists(c.plugin.Path):
			return fault.New(fault.Unsupported, "%s needs a loader or an interpreter that is not installed: %w", c.plugin.Path, err).
				WithHint("install the build of the plugin for this system")
		default:
			return err
		}
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wait sees the process end, ends what it leaves behind, and publishes how.
func (c *childProcess) wait() {
	ended := awaitExit(c.cmd)
	c.mu.Lock()
	if ended {
		_ = killGroup(c.cmd)
		c.reaping = true
	}
	c.mu.Unlock()
	_ = c.cmd.Wait() // the status stands in ProcessState; errors of copying output do not matter
	c.mu.Lock()
	c.reaping = true
	closing := c.closing
	c.mu.Unlock()
	_ = c.stdout.Close()
	_ = c.stderr.Close()
	c.err = newExitedError(c.plugin, c.cmd.Process.Pid, c.cmd.ProcessState, &c.log.tail)
	c.err.Closed = closing
	close(c.exited)
}

// Wait returns when the process has ended.
func (c *childProcess) Wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process and what it has started, at once.
func (c *childProcess) Kill(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaping {
		return nil
	}
	c.killed = true
	if !c.started {
		return nil // Start sees it
	}
	return killGroup(c.cmd)
}

// wasKilled reports whether the host killed the process.
func (c *childProcess) wasKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

// announceClosing makes the end of the process one that the host wanted.
func (c *childProcess) announceClosing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = c.closing || !c.reaping
}

// Stdout is what go-plugin reads the handshake from.
func (c *childProcess) Stdout() io.ReadCloser { return c.stdout.reader }

// Stderr is empty: the log lines go to the host without go-plugin.
func (c *childProcess) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the binary's path.
func (c *childProcess) Name() string { return c.plugin.Path }

// ID is the process's id, "" before it has one.
func (c *childProcess) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return ""
	}
	return strconv.Itoa(c.cmd.Process.Pid)
}

// Diagnose adds nothing: Start explains failures itself.
func (c *childProcess) Diagnose(context.Context) string { return "" }

// PluginToHost gives addresses as they are: both sides share one system.
func (c *childProcess) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin gives addresses as they are.
func (c *childProcess) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

var _ runner.Runner = (*childProcess)(nil)

// runnerFunc is how go-plugin gets the process: it has a list of variables and a
// folder for sockets by then.
func (c *childProcess) runnerFunc(env []string, lifeline *os.File) func(hclog.Logger, *exec.Cmd, string) (runner.Runner, error) {
	return func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
		c.prepare(append(slices.Clip(env), spec.Env...), lifeline)
		return c, nil
	}
}
