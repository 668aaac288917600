package repository

import (
	"crypto/md5"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrepot/storage/catalog"
)

func (b *bench) stored(repository, path string) *catalog.Asset {
	b.t.Helper()
	a, err := b.state.Load().find(repository).content.Asset(b.t.Context(), path)
	must(b.t, err)
	return a
}

// await moves the clock until the follower has come to the end of the feed.
func (b *bench) awaitDigests(repository, path string) *catalog.Asset {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); b.clock.forward(calmTime) {
		if a := b.stored(repository, path); a.Digests.MD5 != "" && a.Digests.SHA512 != "" {
			return a
		}
		<-time.After(calmPoll / 4)
	}
	b.t.Fatalf("%s%s never got its digests", repository, path)
	return nil
}

func TestLargeFilesGetTheirDigestsLater(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	large, small := strings.Repeat("x", 2*extraUpTo+1), strings.Repeat("y", extraUpTo)
	b.want(b.do("PUT", "files", "/large", large), 201, "")
	b.want(b.do("PUT", "files", "/small", small), 201, "")
	if a := b.stored("files", "/small"); a.Digests.MD5 == "" || a.Digests.SHA512 == "" {
		t.Errorf("a small file lacks digests: %+v", a.Digests)
	}
	before := b.stored("files", "/large")
	if before.Digests.MD5 != "" || before.Digests.SHA512 != "" || before.Digests.SHA256 == "" {
		t.Errorf("digests of a large file at once: %+v", before.Digests)
	}
	a := b.awaitDigests("files", "/large")
	if a.Digests.MD5 != fmt.Sprintf("%x", md5.Sum([]byte(large))) || a.Digests.SHA512 != fmt.Sprintf("%x", sha512.Sum512([]byte(large))) {
		t.Errorf("digests %+v", a.Digests)
	}
	if !a.BlobUpdated.Equal(before.BlobUpdated) || !a.BlobCreated.Equal(before.BlobCreated) || a.ID != before.ID {
		t.Errorf("the asset changed: %+v; before %+v", a, before)
	}
}

// TestDigestsAfterARestart states that what was not done before a restart is done after it.
func TestDigestsAfterARestart(t *testing.T) {
	b := newBench(t)
	b.create(rawHosted("files"))
	b.want(b.do("PUT", "files", "/large", strings.Repeat("x", extraUpTo+1)), 201, "")
	must(t, b.Close())
	if a := b.stored("files", "/large"); a.Digests.MD5 != "" {
		t.Fatal("done before the clock moved")
	}
	b.open()
	b.awaitDigests("files", "/large")
}

// TestDigestsWaitForCalm states that nothing is read while a body comes in or many requests do.
func TestDigestsWaitForCalm(t *testing.T) {
	c := calm{}
	c.reset(start)
	if c.is(start.Add(calmTime - 1)) {
		t.Error("calm before anything is known")
	}
	if !c.is(start.Add(calmTime)) {
		t.Error("not calm without requests")
	}
	c.requests.Add(calmRate)
	if c.is(start.Add(2 * calmTime)) {
		t.Error("calm with many requests")
	}
	if !c.is(start.Add(3 * calmTime)) {
		t.Error("not calm after them")
	}
	c.bodies.Add(1)
	if c.is(start.Add(4 * calmTime)) {
		t.Error("calm while a body comes in")
	}
	c.bodies.Add(-1)
	if c.is(start.Add(4*calmTime)) || !c.is(start.Add(5*calmTime)) {
		t.Error("calm right after a body, or never again")
	}
}
