package main

import (
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

var connections, requests, left atomic.Int64

func number(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return n
}

// What has come, as JSON: what the tests want to know of a request.
func headers(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "target": r.RequestURI, "host": r.Host, "headers": r.Header, "body": string(body),
		"content_length": r.ContentLength, "transfer_encoding": r.TransferEncoding,
	})
}

func counts(w http.ResponseWriter, r *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{
		"connections": connections.Load(), "requests": requests.Load(), "left": left.Load(),
	})
}

func hijack(w http.ResponseWriter, answer string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	check(err)
	io.WriteString(conn, answer)
	conn.Close()
}

func chunked(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < number(r); i++ {
		fmt.Fprintf(w, "piece %d\n", i)
		w.(http.Flusher).Flush()
	}
}

func trailers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	io.WriteString(w, "with trailers\n")
	w.(http.Flusher).Flush()
	w.Header().Set("X-Sum", "42")
}

func zipped(w http.ResponseWriter, r *http.Request) {
	var to io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		g := gzip.NewWriter(w)
		defer g.Close()
		to = g
	}
	for i := 0; i < number(r); i++ {
		fmt.Fprintf(to, "line %d\n", i)
	}
}

// Long bodies come back while they come: Go's server does not read away what is longer than 256 KiB.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	w.WriteHeader(200)
	w.(http.Flusher).Flush()
	io.Copy(w, r.Body)
}

func hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(103)
	w.WriteHeader(103)
	w.Header().Set("X-Last", "yes")
	io.WriteString(w, "after hints\n")
}

func slow(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery == "begin" {
		io.WriteString(w, "begin\n")
		w.(http.Flusher).Flush()
	}
	<-r.Context().Done()
	left.Add(1)
}

func status(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(number(r))
	fmt.Fprintf(w, "this is %d\n", number(r))
}

// /redirect/307 goes to /headers, or to what ?to= says.
func redirect(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	if to == "" {
		to = "../headers"
	}
	w.Header().Set("Location", to)
	w.WriteHeader(number(r))
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello from Go\n") })
	mux.HandleFunc("/headers", headers)
	mux.HandleFunc("/counts", counts)
	mux.HandleFunc("/chunked/", chunked)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/gzip/", zipped)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/hints", hints)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/status/", status)
	mux.HandleFunc("/redirect/", redirect)
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) { hijack(w, "") })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")
	})
	mux.HandleFunc("/until-close", func(w http.ResponseWriter, r *http.Request) {
		hijack(w, "HTTP/1.0 200 OK\r\n\r\nuntil it closes")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		mux.ServeHTTP(w, r)
	})
}

func serve(certificate, key string) {
	server := &http.Server{Handler: routes(), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	if certificate == "" {
		fmt.Printf("http://%s\n", listener.Addr())
		check(server.Serve(listener))
	}
	server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // no HTTP/2
	fmt.Printf("https://%s\n", listener.Addr())
	check(server.ServeTLS(listener, certificate, key))
}
