// Very many goroutines that are blocked: parked in receive, sleepers.

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Goroutines that are about to block.
var arrived int64

//go:noinline
func parkedInReceive(ch chan int) {
	atomic.AddInt64(&arrived, 1)
	<-ch
}

//go:noinline
func parkedCaller(ch chan int) {
	parkedInReceive(ch)
}

// Starts n goroutines and waits until all are about to block, but for the last few instructions.
func park(ch chan int, n int) time.Duration {
	atomic.StoreInt64(&arrived, 0)
	start := time.Now()
	for i := 0; i < n; i++ {
		go parkedCaller(ch)
	}
	for atomic.LoadInt64(&arrived) < int64(n) {
		runtime.Gosched()
	}
	return time.Since(start)
}

// Memory and ns each of goroutines parked in receive, the ns that it takes to wake and end them,
// and to create them once more, with the memory of the first ones.
func benchParked() {
	runtime.GOMAXPROCS(2)
	n := many()
	runtime.GC()
	debug.FreeOSMemory()
	others := runtime.NumGoroutine()
	ch := make(chan int)
	rss, pageTables := statusBytes("VmRSS"), statusBytes("VmPTE")
	metric("parked_create", nsEach(park(ch, n), n), "ns/goroutine")
	metric("parked_rss", (statusBytes("VmRSS")-rss)/float64(n), "bytes/goroutine")
	metric("parked_pagetables", (statusBytes("VmPTE")-pageTables)/float64(n), "bytes/goroutine")
	start := time.Now()
	close(ch)
	for runtime.NumGoroutine() > others {
		runtime.Gosched()
	}
	metric("parked_wake", nsEach(time.Since(start), n), "ns/goroutine")
	metric("parked_create_again", nsEach(park(make(chan int), n), n), "ns/goroutine")
}

// Goroutines that sleep a pseudo-random time below a second each.
func sleepAll(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	random := uint32(1)
	for i := 0; i < n; i++ {
		random = random*1664525 + 1013904223 // Numerical Recipes' generator
		go func(d time.Duration) {
			time.Sleep(d)
			wg.Done()
		}(time.Duration(random % 1_000_000_000))
	}
	wg.Wait()
}

// The whole life of very many sleepers. Only the machinery is warmed up: touching the memory of a
// million goroutines is part of what is measured.
func benchSleepers() {
	runtime.GOMAXPROCS(2)
	sleepAll(1000)
	cpu := cpuTime()
	start := time.Now()
	sleepAll(many())
	metric("sleepers_wall", ms(time.Since(start)), "ms")
	metric("sleepers_cpu", ms(cpuTime()-cpu), "ms")
}

func init() {
	register(
		group{"parked", benchParked},
		group{"sleepers", benchSleepers},
	)
}
