// Command advisor writes the least-privilege policies of the pods that it sees.
package main

import (
	"context"
	"os"

	"github.com/psp-advisor/psp-advisor/cmd/advisor/app"
)

func main() { os.Exit(run()) }

func run() int {
	return app.Run(context.Background(), os.Args[0], os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
