package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// accountFolder is where programs in a pod expect the files of their service
// account.
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// becomeContainer replaces this process by the program, which finds the files
// of the account folder where a pod has them. It has a mount namespace of its
// own already; beyond that nothing is hidden from the program.
func becomeContainer(account string, program []string) error {
	run, err := filepath.EvalSymlinks("/var/run")
	if err != nil {
		return fmt.Errorf("finding /var/run: %w", err)
	}
	// A fresh folder, since only the host's root could make one in this place.
	if err := syscall.Mount("tmpfs", run, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", run, err)
	}
	if err := mkdirs(accountFolder); err != nil {
		return err
	}
	if err := syscall.Mount(account, accountFolder, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the account: %w", err)
	}
	// The right to mount ends here.
	const prCapAmbient, clearAll = 47, 4
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prCapAmbient, clearAll, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("dropping capabilities: %w", errno)
	}
	if err := syscall.Exec(program[0], program, os.Environ()); err != nil { //nolint:gosec // running it is the purpose
		return fmt.Errorf("executing %s: %w", program[0], err)
	}
	return nil
}
