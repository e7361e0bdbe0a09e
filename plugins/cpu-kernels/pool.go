package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool is threads that wait for work.
type pool struct {
	threads int
	work    chan *job
}

// A job is one call of Run: workers take its indices one after the other.
type job struct {
	n    int
	f    func(int)
	next atomic.Int64
	wait sync.WaitGroup
}

func newPool(threads int) *pool {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &pool{threads: threads, work: make(chan *job, threads)}
	for range threads - 1 {
		go func() {
			for j := range p.work {
				j.run()
				j.wait.Done()
			}
		}()
	}
	return p
}

func (j *job) run() {
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.n {
			return
		}
		j.f(i)
	}
}

// Run calls f for 0 ≤ i < n and returns when all calls have. The caller works
// too.
func (p *pool) Run(n int, f func(i int)) {
	helpers := min(p.threads, n) - 1
	if helpers <= 0 {
		for i := range n {
			f(i)
		}
		return
	}
	j := &job{n: n, f: f}
	j.wait.Add(helpers)
	for range helpers {
		p.work <- j
	}
	j.run()
	j.wait.Wait()
}

func (p *pool) close() { close(p.work) }
