package pluginhost

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
)

// exitedError is err as an ExitedError.
func exitedError(t *testing.T, err error) *ExitedError {
	t.Helper()
	var exited *ExitedError
	if !errors.As(err, &exited) {
		t.Fatalf("got %v, want an ExitedError", err)
	}
	return exited
}

func TestDeathInACall(t *testing.T) {
	tests := []struct {
		do     string
		code   int
		signal syscall.Signal
		cause  string
		status string
	}{
		{"panic", 2, 0, "panic: a nil map", "exited with status 2"},
		{"exit", 4, 0, "the disk is full", "exited with status 4"},
		{"log and exit", 5, 0, "cannot write file=events.1", "exited with status 5"},
		{"kill", -1, syscall.SIGKILL, "", "killed by signal 9"},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			proc := mustStart(t, bad(t, "logger-good"), Options{})
			_, err := open(testContext(t), proc, tt.do, "")
			exited := exitedError(t, err)
			if exited.Code != tt.code || exited.Signal != tt.signal || exited.Cause != tt.cause || exited.Closed {
				t.Errorf("got %+v", exited)
			}
			if !strings.Contains(err.Error(), tt.status) || !strings.Contains(err.Error(), "plugin logger-good") {
				t.Errorf("got %q", err)
			}
			<-proc.Exited()
			if got := exitedError(t, proc.ExitError()); got.PID != proc.PID() {
				t.Errorf("got %v", got)
			}
			_ = exitedError(t, proc.Logger().Log(testContext(t), nil)) // and each call that follows
			if err := proc.Close(testContext(t)); err != nil {
				t.Error(err)
			}
			if exitedError(t, proc.ExitError()).Closed {
				t.Error("a crash became an end that was wanted")
			}
		})
	}
}

func TestPanicIsQuoted(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	_, err := open(testContext(t), proc, "panic", "")
	detail := exitedError(t, err).Detail()
	for _, want := range []string{"panic: a nil map", "goroutine ", "badLogger"} {
		if !strings.Contains(detail, want) {
			t.Errorf("%q is not in %s", want, detail)
		}
	}
}

func TestDeathEndsEveryCall(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	w := newWatch(t)
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := open(context.Background(), proc, "hang", w.path)
			errs <- err
		}()
	}
	for range 3 {
		w.held(t)
	}
	err := proc.Logger().Log(testContext(t), []logger.Record{{Texts: map[string]string{"do": "panic"}}})
	_ = exitedError(t, err)
	for range 3 {
		_ = exitedError(t, <-errs)
	}
}

func TestDeathInAStream(t *testing.T) {
	t.Run("of one direction", func(t *testing.T) {
		proc := mustStart(t, bad(t, "bad-kernels"), Options{})
		err := proc.Kernels().Load(testContext(t), &kernels.LoadRequest{}, nil)
		if exitedError(t, err).Code != 7 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of two directions", func(t *testing.T) {
		proc := mustStart(t, bad(t, "bad-kernels"), Options{})
		var number, reported int64
		err := proc.Kernels().Train(testContext(t), func() (*kernels.Step, error) {
			number++
			return &kernels.Step{Number: number}, nil
		}, func(r *kernels.StepResult) error {
			reported = r.Number
			return nil
		})
		if exited := exitedError(t, err); exited.Cause != "panic: illegal address" {
			t.Errorf("got %v", err)
		}
		// The plugin was given its third step after the first was reported; the report of
		// the second may have died with it.
		if reported < 1 || reported > 2 {
			t.Errorf("%d steps were reported", reported)
		}
	})
}

func TestChildrenOfADeadPluginEnd(t *testing.T) {
	w := newWatch(t)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	_, err := open(testContext(t), proc, "child and exit", w.path)
	if exitedError(t, err).Code != 6 {
		t.Errorf("got %v", err)
	}
	// The child may be killed before it gets to connect; if it does connect, it ends.
	w.listener.Close()
}

func TestCloseEndsChildren(t *testing.T) {
	w := newWatch(t)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	if _, err := open(testContext(t), proc, "child", w.path); err != nil {
		t.Fatal(err)
	}
	child := w.held(t)
	if err := proc.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, child)
}
