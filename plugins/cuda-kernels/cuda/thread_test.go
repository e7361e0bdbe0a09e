package cuda_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/sdk/fault"
)

// named are the calls of those names, with their first n arguments.
func named(calls []call, names ...string) []call {
	return slices.DeleteFunc(calls, func(c call) bool { return !slices.Contains(names, c.name) })
}

func TestThreadHasThePrimaryContext(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags uintptr
		with  []cuda.ThreadOption
	}{{"sleeping", 4, nil}, {"spinning", 1, []cuda.ThreadOption{cuda.Spin()}}} {
		t.Run(tt.name, func(t *testing.T) {
			fake := newFake(t)
			fake.GPUs = append(fake.GPUs, fake.GPUs[0])
			driver := open(t, fake)
			devices, err := driver.Devices()
			if err != nil {
				t.Fatal(err)
			}
			fake.Calls()
			thread, err := driver.NewThread(devices[1], tt.with...)
			if err != nil {
				t.Fatal(err)
			}
			calls := callsOf(fake)
			if len(calls) != 3 || calls[0].String() != "cuDevicePrimaryCtxSetFlags_v2 1 "+[]string{"", "1", "", "", "4"}[tt.flags] ||
				calls[1].name != "cuDevicePrimaryCtxRetain" || calls[1].args[1] != 1 || calls[2].name != "cuCtxSetCurrent" || calls[2].args[0] == 0 {
				t.Errorf("got %v", calls)
			}
			if err := thread.Close(); err != nil {
				t.Fatal(err)
			}
			if got := callsOf(fake); len(got) != 2 || got[0].String() != "cuCtxSetCurrent 0" || got[1].String() != "cuDevicePrimaryCtxRelease_v2 1" {
				t.Errorf("closing calls %v", got)
			}
			if err := thread.Close(); err != nil || len(fake.Calls()) > 0 {
				t.Errorf("closing again: %v", err)
			}
			err = thread.Do(context.Background(), func(*cuda.Context) error { t.Error("it ran"); return nil })
			if !errors.Is(err, fault.OutOfOrder) {
				t.Errorf("Do of a closed thread: %v", err)
			}
		})
	}
}

func TestNewThreadGivesBackWhatItCannotUse(t *testing.T) {
	for _, tt := range []struct {
		call     string
		status   int32
		want     error
		releases int
	}{
		{"cuDevicePrimaryCtxSetFlags_v2", 101, fault.Unsupported, 0},
		{"cuDevicePrimaryCtxRetain", 2, fault.OutOfMemory, 0},
		{"cuCtxSetCurrent", 201, cuda.Status(201), 1},
	} {
		t.Run(tt.call, func(t *testing.T) {
			fake := newFake(t)
			driver := open(t, fake)
			devices, err := driver.Devices()
			if err != nil {
				t.Fatal(err)
			}
			fake.Answer(tt.call, tt.status)
			if _, err := driver.NewThread(devices[0]); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if got := named(callsOf(fake), "cuDevicePrimaryCtxRelease_v2"); len(got) != tt.releases {
				t.Errorf("released %d times", len(got))
			}
		})
	}
}

