package workers

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestEachItemRunsOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 16} {
		for _, n := range []int{0, 1, 2, 5, 1000} {
			t.Run(fmt.Sprintf("%d items on %d threads", n, threads), func(t *testing.T) {
				p := New(threads)
				defer p.Close()
				counts := make([]atomic.Int32, n)
				for range 50 {
					p.Run(n, func(i int) { counts[i].Add(1) })
				}
				for i := range counts {
					if got := counts[i].Load(); got != 50 {
						t.Fatalf("item %d ran %d times in 50 loops", i, got)
					}
				}
			})
		}
	}
}

func TestRunSeesWhatItemsWrote(t *testing.T) {
	p := New(4)
	defer p.Close()
	values := make([]int, 64) // plain memory: under -race an early return shows
	for round := range 200 {
		p.Run(len(values), func(i int) { values[i] += i })
		for i, v := range values {
			if v != (round+1)*i {
				t.Fatalf("after loop %d item %d has %d", round, i, v)
			}
		}
	}
}

func TestWorkersAreDistinct(t *testing.T) {
	p := New(4)
	defer p.Close()
	var taken [4]atomic.Bool
	for range 100 {
		p.RunOn(32, func(worker, _ int) {
			if worker < 0 || worker >= p.Threads() {
				t.Errorf("worker %d of %d", worker, p.Threads())
				return
			}
			if !taken[worker].CompareAndSwap(false, true) {
				t.Errorf("worker %d runs two items at a time", worker)
			}
			taken[worker].Store(false)
		})
	}
}

func TestLoopsWithinLoopsAndBeside(t *testing.T) {
	p := New(3)
	defer p.Close()
	var sum atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				p.Run(8, func(i int) {
					p.Run(4, func(j int) { sum.Add(int64(i*4 + j)) })
				})
			}
		})
	}
	group.Wait()
	if want := int64(4 * 20 * 31 * 32 / 2); sum.Load() != want {
		t.Errorf("the items sum to %d, want %d", sum.Load(), want)
	}
}

func TestPanicIsRaisedByRun(t *testing.T) {
	p := New(4)
	defer p.Close()
	for _, n := range []int{1, 2, 100} {
		got := func() (v any) {
			defer func() { v = recover() }()
			p.Run(n, func(i int) {
				if i == n-1 {
					panic("item failed")
				}
			})
			return nil
		}()
		if got != "item failed" {
			t.Errorf("%d items: Run raised %v", n, got)
		}
	}
	var ran atomic.Int32
	p.Run(10, func(int) { ran.Add(1) })
	if ran.Load() != 10 {
		t.Errorf("after a panic a loop of 10 ran %d items", ran.Load())
	}
}

func TestLoopAfterClose(t *testing.T) {
	p := New(4)
	p.Run(10, func(int) {})
	p.Close()
	p.Close()
	ran := 0 // the caller alone runs: no race
	p.Run(10, func(int) { ran++ })
	if ran != 10 {
		t.Errorf("ran %d of 10 items", ran)
	}
}

func TestLoopsAllocateNothing(t *testing.T) {
	p := New(4)
	defer p.Close()
	var sum atomic.Int64
	f := func(i int) { sum.Add(int64(i)) }
	if n := testing.AllocsPerRun(100, func() { p.Run(16, f) }); n != 0 {
		t.Errorf("a loop allocates %v times", n)
	}
}

// BenchmarkRun is the cost of a loop whose items do next to nothing.
func BenchmarkRun(b *testing.B) {
	for _, threads := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(threads), func(b *testing.B) {
			p := New(threads)
			defer p.Close()
			var sum atomic.Int64
			f := func(i int) { sum.Add(int64(i)) }
			for b.Loop() {
				p.Run(threads, f)
			}
		})
	}
}
