package properties

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]string
	}{
		{"blob", "#2022-03-04 05:06:07,890+0000\n#Fri Mar 04 05:06:07 UTC 2022\n@BlobStore.blob-name=/v2/-/blobs/sha256\\:6a0a\nsize=11\n" +
			"deletedReason=Updating asset (record \\#24\\:3384)\n", map[string]string{
			"@BlobStore.blob-name": "/v2/-/blobs/sha256:6a0a", "size": "11", "deletedReason": "Updating asset (record #24:3384)"}},
		{"separators", "a=1\nb:2\nc 3\nd   =  4\n e\t5\nf\n=g\n", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "", "": "g"}},
		{"escapes", `k\ e\=y=\ lead\t\n\\end\q` + "\n", map[string]string{"k e=y": " lead\t\n\\endq"}},
		{"unicode", `n=\u00E9\uD83D\uDE00` + "\nl=\xe9\n", map[string]string{"n": "é😀", "l": "é"}},
		{"continued", "a=one\\\n   two\\\r\n three\nb=x\\\\\n", map[string]string{"a": "onetwothree", "b": `x\`}},
		{"comments", "! no\n  # no\n\na=#yes\n", map[string]string{"a": "#yes"}},
		{"last wins", "a=1\na=2", map[string]string{"a": "2"}},
		{"ends in backslash", "a=1\\", map[string]string{"a": "1"}},
		{"empty", "", map[string]string{}},
	}
	for _, tt := range tests {
		got, err := Read(strings.NewReader(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestReadErrors(t *testing.T) {
	for _, in := range []string{`a=\u12`, `a=\uzzzz`, `\u1=2`} {
		if _, err := Read(strings.NewReader(in)); err == nil {
			t.Errorf("%q: accepted", in)
		}
	}
	if _, err := Read(strings.NewReader(strings.Repeat("a", MaxSize+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a=1\nb\\:c = \\u0041\\\n x")
	f.Fuzz(func(_ *testing.T, in string) {
		_, _ = Read(strings.NewReader(in)) // must neither panic nor hang
	})
}
