//go:build unix

package pluginhost

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestClose(t *testing.T) {
	w := newWatch(t)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	if _, err := open(testContext(t), proc, "hold", w.path); err != nil {
		t.Fatal(err)
	}
	conn := w.held(t)
	for range 2 {
		if err := proc.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	awaitEnd(t, conn)
	if exited := exitedError(t, proc.ExitError()); !exited.Closed {
		t.Errorf("got %+v", exited)
	}
	if _, err := open(testContext(t), proc, "", ""); !exitedError(t, err).Closed {
		t.Errorf("got %v", err)
	}
	// Nothing is left to be waited for: the process is no zombie.
	if err := syscall.Kill(proc.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", proc.PID(), err)
	}
}

func TestCallsThatHang(t *testing.T) {
	for _, do := range []string{"hang", "stop", "wait"} {
		t.Run(do, func(t *testing.T) {
			w := newWatch(t)
			proc := mustStart(t, bad(t, "logger-good"), Options{})
			ctx, cancel := context.WithCancel(testContext(t))
			ended := make(chan error)
			go func() {
				_, err := open(ctx, proc, do, w.path)
				ended <- err
			}()
			conn := w.held(t)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := proc.Close(testContext(t)); err != nil {
				t.Error(err)
			}
			awaitEnd(t, conn)
		})
	}
}

func TestDeadlineOfACall(t *testing.T) {
	w := newWatch(t)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	if _, err := open(ctx, proc, "hang", w.path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCloseDuringACall(t *testing.T) {
	w := newWatch(t)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	ended := make(chan error)
	go func() {
		_, err := open(testContext(t), proc, "hang", w.path)
		ended <- err
	}()
	w.held(t)
	if err := proc.Close(testContext(t)); err != nil {
		t.Error(err)
	}
	if exited := exitedError(t, <-ended); !exited.Closed {
		t.Errorf("got %v", exited)
	}
}

func TestCloseWithAnEndedContext(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if err := proc.Close(ctx); err != nil {
		t.Error(err)
	}
	<-proc.Exited()
}
