package properties

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWrite(t *testing.T) {
	var b strings.Builder
	if err := Write(&b, map[string]string{"@BlobStore.blob-name": "/v2/-/blobs/sha256:6a", "a key": "  two = blanks ", "u": "ü😀\t\\"}); err != nil {
		t.Fatal(err)
	}
	want := `@BlobStore.blob-name=/v2/-/blobs/sha256\:6a
a\ key=\ \ two \= blanks ` + `
u=\u00FC\uD83D\uDE00\t\\
`
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func FuzzWriteRead(f *testing.F) {
	f.Add("key", "value")
	f.Add(" k=:#!", "\\ \n\f\x00é😀 ")
	f.Fuzz(func(t *testing.T, key, value string) {
		if !utf8.ValidString(key + value) {
			t.Skip()
		}
		var b strings.Builder
		if err := Write(&b, map[string]string{key: value}); err != nil {
			t.Fatal(err)
		}
		if b.Len() > MaxSize {
			t.Skip()
		}
		got, err := Read(strings.NewReader(b.String()))
		if err != nil || len(got) != 1 || got[key] != value {
			t.Errorf("%q=%q comes back as %q, %v", key, value, got, err)
		}
	})
}
