//go:build unix

package h2

import (
	"io"
	"os"
	"syscall"
)

// lockHolder reports whether a process holds the lock that H2 takes on its file, and its id, which is 0 when the process is not
// visible from here. It only asks; it takes no lock. A file system without locks answers that there is none.
func lockHolder(f *os.File) (locked bool, process int) {
	ask := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &ask); err != nil {
		return false, 0
	}
	return ask.Type != syscall.F_UNLCK, int(max(ask.Pid, 0))
}
