package audit

import (
	"errors"
	"fmt"
	"os"
	"strconv"
)

// file is a file of lines that is rotated by size: audit.log, audit.log.1, and so on to older ones.
type file struct {
	path string
	f    *os.File
	size int64
}

// append writes a line, into a new file when the present one is full.
func (l *file) append(line []byte, s Settings) error {
	if l.f == nil {
		if err := l.open(); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	if l.size > 0 && l.size+int64(len(line)) >= s.FileBytes {
		if err := l.rotate(s.FileCount); err != nil {
			return fmt.Errorf("audit: rotate: %w", err)
		}
	}
	n, err := l.f.Write(append(line, '\n'))
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

func (l *file) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.size = f, info.Size()
	return nil
}

func (l *file) rotate(keep int) error {
	if err := l.close(); err != nil {
		return err
	}
	for n := keep; n > 0; n-- {
		older, newer := l.path+"."+strconv.Itoa(n), l.path
		if n > 1 {
			newer += "." + strconv.Itoa(n-1)
		}
		if err := os.Rename(newer, older); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return l.open()
}

func (l *file) close() error {
	if l.f == nil {
		return nil
	}
	f := l.f
	l.f = nil
	return f.Close()
}
