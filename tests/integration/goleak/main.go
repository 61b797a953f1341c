// Prints what uber-go/goleak's stack parser makes of a dump on stdin: a JSON object per goroutine. readers_test.py
// compiles it together with that parser, whose source comes from Debian's package and gets its text from here.

package main

import (
	"encoding/json"
	"io"
	"os"
)

func getStackBuffer(all bool) []byte {
	dump, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	return dump
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for _, s := range All() {
		out.Encode(map[string]interface{}{"id": s.ID(), "state": s.State(), "first": s.FirstFunction()})
	}
}
