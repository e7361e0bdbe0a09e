// Package workers is a pool of goroutines that share loops: what the kernels of
// this plugin split their work with.
//
// A loop is n items; [Pool.Run] returns when all of them are done. Which
// goroutine takes an item is left to chance, so an item must compute what it
// computes whoever runs it, and no two items may write to the same place: then
// results do not depend on the number of threads.
//
// It is not for I/O or for anything that waits: a pool has as many goroutines as
// the machine has cores.
package workers

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool runs loops on a fixed number of threads, the caller's among them. Its
// goroutines live until Close; a loop allocates nothing.
type Pool struct {
	threads int
	wake    []chan struct{} // by goroutine, each with room for one token
	done    chan struct{}   // the last goroutine to leave a closed loop says so here
	quit    chan struct{}
	closing sync.Once
	group   sync.WaitGroup

	busy atomic.Bool // a loop is under way

	// The loop under way. state counts the goroutines in it; while it is closed,
	// closed is added to it and none may enter.
	state  atomic.Int64
	n      int
	f      func(worker, i int)
	plain  func(i int)
	next   atomic.Int64
	failed atomic.Pointer[failure]
}

// A failure is a panic in an item.
type failure struct{ value any }

const closed = -1 << 32

// A goroutine looks for work spins times before it sleeps, some tens of microseconds:
// the time between one loop of a training step and the next. It yields rarely, since
// all that yield at once queue for the scheduler's lock.
const (
	spins = 4096
	yield = 256
)

// New starts a pool of that many threads; 0 or less means as many as Go may use.
func New(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, done: make(chan struct{}, 1), quit: make(chan struct{})}
	p.state.Store(closed)
	for w := 1; w < threads; w++ {
		wake := make(chan struct{}, 1)
		p.wake = append(p.wake, wake)
		p.group.Go(func() { p.work(w, wake) })
	}
	return p
}

// Threads is how many threads loops run on.
func (p *Pool) Threads() int { return p.threads }

// Close ends the pool's goroutines. Loops after it run on their callers alone.
func (p *Pool) Close() {
	p.closing.Do(func() { close(p.quit) })
	p.group.Wait()
}

// Run calls f(i) for 0 ≤ i < n and returns when all calls have. A loop within a
// loop, or one begun by another goroutine while one is under way, runs on its
// caller's thread alone. A panic in f ends the loop early and is raised again
// from Run.
func (p *Pool) Run(n int, f func(i int)) {
	if n <= 1 || !p.start() {
		for i := range n {
			f(i)
		}
		return
	}
	p.plain = f
	p.loop(n)
}

// RunOn is Run, except that f also learns which worker runs it: a number below
// Threads that no two calls of this loop have at the same time, by which f can
// have memory of its own.
func (p *Pool) RunOn(n int, f func(worker, i int)) {
	if n <= 1 || !p.start() {
		for i := range n {
			f(0, i)
		}
		return
	}
	p.f = f
	p.loop(n)
}

// start claims the pool; it reports false where the caller is on its own.
func (p *Pool) start() bool {
	return len(p.wake) > 0 && p.busy.CompareAndSwap(false, true)
}

// loop runs the loop that the caller has claimed the pool for.
func (p *Pool) loop(n int) {
	p.n = n
	p.next.Store(0)
	p.state.Store(0)
	for _, wake := range p.wake[:min(len(p.wake), n-1)] {
		select {
		case wake <- struct{}{}:
		default: // it has a token already
		}
	}
	p.take(0)
	// Whoever has not come by now need not: there is nothing left to take.
	if p.state.Add(closed) != closed {
		p.wait()
	}
	p.finish()
}

// wait returns when the last goroutine has left the closed loop.
func (p *Pool) wait() {
	for i := range spins {
		select {
		case <-p.done:
			return
		default:
			rest(i)
		}
	}
	<-p.done
}

// finish gives the pool back and raises a panic of the loop again.
func (p *Pool) finish() {
	failed := p.failed.Swap(nil)
	p.f, p.plain = nil, nil
	p.busy.Store(false)
	if failed != nil {
		panic(failed.value)
	}
}

// take runs items until none is left.
func (p *Pool) take(worker int) {
	defer func() {
		if v := recover(); v != nil {
			p.failed.CompareAndSwap(nil, &failure{v})
			p.next.Store(int64(p.n))
		}
	}()
	if f := p.plain; f != nil {
		for i := p.next.Add(1) - 1; i < int64(p.n); i = p.next.Add(1) - 1 {
			f(int(i))
		}
		return
	}
	for i := p.next.Add(1) - 1; i < int64(p.n); i = p.next.Add(1) - 1 {
		p.f(worker, int(i))
	}
}

// enter joins the loop under way, if there is one.
func (p *Pool) enter() bool {
	for {
		s := p.state.Load()
		if s < 0 {
			return false
		}
		if p.state.CompareAndSwap(s, s+1) {
			return true
		}
	}
}

// work is the life of a goroutine.
func (p *Pool) work(worker int, wake chan struct{}) {
	for {
		if !p.sleep(wake) {
			return
		}
		if !p.enter() {
			continue
		}
		p.take(worker)
		if p.state.Add(-1) == closed {
			p.done <- struct{}{}
		}
	}
}

// sleep returns when there may be work: true, or false at the pool's end.
func (p *Pool) sleep(wake chan struct{}) bool {
	for i := range spins {
		select {
		case <-wake:
			return true
		default:
			rest(i)
		}
	}
	select {
	case <-wake:
		return true
	case <-p.quit:
		return false
	}
}

// rest yields in some of the turns of a loop.
func rest(i int) {
	if i%yield == yield-1 {
		runtime.Gosched()
	}
}

// String says what the pool is, for logs.
func (p *Pool) String() string { return fmt.Sprintf("%d threads", p.threads) }
