// select over 2, 4 and 8 channels: ready ones, and such that a partner wakes.

package main

import (
	"fmt"
	"runtime"
	"time"
)

func makeChannels(n, capacity int) []chan int {
	channels := make([]chan int, n)
	for i := range channels {
		channels[i] = make(chan int, capacity)
	}
	return channels
}

func receiveFromAny2(c []chan int) {
	select {
	case <-c[0]:
	case <-c[1]:
	}
}

func receiveFromAny4(c []chan int) {
	select {
	case <-c[0]:
	case <-c[1]:
	case <-c[2]:
	case <-c[3]:
	}
}

func receiveFromAny8(c []chan int) {
	select {
	case <-c[0]:
	case <-c[1]:
	case <-c[2]:
	case <-c[3]:
	case <-c[4]:
	case <-c[5]:
	case <-c[6]:
	case <-c[7]:
	}
}

var selects = []struct {
	n              int
	receiveFromAny func([]chan int)
}{{2, receiveFromAny2}, {4, receiveFromAny4}, {8, receiveFromAny8}}

// All channels are ready all the time. Filling them is not measured: between two fillings each
// gives half of its values, more or less.
func readyRound(channels, n int, receiveFromAny func([]chan int)) time.Duration {
	const capacity = 1024
	selects := channels * capacity / 2 // between fillings
	c := makeChannels(channels, capacity)
	var took time.Duration
	for done := 0; done < n; done += selects {
		for _, ch := range c {
			for len(ch) < capacity {
				ch <- 0
			}
		}
		start := time.Now()
		for i := 0; i < selects; i++ {
			receiveFromAny(c)
		}
		took += time.Since(start)
		for _, ch := range c {
			check(len(ch) > 0, "select: a channel was not ready")
		}
	}
	return took
}

func benchSelectReady() {
	runtime.GOMAXPROCS(1)
	const times = 1 << 23 // a multiple of the selects between fillings
	for _, s := range selects {
		readyRound(s.n, times/64, s.receiveFromAny)
		took := readyRound(s.n, times, s.receiveFromAny)
		metric(fmt.Sprintf("select_ready_%d", s.n), nsEach(took, times), "ns/select")
	}
}

// Ping-pong in which both sides wait by select: each select blocks until the partner sends to one
// of its channels, another one each time. n selects on both sides together.
func blockingRound(channels, n int, receiveFromAny func([]chan int)) time.Duration {
	ping, pong := makeChannels(channels, 0), makeChannels(channels, 0)
	done := make(chan int)
	go func() {
		for i := 0; i < n/2; i++ {
			receiveFromAny(ping)
			pong[i%channels] <- 0
		}
		close(done)
	}()
	start := time.Now()
	for i := 0; i < n/2; i++ {
		ping[i%channels] <- 0
		receiveFromAny(pong)
	}
	took := time.Since(start)
	<-done
	return took
}

func benchSelectBlocking(procs int) {
	runtime.GOMAXPROCS(procs)
	const times = 3_000_000
	for _, s := range selects {
		blockingRound(s.n, times/50, s.receiveFromAny)
		took := blockingRound(s.n, times, s.receiveFromAny)
		metric(atProcs(fmt.Sprintf("select_blocking_%d", s.n), procs), nsEach(took, times), "ns/select")
	}
}

func init() {
	register(
		group{"select_ready", benchSelectReady},
		group{"select_blocking_p1", func() { benchSelectBlocking(1) }},
		group{"select_blocking_p2", func() { benchSelectBlocking(2) }},
	)
}
