package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// Options say how a plugin is started.
type Options struct {
	// Env is what the run file grants to this plugin, as NAME=VALUE.
	Env []string
	// Logger takes the plugin's log lines, under the plugin's name; nil: nobody.
	Logger hclog.Logger
	// LogLevel is the least level that the plugin is asked to log; 0: Info.
	LogLevel hclog.Level
	// StartTimeout bounds the time until the plugin answers; 0: 30 seconds.
	StartTimeout time.Duration
}

const (
	defaultStartTimeout = 30 * time.Second
	// politeness is how long a process may take to end by itself.
	politeness = 2 * time.Second
	// mourning is how long the end of a killed process may take to be seen.
	mourning = 5 * time.Second
)

// A Process is a plugin that was started. Its methods may be called from several
// goroutines.
type Process struct {
	plugin   Plugin
	child    *childProcess
	client   *goplugin.Client
	service  any
	folder   string   // of the socket
	lock     *os.File // on the folder
	lifeline *os.File

	closeOnce sync.Once
	closed    chan struct{}
	closeErr  error
}

// Start starts a plugin and connects to it. ctx bounds the start alone: the process
// lives until Close, or until the host's own end.
func Start(ctx context.Context, p Plugin, opts Options) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	if opts.StartTimeout == 0 {
		opts.StartTimeout = defaultStartTimeout
	}
	proc := &Process{plugin: p, closed: make(chan struct{})}
	proc.child = newChildProcess(p, &logSink{logger: opts.Logger.Named(p.String())})
	if err := proc.start(ctx, opts); err != nil {
		proc.abandon(ctx)
		return nil, fmt.Errorf("plugin %s did not start: %w", p, err)
	}
	return proc, nil
}

func (p *Process) start(ctx context.Context, opts Options) (err error) {
	if p.folder, p.lock, err = socketFolder(socketBases()); err != nil {
		return err
	}
	theirs, ours, lifelineEnv, err := newLifeline()
	if err != nil {
		return err
	}
	defer theirs.Close() // the child has its own by then
	p.lifeline = ours

	env := environment(os.Environ(), opts.Env)
	env = append(env, lifelineEnv...)
	env = append(env, plugin.LogLevelEnv+"="+levelName(opts.LogLevel))
	p.client = goplugin.NewClient(p.clientConfig(opts, env, theirs))

	ctx, cancel := context.WithTimeoutCause(ctx, opts.StartTimeout, errSilent)
	defer cancel()
	connected := make(chan struct{})
	go func() {
		p.service, err = p.connect()
		close(connected)
	}()
	select {
	case <-connected:
	case <-ctx.Done():
		_ = p.child.Kill(ctx)
		<-connected // soon: the process is dead
		return p.explainSilence(ctx, opts.StartTimeout)
	}
	if err != nil {
		return p.explainStart(err)
	}
	return nil
}

// clientConfig is what go-plugin is told.
func (p *Process) clientConfig(opts Options, env []string, lifeline *os.File) *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake(),
		VersionedPlugins: plugin.Versions(p.plugin.Kind, hostSide(p.plugin.Kind)),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     opts.StartTimeout,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.folder},
		Logger:           hclog.NewNullLogger(), // it repeats what is said here, less well
		SyncStdout:       &lineWriter{emit: p.child.log.emit},
		SyncStderr:       &lineWriter{emit: p.child.log.emit},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(
				grpc.MaxCallRecvMsgSize(plugin.MaxMessageBytes), grpc.MaxCallSendMsgSize(plugin.MaxMessageBytes)),
			grpc.WithChainUnaryInterceptor(p.unary),
			grpc.WithChainStreamInterceptor(p.stream),
		},
		RunnerFunc: p.child.runnerFunc(env, lifeline),
	}
}

// hostSide is go-plugin's view of the kind's client.
func hostSide(kind plugin.Kind) goplugin.Plugin {
	switch kind {
	case plugin.Kernels:
		return kernels.NewPlugin(nil)
	case plugin.Logger:
		return logger.NewPlugin(nil)
	}
	return model.NewPlugin(nil)
}

