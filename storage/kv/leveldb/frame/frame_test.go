package frame_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"entrepot/storage/kv/leveldb/frame"
)

const salt = 0x5eed

func encode(numbers uint64, payloads ...string) []byte {
	var file []byte
	for i, p := range payloads {
		buf := append(frame.Begin(nil), p...)
		frame.Finish(buf, numbers+uint64(i), salt)
		file = append(file, buf...)
	}
	return file
}

func source(file []byte) frame.Source {
	return frame.Source{Name: "f", At: bytes.NewReader(file), Size: int64(len(file)), Salt: salt}
}

func readAll(src frame.Source) (payloads []string, offset int64, err error) {
	r := frame.NewReader(src, 0)
	for {
		_, p, err := r.Next()
		if err != nil {
			return payloads, r.Offset(), err
		}
		payloads = append(payloads, string(p))
	}
}

func TestReadBack(t *testing.T) {
	large := string(bytes.Repeat([]byte("x"), 300_000))
	file := encode(7, "one", "", large, "last")
	r := frame.NewReader(source(file), 0)
	for i, want := range []string{"one", "", large, "last"} {
		number, got, err := r.Next()
		if err != nil || number != 7+uint64(i) || string(got) != want {
			t.Fatalf("frame %d: number %d, %d bytes, %v", i, number, len(got), err)
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestCutAtEveryOffset(t *testing.T) {
	whole := encode(1, "first", "second")
	first := len(encode(1, "first"))
	for size := range whole {
		got, offset, err := readAll(source(whole[:size]))
		frames := min(size/first, 1)
		var damage *frame.DamageError
		clean := size == 0 || size == first
		if len(got) != frames || offset != int64(frames*first) || (err == io.EOF) != clean || errors.As(err, &damage) == clean {
			t.Fatalf("cut at %d: %d frames, offset %d, %v", size, len(got), offset, err)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	whole := encode(1, "first", "second")
	for i := range whole {
		for bit := range 8 {
			file := bytes.Clone(whole)
			file[i] ^= 1 << bit
			_, _, err := readAll(source(file))
			var damage *frame.DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
	other := source(whole)
	other.Salt++
	if got, _, err := readAll(other); len(got) != 0 || err == io.EOF {
		t.Errorf("frames of another salt were read: %q, %v", got, err)
	}
}

func TestFind(t *testing.T) {
	first, second := encode(5, "first"), encode(6, "second")
	junk := bytes.Repeat([]byte{0xff, 6, 0, 0, 0, 0, 0, 0, 0, 0}, 60_000)
	tests := []struct {
		name  string
		file  []byte
		from  int64
		least uint64
		want  int64
	}{
		{"empty", nil, 0, 1, -1},
		{"zeroes", make([]byte, 1<<20), 0, 1, -1},
		{"after junk", bytes.Join([][]byte{junk, second}, nil), 1, 6, int64(len(junk))},
		{"across a window", bytes.Join([][]byte{make([]byte, 256<<10-3), second}, nil), 0, 6, 256<<10 - 3},
		{"only older frames", bytes.Join([][]byte{junk, first}, nil), 0, 6, -1},
		{"cut frame", second[:len(second)-1], 0, 6, -1},
		{"damaged first", append(append([]byte{1}, first[1:]...), second...), 0, 5, int64(len(first))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := frame.Find(source(tt.file), tt.from, tt.least)
			if err != nil || got != tt.want {
				t.Errorf("Find = %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(1, "first", "second"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, offset, err := readAll(source(file)); err == nil || offset > int64(len(file)) {
			t.Errorf("offset %d of %d, %v", offset, len(file), err)
		}
		if at, err := frame.Find(source(file), 0, 1); err != nil || at >= int64(len(file)) {
			t.Errorf("Find = %d, %v", at, err)
		}
	})
}
