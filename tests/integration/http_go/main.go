// Go's net/http, the other side of weir's in tests: http_go serve [CERTIFICATE KEY], or http_go get WHAT URL.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func printJSON(v any) {
	text, err := json.Marshal(v)
	check(err)
	fmt.Println(string(text))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve("", "")
	case len(os.Args) == 4 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) == 4 && os.Args[1] == "get" && gets[os.Args[2]] != nil:
		printJSON(gets[os.Args[2]](os.Args[3]))
	default:
		log.Fatal("usage: http_go serve [CERTIFICATE KEY] | http_go get WHAT URL")
	}
}