func levelName(level hclog.Level) string {
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	return level.String()
}

func (p *Process) connect() (any, error) {
	protocol, err := p.client.Client()
	if err != nil {
		return nil, err
	}
	return protocol.Dispense(string(p.plugin.Kind))
}

var errSilent = errors.New("it does not answer")

// explainSilence is the error of a start that ctx ended.
func (p *Process) explainSilence(ctx context.Context, timeout time.Duration) error {
	cause := context.Cause(ctx)
	if !errors.Is(cause, errSilent) {
		return cause
	}
	err := fmt.Errorf("no answer within %v", timeout)
	if said := p.child.log.tail.cause(); said != "" {
		err = fmt.Errorf("%w; it last said: %s", err, said)
	}
	return err
}

// explainStart finds out why go-plugin could not connect.
func (p *Process) explainStart(err error) error {
	spoken := p.child.stdout.spoken()
	if spoken != "" && spoken != fmt.Sprint(plugin.ProtocolVersion) {
		theirs := &ProtocolError{Plugin: p.plugin.String(), Path: p.plugin.Path, Theirs: spoken}
		return fault.New(fault.Unsupported, "%w", theirs).WithHint("install the plugin and hone of the same release")
	}
	if p.child.ID() == "" || p.child.wasKilled() {
		return err // the process was never there, or was killed because of err
	}
	select {
	case <-p.child.exited:
		return p.child.err
	case <-time.After(politeness):
		return err
	}
}

// abandon cleans up after a start that failed.
func (p *Process) abandon(ctx context.Context) {
	_ = p.Close(context.WithoutCancel(ctx))
}

// Plugin is what was started.
func (p *Process) Plugin() Plugin { return p.plugin }

// PID is the id of the process.
func (p *Process) PID() int { return p.child.cmd.Process.Pid }

// Model is the plugin's service; nil if it is of another kind.
func (p *Process) Model() model.Model {
	m, _ := p.service.(model.Model)
	return m
}

// Kernels is the plugin's service; nil if it is of another kind.
func (p *Process) Kernels() kernels.Backend {
	b, _ := p.service.(kernels.Backend)
	return b
}

// Logger is the plugin's service; nil if it is of another kind.
func (p *Process) Logger() logger.Logger {
	l, _ := p.service.(logger.Logger)
	return l
}

// Exited is closed when the process has ended, however that came.
func (p *Process) Exited() <-chan struct{} { return p.child.exited }

// ExitError says how the process ended, an [*ExitedError]; nil while it runs.
func (p *Process) ExitError() error {
	select {
	case <-p.child.exited:
		return p.child.err
	default:
		return nil
	}
}

// Close ends the process and removes what it left. It asks first, and kills after
// two seconds or when ctx ends, whichever is earlier; a plugin whose service has a
// Close of its own has to be given that before. It may be called more than once, and
// after a crash. The error says that the process could not be ended.
func (p *Process) Close(ctx context.Context) error {
	p.closeOnce.Do(func() {
		p.closeErr = p.close(ctx)
		close(p.closed)
	})
	<-p.closed
	return p.closeErr
}

func (p *Process) close(ctx context.Context) error {
	if p.lock != nil {
		defer p.lock.Close()
	}
	defer os.RemoveAll(p.folder)
	if p.lifeline != nil {
		defer p.lifeline.Close()
	}
	if p.client == nil || p.child.ID() == "" {
		return nil
	}
	p.child.announceClosing()
	ctx, cancel := context.WithTimeout(ctx, politeness)
	defer cancel()
	asked := make(chan struct{})
	go func() {
		p.client.Kill() // asks, waits two seconds, kills
		close(asked)
	}()
	select {
	case <-p.child.exited:
	case <-ctx.Done():
		_ = p.child.Kill(ctx)
	}
	select {
	case <-p.child.exited:
		<-asked
		return nil
	case <-time.After(mourning):
		return fmt.Errorf("plugin %s: process %d does not end although it was killed", p.plugin, p.PID())
	}
}
