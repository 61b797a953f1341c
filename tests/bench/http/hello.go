// An HTTP server that says hello, for comparison with hello.cc: hello_go ADDRESS
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello, world\n")
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
