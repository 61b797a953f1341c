package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What each does with the server at a URL, and finds out.
var gets = map[string]func(url string) any{
	"pool": pool, "duplex": duplex, "early-close": earlyClose, "cancel": cancel, "trailers": sendTrailers,
	"continue": expectContinue, "not-read": notRead,
}

// Counts the connections that are made.
func counted(client *http.Client, made *atomic.Int64) func(*http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			made.Add(1)
		}
	}}
	return func(r *http.Request) (*http.Response, error) {
		return client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	}
}

func request(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	check(err)
	return r
}

func readAll(r *http.Response) string {
	body, err := io.ReadAll(r.Body)
	check(err)
	r.Body.Close()
	return string(body)
}

// Many at once, of several kinds, over connections that are kept.
func pool(url string) any {
	const workers, each = 16, 100
	var made, good atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}}
	do := counted(client, &made)
	var all sync.WaitGroup
	for i := 0; i < workers; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for n := 0; n < each; n++ {
				text := strings.Repeat(fmt.Sprintf("%d of %d, ", n, i), n)
				want, r := text, request("POST", url+"/echo", strings.NewReader(text))
				switch n % 3 {
				case 1:
					r = request("POST", url+"/echo", io.MultiReader(strings.NewReader(text))) // chunked
				case 2:
					want, r = "hello, world\n", request("GET", url+"/hello", nil)
				}
				response, err := do(r)
				check(err)
				if response.StatusCode == 200 && readAll(response) == want {
					good.Add(1)
				}
			}
		}(i)
	}
	all.Wait()
	return map[string]any{"good": good.Load(), "requests": workers * each, "connections": made.Load()}
}

// A body that goes on only when its beginning has come back.
func duplex(url string) any {
	const size, step = 8 << 20, 1 << 20
	body := make([]byte, size)
	rand.New(rand.NewSource(1)).Read(body)
	from, to := io.Pipe()
	r := request("POST", url+"/echo", from)
	r.ContentLength = size
	back := make(chan bool)
	go func() {
		for i := 0; i < size; i += step {
			if i > 0 {
				<-back
			}
			_, err := to.Write(body[i : i+step])
			check(err)
		}
		to.Close()
	}()
	response, err := http.DefaultClient.Do(r)
	check(err)
	sum := sha256.New()
	for i := 0; i < size; i += step {
		// Some of each step is still under way.
		part := io.LimitReader(response.Body, step)
		if i == 0 {
			part = io.LimitReader(response.Body, step/2)
		}
		_, err := io.Copy(sum, part)
		check(err)
		if i+step < size {
			back <- true
		}
	}
	_, err = io.Copy(sum, response.Body)
	check(err)
	want := sha256.Sum256(body)
	return map[string]any{"same": bytes.Equal(sum.Sum(nil), want[:])}
}

func earlyClose(url string) any {
	for i := 0; i < 10; i++ {
		response, err := http.Get(url + "/sized/100000000")
		check(err)
		_, err = io.CopyN(io.Discard, response.Body, 1000)
		check(err)
		response.Body.Close()
	}
	response, err := http.Get(url + "/hello")
	check(err)
	return map[string]any{"after": readAll(response)}
}

func cancel(url string) any {
	ctx, stop := context.WithCancel(context.Background())
	response, err := http.DefaultClient.Do(request("GET", url+"/slow?begin", nil).WithContext(ctx))
	check(err)
	begin := make([]byte, 6)
	_, err = io.ReadFull(response.Body, begin)
	check(err)
	stop()
	_, err = response.Body.Read(begin)
	return map[string]any{"begin": string(begin), "cancelled": err == context.Canceled}
}

func sendTrailers(url string) any {
	var made atomic.Int64
	do := counted(http.DefaultClient, &made)
	var bodies []string
	for i := 0; i < 3; i++ {
		r := request("POST", url+"/echo", io.MultiReader(strings.NewReader("a body, and then: ")))
		r.Trailer = http.Header{"X-Sum": {"42"}, "X-Other": {"trailer"}}
		response, err := do(r)
		check(err)
		bodies = append(bodies, readAll(response))
	}
	return map[string]any{"bodies": bodies, "connections": made.Load()}
}

// A reader that tells whether it was read.
type watched struct {
	io.Reader
	read *atomic.Bool
}

func (w watched) Read(to []byte) (int, error) {
	w.read.Store(true)
	return w.Reader.Read(to)
}

func expectContinue(url string) any {
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	found := map[string]any{}
	for _, path := range []string{"/echo", "/at-most/10", "/not-read"} {
		var read atomic.Bool
		r := request("POST", url+path, watched{strings.NewReader(strings.Repeat("x", 1000)), &read})
		r.ContentLength = 1000
		r.Header.Set("Expect", "100-continue")
		response, err := client.Do(r)
		check(err)
		readAll(response)
		found[path] = map[string]any{"status": response.StatusCode, "sent": read.Load()}
	}
	return found
}

// Bodies that the handler does not read: short ones are read away, long ones end the connection.
func notRead(url string) any {
	found := map[string]any{}
	for _, size := range []int{1000, 100_000_000} {
		var made atomic.Int64
		do := counted(&http.Client{Transport: &http.Transport{}}, &made)
		var statuses []int
		for i := 0; i < 3; i++ {
			response, err := do(request("POST", url+"/not-read", strings.NewReader(strings.Repeat("x", size))))
			check(err)
			readAll(response)
			statuses = append(statuses, response.StatusCode)
		}
		found[fmt.Sprint(size)] = map[string]any{"statuses": statuses, "connections": made.Load()}
	}
	return found
}
