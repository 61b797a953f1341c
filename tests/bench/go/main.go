// Go's side of the benchmarks: the same programs as in ../weir, the same metric lines
// `name value unit`, one metric group per argument (none: all).
//
// Build: GO111MODULE=off go build -o go-bench (in this directory)
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A unit that ends in "/s" is a throughput: more is better.
func metric(name string, value float64, unit string) {
	fmt.Printf("%s %.3f %s\n", name, value, unit)
}

// Nanoseconds of `took` for each of n.
func nsEach(took time.Duration, n int) float64 {
	return float64(took.Nanoseconds()) / float64(n)
}

func ms(took time.Duration) float64 { return float64(took.Nanoseconds()) / 1e6 }

// The same measurement with another number of processors.
func atProcs(name string, procs int) string { return fmt.Sprintf("%s_p%d", name, procs) }

// User and system time of this process until now.
func cpuTime() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Bytes of a line of /proc/self/status, such as VmRSS.
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

// How many goroutines the groups with very many have: WEIR_BENCH_MANY, default a million.
func many() int {
	if n, err := strconv.Atoi(os.Getenv("WEIR_BENCH_MANY")); err == nil && n > 0 {
		return n
	}
	return 1_000_000
}

// Ends the process with exit status 1 when a benchmark computed a wrong result.
func check(right bool, what string) {
	if !right {
		fmt.Fprintln(os.Stderr, "bench: wrong result:", what)
		os.Exit(1)
	}
}

type group struct {
	name string
	run  func()
}

var groups []group

// Makes the groups of one file known; called by its init.
func register(more ...group) { groups = append(groups, more...) }

func find(name string) (group, bool) {
	for _, g := range groups {
		if g.name == name {
			return g, true
		}
	}
	return group{}, false
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, g := range groups {
			fmt.Println(g.name)
		}
		return
	}
	chosen := groups
	if len(os.Args) > 1 {
		chosen = nil
	}
	for _, name := range os.Args[1:] {
		g, known := find(name)
		if !known {
			fmt.Fprintf(os.Stderr, "%s: no such metric group: %s (see --list)\n", os.Args[0], name)
			os.Exit(2)
		}
		chosen = append(chosen, g)
	}
	for _, g := range chosen {
		g.run()
	}
}
