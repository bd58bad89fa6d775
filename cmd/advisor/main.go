// Command advisor writes the least-privilege policies of the pods that it sees.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/psp-advisor/psp-advisor/cmd/advisor/app"
)

func main() { os.Exit(run()) }

func run() int {
	// A reader that goes away is an error to report, not a silent death.
	signal.Ignore(syscall.SIGPIPE)
	return app.Run(context.Background(), os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
