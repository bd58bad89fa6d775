// Command nodeinit is the first process of the places where a test node and
// its pods live.
//
//	nodeinit                              waits: the "pause" of pod sandboxes
//	nodeinit node SOCKET TARGET ADDRESS…  makes a machine of fresh namespaces
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster/relay"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		wait()
		return nil
	case args[0] == "node" && len(args) > 3:
		if err := becomeNode(args[1], args[2], args[3:]); err != nil {
			return err
		}
		wait()
		return nil
	}
	return fmt.Errorf("reading the arguments %q: not understood", args)
}

// becomeNode makes a machine out of fresh namespaces: it lets connections to
// the socket, from the outside, reach the target on the inside. When it dies,
// the kernel ends everything else in there.
func becomeNode(socket, target string, addresses []string) error {
	if err := mountAll(); err != nil {
		return err
	}
	if err := ip("link", "set", "lo", "up"); err != nil {
		return err
	}
	for _, address := range addresses {
		if err := ip("address", "add", address+"/32", "dev", "lo"); err != nil {
			return err
		}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listening for the outside: %w", err)
	}
	go relay.Serve(listener, "tcp", target)
	return nil
}

// mountAll hides the host's state from the node's programs, so that they
// neither read nor change it.
func mountAll() error {
	const overlay = "lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work"
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"tmpfs", "/run", "tmpfs", 0, ""},
		{"tmpfs", "/var/log", "tmpfs", 0, ""},
		// What is below stays visible: the programs may be installed there.
		{"overlay", "/var/lib", "overlay", 0, overlay},
		// An overlay cannot hold the layers of another one.
		{"tmpfs", "/var/lib/containerd", "tmpfs", 0, ""},
	} {
		if m.kind != "" {
			if err := mkdirs(m.target, "/run/upper", "/run/work"); err != nil {
				return err
			}
		}
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	// kubelet wants these values and would set them for the whole host.
	for name, value := range map[string]string{
		"vm/overcommit_memory":      "1",
		"vm/panic_on_oom":           "0",
		"kernel/panic":              "10",
		"kernel/panic_on_oops":      "1",
		"kernel/keys/root_maxkeys":  "1000000",
		"kernel/keys/root_maxbytes": "25000000",
	} {
		file := filepath.Join("/run", filepath.Base(name))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
		if err := syscall.Mount(file, "/proc/sys/"+name, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", name, err)
		}
	}
	return nil
}

func mkdirs(paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(path, 0o750); err != nil {
			return fmt.Errorf("creating %s: %w", path, err)
		}
	}
	return nil
}

func ip(args ...string) error {
	if output, err := exec.Command("ip", args...).CombinedOutput(); err != nil { //nolint:gosec // our own arguments
		return fmt.Errorf("setting up the network: ip %v: %w: %s", args, err, output)
	}
	return nil
}

// wait collects orphans until it receives a signal to end.
func wait() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
