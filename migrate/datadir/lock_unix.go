//go:build unix

package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// checkLock asks whether a process holds the lock on a data directory. The file stays behind when a server is killed, the lock does
// not. It only asks; it takes no lock.
func checkLock(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("datadir: %w", err)
	}
	defer f.Close()
	ask := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &ask); err != nil || ask.Type == syscall.F_UNLCK {
		return nil // a file system without locks knows of none
	}
	return fmt.Errorf("%w: process %d holds %s; stop it first", ErrRunning, ask.Pid, name)
}
