//go:build unix

package datadir

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lockVariable makes the test binary a process that holds a lock until its input ends.
const lockVariable = "ENTREPOT_TEST_LOCK"

func TestMain(m *testing.M) {
	if name := os.Getenv(lockVariable); name != "" {
		os.Exit(holdLock(name))
	}
	os.Exit(m.Run())
}

func holdLock(name string) int {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return 1
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		return 1
	}
	os.Stdout.WriteString("locked\n")
	_, err = io.Copy(io.Discard, os.Stdin)
	if err != nil {
		return 1
	}
	return 0
}

// TestRunningServer wants a directory refused while a process holds its lock, and taken when only the file is left.
func TestRunningServer(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "lock")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, nil); errors.Is(err, ErrRunning) {
		t.Errorf("a lock file that nobody holds: %v", err)
	}
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), lockVariable+"="+name)
	in, err1 := holder.StdinPipe()
	out, err2 := holder.StdoutPipe()
	if err := errors.Join(err1, err2, holder.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if _, err := Open(t.Context(), dir, nil); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("a lock that is held: %v", err)
	}
	if err := errors.Join(in.Close(), holder.Wait()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, nil); errors.Is(err, ErrRunning) {
		t.Errorf("a lock that was released: %v", err)
	}
}
