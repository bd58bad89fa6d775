package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a running part of a cluster.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended
	err  error         // how it ended; read it after done
}

// errEnded is how a process ended that had no reason to fail.
var errEnded = errors.New("exit status 0")

// launch starts a command whose output goes to a log file. The kernel kills it
// when this process dies.
func launch(name, log string, cmd *exec.Cmd) (*process, error) {
	// Appended, because a server that is started again continues its log.
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // named by this package
	if err != nil {
		return nil, fmt.Errorf("creating the log of %s: %w", name, err)
	}
	defer func() { _ = file.Close() }() // the command has a copy of it
	cmd.Stdout, cmd.Stderr = file, file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL

	p := &process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal follows the thread that forked, so this thread must
		// live as long as the process does.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		if p.err = cmd.Wait(); p.err == nil {
			p.err = errEnded
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// kill ends the process and its children, and waits for it. Nothing that runs
// here has anything to save.
func (p *process) kill() {
	group := -p.cmd.Process.Pid
	// The only possible error is that the group is gone already.
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-p.done
	// A child may take a little longer, and still hold its port.
	for range 500 {
		if syscall.Kill(group, 0) != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tail is the end of the log, for error messages.
func (p *process) tail() string {
	const keep = 15
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-keep):], "\n")
}
