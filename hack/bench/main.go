// Command bench compares the advisor with the least that a client can do, side by side:
// each way is a process of its own, and rounds are interleaved. See docs/performance.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// commands are what the harness runs as processes of their own.
var commands = map[string]func(ctx context.Context, args []string) error{
	"serve":    serve,
	"launch":   launch,
	"raw":      rawGet,
	"loop":     loop,
	"informer": informer,
	"load":     load,
	"dump":     dump,
	"decode":   decode,
	"parse":    parse,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run, args := compare, os.Args[1:]
	if len(args) > 0 && commands[args[0]] != nil {
		run, args = commands[args[0]], args[1:]
	}
	if err := run(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop is called
	}
}