func TestDoRunsOnOneThreadOneAtATime(t *testing.T) {
	thread := newThread(t, open(t, newFake(t)))
	var group sync.WaitGroup
	running, count := false, 0 // the race detector sees two at once
	for range 20 {
		group.Go(func() {
			err := thread.Do(context.Background(), func(*cuda.Context) error {
				if running {
					t.Error("two run at once")
				}
				running = true
				runtime.Gosched()
				running = false
				count++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if count != 20 {
		t.Errorf("%d ran", count)
	}
}

// TestHang: work that does not end is given up, and so is all that follows; closing does
// not wait for it.
func TestHang(t *testing.T) {
	driver := open(t, newFake(t))
	devices, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	thread, err := driver.NewThread(devices[0])
	if err != nil {
		t.Fatal(err)
	}
	ends := make(chan struct{})
	defer close(ends)
	err = thread.DoAlways(10*time.Millisecond, func(*cuda.Context) error { <-ends; return nil })
	if !errors.Is(err, cuda.ErrHung) || !errors.Is(err, fault.DeviceLost) || !strings.Contains(err.Error(), "has not ended its work within 10ms") {
		t.Errorf("got %v", err)
	}
	again := thread.Do(context.Background(), func(*cuda.Context) error { t.Error("it ran"); return nil })
	if !errors.Is(again, cuda.ErrHung) {
		t.Errorf("then %v", again)
	}
	if err := thread.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestDoKeepsErrors(t *testing.T) {
	thread := newThread(t, open(t, newFake(t)))
	ctx, cancel := context.WithCancel(context.Background())
	if err := thread.Do(ctx, func(*cuda.Context) error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	// What runs is waited for; what waits is not.
	release, started, waited := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		waited <- thread.Do(ctx, func(*cuda.Context) error { close(started); <-release; return nil })
	}()
	<-started
	cancel()
	if err := thread.Do(ctx, func(*cuda.Context) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-waited; err != nil {
		t.Errorf("what ran when its context ended: %v", err)
	}
}

func TestDoSurvivesAPanic(t *testing.T) {
	thread := newThread(t, open(t, newFake(t)))
	err := thread.Do(context.Background(), func(*cuda.Context) error { panic(io.ErrClosedPipe) })
	var panicked *cuda.PanicError
	if !errors.As(err, &panicked) || !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "TestDoSurvivesAPanic") {
		t.Errorf("got %v", err)
	}
	if err := thread.Do(context.Background(), func(*cuda.Context) error { return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDoOfAFunctionThatEndsTheGoroutine(t *testing.T) {
	thread := newThread(t, open(t, newFake(t)))
	for range 2 {
		err := thread.Do(context.Background(), func(*cuda.Context) error { runtime.Goexit(); return nil })
		if !errors.Is(err, fault.OutOfOrder) {
			t.Errorf("got %v", err)
		}
	}
}

func TestALostContextIsAskedNothingMore(t *testing.T) {
	fake := newFake(t)
	driver := open(t, fake)
	thread := newThread(t, driver)
	var host *cuda.HostMemory
	err := thread.Do(context.Background(), func(c *cuda.Context) error {
		f, stream := function(t, c, "norm")
		saxpy, _ := function(t, c, "saxpy")
		var err error
		if host, err = c.AllocHost(16); err != nil {
			return err
		}
		for range 3 {
			if err := stream.Launch(f, [3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, make([]byte, 8)); err != nil {
				return err
			}
		}
		if err := stream.Launch(saxpy, [3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, make([]byte, 26)); err != nil {
			return err
		}
		stream.Note("gemm")
		fake.Answer("cuStreamSynchronize", int32(cuda.IllegalAddress))
		err = stream.Synchronize()
		fake.Calls()
		for name, f := range map[string]func() error{
			"launching": func() error { return stream.Launch(f, [3]uint32{1, 1, 1}, [3]uint32{32, 1, 1}, 0, make([]byte, 8)) },
			"freeing":   host.Free,
			"closing":   stream.Close,
			"allocating": func() error {
				_, err := c.Alloc(1)
				return err
			},
		} {
			if later := f(); !errors.Is(later, fault.DeviceLost) || later.Error() != err.Error() {
				t.Errorf("%s: %v", name, later)
			}
		}
		return err
	})
	const want = "cuStreamSynchronize: a kernel read or wrote memory that is not its own (CUDA_ERROR_ILLEGAL_ADDRESS, 700); " +
		"launched before, the latest last: norm (3 times), saxpy, gemm"
	if !errors.Is(err, fault.DeviceLost) || !errors.Is(err, cuda.IllegalAddress) || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if hint := fault.HintOf(err); !strings.Contains(hint, "resumed") {
		t.Errorf("the hint is %q", hint)
	}
	later := thread.Do(context.Background(), func(*cuda.Context) error { t.Error("it ran"); return nil })
	if !errors.Is(later, fault.DeviceLost) || later.Error() != want {
		t.Errorf("later: %v", later)
	}
	if err := thread.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if calls := fake.Calls(); len(calls) > 0 {
		t.Errorf("the driver was called: %v", calls)
	}
}

func TestClosingTakesPinnedMemoryAway(t *testing.T) {
	thread := newThread(t, open(t, newFake(t)))
	var host *cuda.HostMemory
	err := thread.Do(context.Background(), func(c *cuda.Context) (err error) {
		host, err = c.AllocHost(16)
		return err
	})
	if err != nil || len(host.Bytes()) != 16 {
		t.Fatalf("%d bytes, %v", len(host.Bytes()), err)
	}
	if err := thread.Close(); err != nil {
		t.Fatal(err)
	}
	if host.Bytes() != nil {
		t.Error("its bytes can still be reached")
	}
}
