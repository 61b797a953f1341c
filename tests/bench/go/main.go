// Go's side of the benchmarks: the same programs as weir_bench.cc, the same metric lines
// `name value unit`, one metric group per argument (none: all).
//
// Build: GO111MODULE=off go build -o go-bench main.go
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func metric(name string, value float64, unit string) {
	fmt.Printf("%s %.1f %s\n", name, value, unit)
}

// A number of the environment, for smaller runs.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// Two goroutines that yield to each other on one P: ns a switch.
func benchYield() {
	runtime.GOMAXPROCS(1)
	round := func(n int) time.Duration {
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
	round(100_000)
	n := 2_000_000
	metric("yield", float64(round(n).Nanoseconds())/float64(2*n), "ns/switch")
}

// Unbuffered: a value there, a value back. ns a round trip.
func benchPingPong(procs int) {
	runtime.GOMAXPROCS(procs)
	round := func(n int) time.Duration {
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
	round(50_000)
	n := 1_000_000
	metric(fmt.Sprintf("pingpong_p%d", procs), float64(round(n).Nanoseconds())/float64(n), "ns/roundtrip")
}

// A thousand goroutines started and joined at a time: ns each.
func benchSpawn(procs int) {
	runtime.GOMAXPROCS(procs)
	round := func(rounds int) time.Duration {
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
	round(100)
	rounds := 1000
	metric(fmt.Sprintf("spawn_join_p%d", procs), float64(round(rounds).Nanoseconds())/float64(rounds*1000), "ns/goroutine")
}

// Bytes of a line of /proc/self/status.
func statusBytes(key string) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), key+":") {
			fields := strings.Fields(lines.Text())
			kb, _ := strconv.ParseFloat(fields[1], 64)
			return kb * 1024
		}
	}
	return 0
}

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

// WEIR_BENCH_PARKED goroutines (default a million) parked in receive: memory and ns each; then the
// goroutine profile of all of them, ms.
func benchParked() {
	runtime.GOMAXPROCS(2)
	n := number("WEIR_BENCH_PARKED", 1_000_000)
	runtime.GC()
	debug.FreeOSMemory()
	ch := make(chan int)
	rss, pte := statusBytes("VmRSS"), statusBytes("VmPTE")
	start := time.Now()
	for i := 0; i < n; i++ {
		go parkedCaller(ch)
	}
	for atomic.LoadInt64(&arrived) < int64(n) {
		runtime.Gosched()
	}
	took := time.Since(start)
	metric("parked_create", float64(took.Nanoseconds())/float64(n), "ns/goroutine")
	metric("parked_rss", (statusBytes("VmRSS")-rss)/float64(n), "bytes/goroutine")
	metric("parked_pagetables", (statusBytes("VmPTE")-pte)/float64(n), "bytes/goroutine")

	for _, profile := range []struct {
		name  string
		debug int
	}{{"profile_debug1", 1}, {"profile_pprof", 0}, {"profile_debug2", 2}} {
		best := time.Duration(1 << 62)
		times := 2
		if profile.debug == 2 {
			times = 1 // the world stands still for half a minute
		}
		for i := 0; i < times; i++ {
			start := time.Now()
			pprof.Lookup("goroutine").WriteTo(io.Discard, profile.debug)
			if d := time.Since(start); d < best {
				best = d
			}
		}
		metric(profile.name, float64(best.Microseconds())/1000, "ms")
	}
}

func main() {
	groups := os.Args[1:]
	if len(groups) == 0 {
		groups = []string{"yield", "pingpong_p1", "pingpong_p2", "spawn_join_p1", "spawn_join_p2", "parked"}
	}
	for _, group := range groups {
		switch group {
		case "yield":
			benchYield()
		case "pingpong_p1":
			benchPingPong(1)
		case "pingpong_p2":
			benchPingPong(2)
		case "spawn_join_p1":
			benchSpawn(1)
		case "spawn_join_p2":
			benchSpawn(2)
		case "parked":
			benchParked()
		default:
			fmt.Fprintln(os.Stderr, "go-bench: no such metric group:", group)
			os.Exit(2)
		}
	}
}
