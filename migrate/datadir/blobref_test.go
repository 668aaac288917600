package datadir

import (
	"path/filepath"
	"testing"
	"time"
)

func TestParseBlobRef(t *testing.T) {
	const id = "0c89ccf4-ec5b-44a8-83b2-d08df2599c6e"
	for text, want := range map[string]blobRef{
		"default@" + id:                        {"default", id, time.Time{}},
		"default@" + id + "@2025-09-14T08:31":  {"default", id, time.Date(2025, 9, 14, 8, 31, 0, 0, time.UTC)},
		"default:" + id + "@A1B2C3D4-E5F6A7B8": {"default", id, time.Time{}},
		"default@A1B2C3D4-E5F6A7B8:" + id:      {"default", id, time.Time{}},
		"a store@" + id:                        {"a store", id, time.Time{}},
		"default@short":                        {},
		id:                                     {},
		"":                                     {},
		"@" + id:                               {},
		"default@" + id + "/../../etc/passwd-long": {},
	} {
		got, err := parseBlobRef(text)
		if (err != nil) != (want == blobRef{}) || err == nil && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzParseBlobRef(f *testing.F) {
	f.Add("default@0c89ccf4-ec5b-44a8-83b2-d08df2599c6e@2025-09-14T08:31")
	f.Add("default:0c89ccf4-ec5b-44a8-83b2-d08df2599c6e@A1B2C3D4")
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := parseBlobRef(text)
		if err == nil && (ref.store == "" || !validID(ref.id) || filepath.Base(ref.id) != ref.id) {
			t.Errorf("%q gives %+v", text, ref)
		}
	})
}

func TestStoreDir(t *testing.T) {
	d := Directory{dir: "/old/data", opts: Options{Moved: map[string]string{"/mnt": "/old/mnt", "/mnt/deep/": "/other"}}}
	for path, want := range map[string]string{
		"default": "/old/data/blobs/default", "nested/Third Store": "/old/data/blobs/nested/Third Store", "/srv/blobs": "/srv/blobs",
		"/mnt/blobs": "/old/mnt/blobs", "/mnt": "/old/mnt", "/mnt/deep/a": "/other/a", "/mnt2/a": "/mnt2/a",
	} {
		if got := d.storeDir(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
