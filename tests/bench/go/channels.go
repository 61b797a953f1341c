// Values over channels: ping-pong, buffered, ring, prime sieve.

package main

import (
	"runtime"
	"sync"
	"time"
)

// Unbuffered: a value there, a value back.
func pingPongRound(n int) time.Duration {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		ping <- i
		<-pong
	}
	took := time.Since(start)
	close(ping)
	<-pong
	return took
}

func benchPingPong(procs int) {
	runtime.GOMAXPROCS(procs)
	pingPongRound(50_000)
	const times = 3_000_000
	metric(atProcs("pingpong", procs), nsEach(pingPongRound(times), times), "ns/roundtrip")
}

// `pairs` senders and as many receivers share a channel that buffers 128.
func bufferedRound(pairs, n int) time.Duration {
	ch := make(chan int, 128)
	counts := make(chan int, pairs)
	var senders sync.WaitGroup
	senders.Add(pairs)
	start := time.Now()
	for g := 0; g < pairs; g++ {
		go func() {
			for i := 0; i < n/pairs; i++ {
				ch <- i
			}
			senders.Done()
		}()
		go func() {
			count := 0
			for range ch {
				count++
			}
			counts <- count
		}()
	}
	senders.Wait()
	close(ch)
	received := 0
	for g := 0; g < pairs; g++ {
		received += <-counts
	}
	took := time.Since(start)
	check(received == n, "buffered: values received")
	return took
}

func benchBuffered(procs int) {
	runtime.GOMAXPROCS(procs)
	const times = 16_000_000
	for _, side := range []struct {
		pairs int
		name  string
	}{{1, "buffered_1to1"}, {4, "buffered_4to4"}} {
		bufferedRound(side.pairs, times/20)
		metric(atProcs(side.name, procs), nsEach(bufferedRound(side.pairs, times), times), "ns/value")
	}
}

// A token passes `laps` times through a ring of n goroutines; each adds one.
func ringRound(n, laps int) time.Duration {
	first := make(chan int)
	last := first
	for g := 0; g < n; g++ {
		next := make(chan int)
		go func(in, out chan int) {
			for token := range in {
				out <- token + 1
			}
			close(out)
		}(last, next)
		last = next
	}
	lap := func() {
		first <- 0
		check(<-last == n, "ring: the token's value after a lap")
	}
	lap() // all goroutines have started
	start := time.Now()
	for i := 0; i < laps; i++ {
		lap()
	}
	took := time.Since(start)
	close(first)
	<-last
	return took
}

func benchRing() {
	runtime.GOMAXPROCS(1)
	const goroutines = 10_000
	ringRound(goroutines, 10)
	const times = 3 // of 100 laps
	metric("ring", ms(ringRound(goroutines, times*100))/times, "ms")
}

// The prime sieve up to `limit`: a chain of filters, one for each prime.
func sieveRound(limit, primes int) time.Duration {
	start := time.Now()
	numbers := make(chan int)
	go func(numbers chan int) {
		for n := 2; n <= limit; n++ {
			numbers <- n
		}
		close(numbers)
	}(numbers)
	found := 0
	for {
		prime, ok := <-numbers
		if !ok {
			break
		}
		found++
		rest := make(chan int)
		go func(numbers, rest chan int) {
			for n := range numbers {
				if n%prime != 0 {
					rest <- n
				}
			}
			close(rest)
		}(numbers, rest)
		numbers = rest
	}
	took := time.Since(start)
	check(found == primes, "sieve: primes found")
	return took
}

func benchSieve(procs int) {
	runtime.GOMAXPROCS(procs)
	const primes, last = 3000, 27449 // the 3000th prime
	sieveRound(last, primes)
	metric(atProcs("sieve", procs), ms(sieveRound(last, primes)), "ms")
}

func init() {
	register(
		group{"pingpong_p1", func() { benchPingPong(1) }},
		group{"pingpong_p2", func() { benchPingPong(2) }},
		group{"buffered_p1", func() { benchBuffered(1) }},
		group{"buffered_p2", func() { benchBuffered(2) }},
		group{"ring", benchRing},
		group{"sieve_p1", func() { benchSieve(1) }},
		group{"sieve_p2", func() { benchSieve(2) }},
	)
}
