package catalog

import (
	"strings"
	"testing"
	"time"

	"entrepot/storage/blob"

	gocmp "github.com/google/go-cmp/cmp"
)

func fullAsset() *Asset {
	at := func(seconds int) time.Time {
		return testTime.Add(time.Duration(seconds)*time.Second + 7*time.Millisecond)
	}
	return &Asset{
		Path: "/org/acme/lib/1.0/lib-1.0.jar", Browse: "/lib/1.0/jar", Kind: "artifact",
		Component: &Coordinates{Group: "org.acme", Name: "lib", Version: "1.0"},
		Blob:      BlobRef{Store: "default", Hash: blob.Hash{1, 2, 3}}, Size: 1 << 40,
		Digests: blob.Digests{
			SHA1: strings.Repeat("1a", 20), SHA256: strings.Repeat("2b", 32), MD5: strings.Repeat("3c", 16), SHA512: strings.Repeat("4d", 64),
		},
		ContentType: "application/java-archive",
		Created:     at(10), BlobCreated: at(5), BlobUpdated: at(20), LastDownloaded: at(86400), Updated: at(90),
		Uploader: "admin", UploaderIP: "2001:db8::1", Origin: "old-server",
		Format:   map[string]string{"extension": "jar", "": "empty", "utf8": "ä"},
		Upstream: &Upstream{ETag: `W/"x"`, LastModified: at(-5), Verified: at(30), Token: "7"},
		ID:       1<<63 - 1,
	}
}

func TestAssetRecord(t *testing.T) {
	tests := map[string]struct {
		asset    *Asset
		withPath bool
	}{
		"full":                {fullAsset(), true},
		"library":             {libraryAsset(7), false},
		"bare":                {&Asset{Blob: BlobRef{Store: "s"}}, false},
		"before 1970":         {&Asset{Created: time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC), BlobUpdated: testTime, Updated: testTime}, false},
		"never seen upstream": {&Asset{Upstream: &Upstream{}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			record, err := encodeAsset(tt.asset, tt.withPath)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeAsset(string(record))
			if err != nil {
				t.Fatal(err)
			}
			want := *tt.asset
			if !tt.withPath {
				want.Path = ""
			}
			if diff := gocmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAssetRecordIsSmall(t *testing.T) {
	a := libraryAsset(12345)
	a.ID = uint64(testTime.UnixNano())
	a.Created, a.BlobCreated, a.BlobUpdated, a.LastDownloaded = testTime, testTime, testTime, testTime.Add(time.Hour)
	record, err := encodeAsset(a, false)
	if err != nil {
		t.Fatal(err)
	}
	attributes := appendMap(nil, a.Format)
	if size := len(record) - len(attributes); size > 220 {
		t.Errorf("record of %d bytes without the format's attributes", size)
	}
}

func TestDamagedRecords(t *testing.T) {
	record, err := encodeAsset(fullAsset(), true)
	if err != nil {
		t.Fatal(err)
	}
	component := encodeComponent(&Component{Coordinates: Coordinates{Name: "n"}, Attributes: map[string]string{"k": "v"}})
	for n := range len(record) {
		if _, err := decodeAsset(string(record[:n])); err == nil {
			t.Errorf("the first %d bytes of an asset's record were accepted", n)
		}
	}
	for n := range len(component) {
		if _, err := decodeComponent(string(component[:n])); err == nil {
			t.Errorf("the first %d bytes of a component's record were accepted", n)
		}
	}
	if _, err := decodeAsset(string(append(record, 0))); err == nil {
		t.Error("a record with a byte too many was accepted")
	}
	record[0]++
	if _, err := decodeAsset(string(record)); err == nil {
		t.Error("a record of a newer format was accepted")
	}
}

func FuzzDecodeAsset(f *testing.F) {
	for _, a := range []*Asset{fullAsset(), libraryAsset(3), {}} {
		record, err := encodeAsset(a, true)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(record))
	}
	f.Fuzz(func(t *testing.T, record string) {
		a, err := decodeAsset(record)
		if err != nil {
			return
		}
		again, err := encodeAsset(a, a.Path != "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeAsset(string(again))
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeComponent(f *testing.F) {
	f.Add(string(encodeComponent(&Component{Coordinates: Coordinates{"g", "n", "v"}, Kind: "k", Created: testTime, ID: 7})))
	f.Fuzz(func(t *testing.T, record string) {
		c, err := decodeComponent(record)
		if err != nil {
			return
		}
		d, err := decodeComponent(string(encodeComponent(c)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(c, d); diff != "" {
			t.Fatal(diff)
		}
	})
}
