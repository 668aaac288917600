package repository

import (
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"entrepot/app/repository/upstream"
	"entrepot/formats"
	"entrepot/formats/formattest"
	"entrepot/formats/maven2"
	"entrepot/formats/raw"
)

// TestRaw runs the suite of formats on the engine.
func TestRaw(t *testing.T) {
	formattest.Serve(t, formattest.ServeSpec{
		Format: raw.New(),
		Files: []formattest.File{
			{Path: "/docs/read me.txt", ContentType: "text/plain", Body: []byte("some words\n")},
			{Path: "/a.bin", ContentType: "application/octet-stream", Body: []byte{0, 1, 2, 3}},
			{Path: "/grün/ä+b;c.json", ContentType: "application/json", Body: []byte(`{"a":1}`)},
		},
	}, openSite)
}

// TestMaven2 runs the suite of formats on the engine.
func TestMaven2(t *testing.T) {
	formattest.Serve(t, formattest.ServeSpec{
		Format:   maven2.New(nil),
		Settings: map[string]string{maven2.SettingVersionPolicy: maven2.Mixed, maven2.SettingLayoutPolicy: maven2.Permissive},
		Files: []formattest.File{
			{Path: "/org/acme/app/1.0/app-1.0.jar", ContentType: "application/java-archive", Body: []byte("PK\x03\x04 and so on")},
			{Path: "/org/acme/app/1.0/app-1.0.pom", ContentType: "application/xml", Body: []byte("<project><packaging>jar</packaging></project>")},
			{Path: "/org/acme/lib/1.0-SNAPSHOT/lib-1.0-20200102.030405-1-bin.tar.gz", ContentType: "application/x-gzip", Body: []byte("\x1f\x8b\x08")},
		},
		Documents: map[string][][]byte{
			"/org/acme/app/maven-metadata.xml": {
				[]byte(metadataOf("org.acme", "app", "1.0", "1.10")), []byte(metadataOf("org.acme", "app", "2.0")),
				[]byte(metadataOf("org.acme", "app", "1.9", "2.0")),
			},
		},
	}, openSite)
}

func metadataOf(group, artifact string, versions ...string) string {
	return "<metadata><groupId>" + group + "</groupId><artifactId>" + artifact + "</artifactId><versioning><versions><version>" +
		strings.Join(versions, "</version><version>") + "</version></versions></versioning></metadata>"
}

// openSite makes an engine with the repositories that the suite wants.
func openSite(t *testing.T, spec formattest.ServeSpec) *formattest.Site {
	b := newBench(t, func(o *Options) { o.Upstream = &upstream.Options{} })
	server := &siteUpstream{origin: newOrigin(t)}
	definition := func(name string, kind formats.Kind) Definition {
		return Definition{
			Name: name, Format: spec.Format.Name(), Kind: kind, Online: true, BlobStore: DefaultBlobStore, Settings: spec.Settings,
		}
	}
	a, other := definition(formattest.HostedA, formats.Hosted), definition(formattest.HostedB, formats.Hosted)
	a.Write, other.Write = WriteAllow, WriteAllow
	none := 0
	cache := definition(formattest.CacheC, formats.Cache)
	cache.Upstream = &Upstream{
		URL: server.URL, ContentMaxAge: formattest.Age, MetadataMaxAge: formattest.Age, Connection: &Connection{Retries: &none},
	}
	cache.NegativeCache = NegativeCache{Enabled: true, TTL: formattest.Age}
	proxy := definition(formattest.ProxyP, formats.Proxy)
	proxy.Members = []string{a.Name, other.Name, cache.Name}
	b.create(a, other, cache, proxy)
	return &formattest.Site{
		Serve: func(repository string, r *formats.Request) formattest.Reply {
			resp, err := b.Serve(t.Context(), Call{Repository: repository, Subject: admin, Request: r, RemoteIP: "192.0.2.1"})
			if err != nil {
				return formattest.Reply{Err: err}
			}
			body, err := b.readBody(r, resp)
			return formattest.Reply{Status: resp.Status, Header: resp.Header, Body: body, Err: err}
		},
		Upstream: server,
		Advance:  b.clock.forward,
	}
}

// readBody reads the body of a response as the edge does.
func (b *bench) readBody(r *formats.Request, resp *formats.Response) ([]byte, error) {
	switch {
	case r.Method == http.MethodHead:
		if resp.Body.Stream != nil {
			return nil, resp.Body.Stream.Close()
		}
		return nil, nil
	case resp.Body.Stream != nil:
		defer resp.Body.Stream.Close()
		return io.ReadAll(resp.Body.Stream)
	case resp.Body.Blob != nil:
		object, err := b.OpenBlob(b.t.Context(), *resp.Body.Blob)
		if err != nil {
			return nil, err
		}
		defer object.Close()
		return io.ReadAll(io.NewSectionReader(object, resp.Body.Offset, resp.Body.Size))
	}
	return resp.Body.Bytes, nil
}

// siteUpstream is an origin as the suite scripts it.
type siteUpstream struct {
	*origin
	broken atomic.Bool
}

// Put implements formattest.Upstream.
func (u *siteUpstream) Put(path string, body []byte) {
	sum := sha1.Sum(body)
	answer := tagged(`"`+hex.EncodeToString(sum[:])+`"`, string(body))
	u.on(path, func(w http.ResponseWriter, r *http.Request) {
		if u.broken.Load() {
			status(http.StatusServiceUnavailable)(w, r)
			return
		}
		answer(w, r)
	})
}

// Break implements formattest.Upstream.
func (u *siteUpstream) Break(broken bool) { u.broken.Store(broken) }

// Requests implements formattest.Upstream.
func (u *siteUpstream) Requests() []string {
	var paths []string
	for _, asked := range u.log() {
		path := strings.TrimPrefix(asked, "GET ")
		if at := strings.Index(path, ` "`); at >= 0 {
			path = path[:at]
		}
		paths = append(paths, path)
	}
	return paths
}
