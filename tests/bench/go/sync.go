// Mutex: by one goroutine, and by eight that contend for it.

package main

import (
	"runtime"
	"sync"
	"time"
)

// Each goroutine locks, counts and unlocks n / goroutines times.
func mutexRound(goroutines, n int) time.Duration {
	var mu sync.Mutex
	count := 0 // guarded by mu
	var wg sync.WaitGroup
	wg.Add(goroutines)
	start := time.Now()
	for g := 0; g < goroutines; g++ {
		go func() {
			for i := 0; i < n/goroutines; i++ {
				mu.Lock()
				count++
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	took := time.Since(start)
	check(count == n, "mutex: the count that it guards")
	return took
}

func benchMutex(name string, procs, goroutines int) {
	runtime.GOMAXPROCS(procs)
	const times = 40_000_000
	mutexRound(goroutines, times/20)
	metric(name, nsEach(mutexRound(goroutines, times), times), "ns/lock")
}

func init() {
	register(
		group{"mutex_uncontended", func() { benchMutex("mutex_uncontended", 1, 1) }},
		group{"mutex_contended_p1", func() { benchMutex("mutex_contended_p1", 1, 8) }},
		group{"mutex_contended_p2", func() { benchMutex("mutex_contended_p2", 2, 8) }},
	)
}
