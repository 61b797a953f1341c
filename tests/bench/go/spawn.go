// Starting goroutines and switching between them: yield, spawn and join, skynet.

package main

import (
	"runtime"
	"sync"
	"time"
)

// Two goroutines that yield to each other, n times each.
func yieldRound(n int) time.Duration {
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	for g := 0; g < 2; g++ {
		go func() {
			for i := 0; i < n; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return time.Since(start)
}

func benchYield() {
	runtime.GOMAXPROCS(1)
	yieldRound(100_000)
	const times = 8_000_000
	metric("yield", nsEach(yieldRound(times), 2*times), "ns/switch")
}

// A thousand goroutines started and joined at a time.
func spawnRound(rounds int) time.Duration {
	start := time.Now()
	for r := 0; r < rounds; r++ {
		var wg sync.WaitGroup
		wg.Add(1000)
		for i := 0; i < 1000; i++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
	return time.Since(start)
}

func benchSpawn(procs int) {
	runtime.GOMAXPROCS(procs)
	spawnRound(100)
	const rounds = 5000
	metric(atProcs("spawn_join", procs), nsEach(spawnRound(rounds), rounds*1000), "ns/goroutine")
}

// Sends the sum of `leaves` numbers from `first` on: a leaf its own, any other the sum that its ten
// children send.
func skynet(up chan int64, first, leaves int64) {
	if leaves == 1 {
		up <- first
		return
	}
	const children = 10
	sums := make(chan int64)
	part := leaves / children
	for i := int64(0); i < children; i++ {
		go skynet(sums, first+i*part, part)
	}
	sum := int64(0)
	for i := 0; i < children; i++ {
		sum += <-sums
	}
	up <- sum
}

func skynetRound(leaves int64) time.Duration {
	start := time.Now()
	sum := make(chan int64)
	go skynet(sum, 0, leaves)
	check(<-sum == leaves*(leaves-1)/2, "skynet: the sum")
	return time.Since(start)
}

func benchSkynet(procs int) {
	runtime.GOMAXPROCS(procs)
	const leaves = 1_000_000
	skynetRound(leaves)
	const times = 2
	var took time.Duration
	for i := 0; i < times; i++ {
		took += skynetRound(leaves)
	}
	metric(atProcs("skynet", procs), ms(took)/times, "ms")
}

func init() {
	register(
		group{"yield", benchYield},
		group{"spawn_join_p1", func() { benchSpawn(1) }},
		group{"spawn_join_p2", func() { benchSpawn(2) }},
		group{"skynet_p1", func() { benchSkynet(1) }},
		group{"skynet_p2", func() { benchSkynet(2) }},
	)
}
