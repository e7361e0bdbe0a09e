package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/plugin"
)

// badLogger does in Open what its block says.
type badLogger struct{ name string }

func (l *badLogger) Describe(ctx context.Context) (*logger.Description, error) {
	d := &logger.Description{Name: "bad", Version: "1.0.0", Rewind: logger.Keep}
	switch l.name {
	case "logger-schema":
		d.Schema.Attributes = []config.Attribute{{Name: "Not an identifier", Type: config.Of(config.String), Doc: "?"}}
	case "logger-speechless":
		<-ctx.Done()
		return nil, ctx.Err()
	case "logger-deaf":
		select {}
	default:
		d.Schema.Attributes = []config.Attribute{{Name: "do", Type: config.Of(config.String), Doc: "What to do."}}
	}
	return d, nil
}

func (l *badLogger) Open(ctx context.Context, run *logger.Run) (*logger.Opened, error) {
	arg, _ := run.Config["with"].(string)
	switch run.Config["do"] {
	case "panic":
		panic("a nil map")
	case "exit":
		fmt.Fprintln(os.Stderr, "the disk is full")
		os.Exit(4)
	case "log and exit":
		plugin.NewLogger("").Error("cannot write", "file", "events.1")
		os.Exit(5)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		hold(arg)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {}
	case "hang":
		hold(arg)
		select {}
	case "noise":
		return noise()
	case "logs":
		return &logger.Opened{}, logs()
	case "environment":
		return &logger.Opened{Notes: os.Environ()}, nil
	case "stdin":
		n, err := os.Stdin.Read(make([]byte, 1))
		return &logger.Opened{Notes: []string{fmt.Sprintf("%d %v", n, err)}}, nil
	case "hold":
		hold(arg)
	case "child":
		startChild(arg)
		return &logger.Opened{}, nil
	case "child and exit":
		startChild(arg)
		os.Exit(6)
	case "fault":
		return nil, fmt.Errorf("opening: %w", fault.New(fault.Storage, "no room").WithHint("delete something"))
	case "diagnose":
		return nil, config.Errorf([]string{"do"}, "%q is not done here", run.Config["do"])
	case "wait":
		hold(arg)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &logger.Opened{}, nil
}

// noise prints what fills a pipe that nobody reads, past Go and through it.
func noise() (*logger.Opened, error) {
	n, err := syscall.Write(1, []byte(strings.Repeat("x", 300<<10)))
	if err != nil {
		return nil, err
	}
	fmt.Print(strings.Repeat("y", 300<<10))
	fmt.Fprint(os.Stderr, strings.Repeat("z", 300<<10))
	return &logger.Opened{Notes: []string{fmt.Sprint(n)}}, nil
}

// logs writes lines as plugins should and as they should not.
func logs() error {
	log := plugin.NewLogger("")
	log.Debug("too quiet")
	log.Info("an ordinary line", "step", 12, "name", "a b")
	log.Warn("a warning")
	lines := []string{
		`{"@message": 1}`,
		`{"@level": "info", "@message": {"a": 1}}`,
		`{"@level": 3, "@message": "three"}`,
		`{"@level": "info", "@message": "nested", "list": [1, 2], "nothing": null}`,
		`{"@level": "info"`,
		`null`,
		`{}`,
		`a line of text`,
		"\x1b[31mred\x1b[0m",
		"\xff\xfe",
		"[INFO] in brackets",
		"{\"@level\": \"info\", \"@message\": \"" + strings.Repeat("long", 100_000) + "\"}",
	}
	for _, line := range lines {
		if _, err := syscall.Write(2, []byte(line+"\n")); err != nil {
			return err
		}
	}
	log.Info("the last line")
	return nil
}

func (l *badLogger) Log(_ context.Context, records []logger.Record) error {
	if slices.ContainsFunc(records, func(r logger.Record) bool { return r.Texts["do"] == "panic" }) {
		panic("a record")
	}
	return nil
}

func (l *badLogger) Close(context.Context, logger.Status) error { return nil }
