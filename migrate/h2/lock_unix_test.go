//go:build unix

package h2_test

import (
	"io"
	"os"
	"syscall"
)

// holdLock takes the lock that H2 takes: an exclusive one on the whole file.
func holdLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return f, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart})
}
