// TCP echo over loopback, clients and servers in this process.

package main

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	connections  = 64
	messageBytes = 32
	bufferBytes  = 4096 // as of a program that does not know how long messages are
)

func serve(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, bufferBytes)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		conn.Write(buffer[:n])
	}
}

// Sends a message and waits for all of it to come back, again and again.
func request(address string, stop *int32, answered *int64) {
	conn, err := net.Dial("tcp", address)
	check(err == nil, "echo: dial")
	defer conn.Close()
	message, answer := make([]byte, messageBytes), make([]byte, bufferBytes)
	for atomic.LoadInt32(stop) == 0 {
		conn.Write(message)
		for got := 0; got < messageBytes; {
			n, err := conn.Read(answer)
			check(err == nil, "echo: the connection's end")
			got += n
		}
		atomic.AddInt64(answered, 1)
	}
}

func benchEcho() {
	runtime.GOMAXPROCS(2)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err == nil, "echo: listen")
	address := listener.Addr().String()
	var stop int32
	var answered int64
	var goroutines sync.WaitGroup
	start := func(f func()) {
		goroutines.Add(1)
		go func() {
			f()
			goroutines.Done()
		}()
	}
	start(func() {
		for c := 0; c < connections; c++ {
			conn, err := listener.Accept()
			check(err == nil, "echo: accept")
			start(func() { serve(conn) })
		}
	})
	for c := 0; c < connections; c++ {
		start(func() { request(address, &stop, &answered) })
	}

	time.Sleep(500 * time.Millisecond)
	before, began := atomic.LoadInt64(&answered), time.Now()
	time.Sleep(2 * time.Second)
	requests := float64(atomic.LoadInt64(&answered) - before)
	metric("echo", requests/time.Since(began).Seconds(), "req/s")
	atomic.StoreInt32(&stop, 1)
	goroutines.Wait()
	listener.Close()
}

func init() { register(group{"echo", benchEcho}) }
