// Goroutine profiles of very many, while a neighbour computes; and what they cost those who work.

package main

import (
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"
)

const nestDepth = 8

// Ten functions that call themselves until they are eight deep, and block there.
var nests [10]func(ch chan int, depth int)

func blockHere(ch chan int) {
	atomic.AddInt64(&arrived, 1)
	<-ch
}

//go:noinline
func nest0(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest0(ch, depth-1)
	}
}

//go:noinline
func nest1(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest1(ch, depth-1)
	}
}

//go:noinline
func nest2(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest2(ch, depth-1)
	}
}

//go:noinline
func nest3(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest3(ch, depth-1)
	}
}

//go:noinline
func nest4(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest4(ch, depth-1)
	}
}

//go:noinline
func nest5(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest5(ch, depth-1)
	}
}

//go:noinline
func nest6(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest6(ch, depth-1)
	}
}

//go:noinline
func nest7(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest7(ch, depth-1)
	}
}

//go:noinline
func nest8(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest8(ch, depth-1)
	}
}

//go:noinline
func nest9(ch chan int, depth int) {
	if depth == 1 {
		blockHere(ch)
	} else {
		nest9(ch, depth-1)
	}
}

// n goroutines that wait for ch, in ten places.
func parkNested(ch chan int, n int) {
	atomic.StoreInt64(&arrived, 0)
	for i := 0; i < n; i++ {
		go nests[i%len(nests)](ch, nestDepth)
	}
	for atomic.LoadInt64(&arrived) < int64(n) {
		runtime.Gosched()
	}
}

// A goroutine that does nothing but look at the clock: its longest gap is what others did to it.
type neighbour struct {
	stop, longest int64 // ns, since it was last set to 0
}

func (n *neighbour) run() {
	last := time.Now()
	for atomic.LoadInt64(&n.stop) == 0 {
		now := time.Now()
		if gap := int64(now.Sub(last)); gap > atomic.LoadInt64(&n.longest) {
			atomic.StoreInt64(&n.longest, gap)
		}
		last = now
	}
}

type counter struct{ bytes int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

func benchProfiles() {
	runtime.GOMAXPROCS(2)
	parkNested(make(chan int), many())
	n := &neighbour{}
	go n.run()
	for _, profile := range []struct {
		name  string
		debug int
		times int // the best counts
	}{
		{"profile_debug1", 1, 3},
		{"profile_pprof", 0, 3},
		{"profile_debug2", 2, 1}, // the world stands still for half a minute
	} {
		best := time.Duration(1 << 62)
		stall, memory := int64(0), 0.0
		var out counter
		for i := 0; i < profile.times; i++ {
			out.bytes = 0
			os.WriteFile("/proc/self/clear_refs", []byte(strconv.Itoa(5)), 0)
			before := statusBytes("VmRSS")
			atomic.StoreInt64(&n.longest, 0)
			start := time.Now()
			pprof.Lookup("goroutine").WriteTo(&out, profile.debug)
			if d := time.Since(start); d < best {
				best = d
			}
			if longest := atomic.LoadInt64(&n.longest); longest > stall {
				stall = longest
			}
			if m := statusBytes("VmHWM") - before; m > memory {
				memory = m
			}
		}
		metric(profile.name, ms(best), "ms")
		metric(profile.name+"_stall", float64(stall)/1e6, "ms")
		metric(profile.name+"_memory", memory/(1<<20), "MiB")
		metric(profile.name+"_size", float64(out.bytes)/(1<<20), "MiB")
	}
	atomic.StoreInt64(&n.stop, 1)
}

func pingpongFor(d time.Duration) int64 {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	trips := int64(0)
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := 0; i < 1000; i++ {
			ping <- i
			<-pong
			trips++
		}
	}
	close(ping)
	<-pong
	return trips
}

// The share of ping-pong's throughput that is left with a profile each second.
func benchProfiled(procs int) {
	const d = 5 * time.Second
	runtime.GOMAXPROCS(procs)
	parkNested(make(chan int), many()/10)
	pingpongFor(time.Second)
	alone := float64(pingpongFor(d))
	stop := make(chan int)
	go func() {
		for tick := time.NewTicker(time.Second); ; {
			pprof.Lookup("goroutine").WriteTo(io.Discard, 1)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	profiled := float64(pingpongFor(d))
	close(stop)
	metric("profiled_pingpong_p"+strconv.Itoa(procs), profiled/alone, "of_undisturbed")
}

func init() {
	nests = [10]func(chan int, int){nest0, nest1, nest2, nest3, nest4, nest5, nest6, nest7, nest8, nest9}
	register(
		group{"profiles", benchProfiles},
		group{"profiled_p1", func() { benchProfiled(1) }},
		group{"profiled_p2", func() { benchProfiled(2) }},
	)
}
