//go:build e2e

package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const mavenRepository = `{"name":%q,"online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW"},` +
	`"maven":{"versionPolicy":"MIXED","layoutPolicy":"STRICT"},"cleanup":{"policyNames":["old"]}}`

var (
	versionOf = regexp.MustCompile(`<version>([^<]+)</version>`)
	valueOf   = regexp.MustCompile(`<value>([^<]+)</value>`)
)

// deploy stores versions of an artifact with the metadata that a client makes for them, many at a time.
func (s *server) deploy(repository, artifact string, paths, named []string) {
	s.t.Helper()
	body := "<metadata><groupId>g</groupId><artifactId>" + artifact + "</artifactId><versioning><versions>"
	for _, v := range named {
		body += "<version>" + v + "</version>"
	}
	body += "</versions></versioning></metadata>"
	files := map[string]string{"maven-metadata.xml": body, "maven-metadata.xml.sha1": hexSHA1(body)}
	for _, path := range paths {
		files[path] = "x"
	}
	var all sync.WaitGroup
	room := make(chan struct{}, 16)
	for path, body := range files {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if status, text := s.do(http.MethodPut, "/repository/"+repository+"/g/"+artifact+"/"+path, strings.NewReader(body)); status != http.StatusCreated {
				s.t.Errorf("%s: %d %s", path, status, text)
			}
		})
	}
	all.Wait()
}

func hexSHA1(body string) string {
	sum := sha1.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

type mavenComponent struct{ ID, Name, Version string }

// components lists a repository.
func (s *server) components(repository string) (all []mavenComponent) {
	s.t.Helper()
	for token := ""; ; {
		_, body := s.do(http.MethodGet, "/service/rest/v1/components?repository="+repository+"&continuationToken="+token, nil)
		var page struct {
			Items             []mavenComponent
			ContinuationToken string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if token = page.ContinuationToken; token == "" {
			return all
		}
	}
}

// checkMetadata wants the metadata of an artifact to name exactly the versions that are there, with the right checksum.
func (s *server) checkMetadata(repository, artifact string, versions []string) {
	s.t.Helper()
	path := "/repository/" + repository + "/g/" + artifact + "/maven-metadata.xml"
	sumStatus, sum := s.do(http.MethodGet, path+".sha1", nil) // first: a client may ask for it alone
	status, body := s.do(http.MethodGet, path, nil)
	if len(versions) == 0 {
		if status != http.StatusNotFound || sumStatus != http.StatusNotFound {
			s.t.Errorf("%s/%s: nothing is left, but: %d %d %s", repository, artifact, status, sumStatus, body)
		}
		return
	}
	var named []string
	for _, m := range versionOf.FindAllStringSubmatch(body, -1) {
		named = append(named, m[1])
	}
	slices.Sort(named)
	slices.Sort(versions)
	if !slices.Equal(named, versions) || sum != hexSHA1(body) {
		s.t.Errorf("%s/%s: names %q; there are %q; its SHA-1 %s, %s", repository, artifact, named, versions, hexSHA1(body), sum)
	}
}

// TestKillAroundRemovals kills the server while components go in all the ways there are. After each start the metadata names what is there.
func TestKillAroundRemovals(t *testing.T) {
	s := start(t)
	s.json(http.MethodPost, "/service/rest/v1/cleanup-policies", `{"name":"old","format":"maven2","criteriaAssetRegex":".*/1\\..*\\.jar"}`)
	s.json(http.MethodPost, "/service/rest/v1/repositories/maven/hosted", fmt.Sprintf(mavenRepository, "removed"))
	artifacts := []string{"a", "b", "c"}
	for _, artifact := range artifacts {
		var paths, named []string
		for i := range 40 {
			v := fmt.Sprintf("%d.%d", i%2, i)
			named, paths = append(named, v), append(paths, fmt.Sprintf("%s/%s-%s.jar", v, artifact, v))
		}
		for i := range 10 {
			paths = append(paths, fmt.Sprintf("9-SNAPSHOT/%s-9-20260101.0000%02d-%d.jar", artifact, i, i+1))
		}
		s.deploy("removed", artifact, paths, append(named, "9-SNAPSHOT"))
		builds := "<metadata><versioning></versioning></metadata>"
		s.do(http.MethodPut, "/repository/removed/g/"+artifact+"/9-SNAPSHOT/maven-metadata.xml", strings.NewReader(builds))
	}
	_, list := s.do(http.MethodGet, "/service/rest/v1/tasks?type=repository.cleanup", nil)
	cleanup := regexp.MustCompile(`"id" : "([^"]+)"`).FindStringSubmatch(list)[1]
	snapshots := s.makeTask("repository.maven.remove-snapshots",
		`{"repositoryName":"removed","minimumRetained":"2","snapshotRetentionDays":"0","removeIfReleased":"false"}`)
	ways := []func(){
		func() { s.deleteSome(rand.IntN(10) + 1) },
		func() { s.do(http.MethodPost, "/service/rest/v1/tasks/"+cleanup+"/run", nil) },
		func() { s.do(http.MethodPost, "/service/rest/v1/tasks/"+snapshots+"/run", nil) },
		func() { s.deleteSome(rand.IntN(10) + 1) },
	}
	for round := range 12 {
		ways[round%len(ways)]()
		<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
		s.kill()
		s.run()
		s.awaitTask(cleanup) // it goes on by itself
		s.awaitTask(snapshots)
		s.checkArtifacts(artifacts)
	}
	if result := s.runTask(cleanup); result != "OK" {
		t.Errorf("cleanup ended %s", result)
	}
	if result := s.runTask(snapshots); result != "OK" {
		t.Errorf("removal of snapshots ended %s", result)
	}
	s.checkArtifacts(artifacts)
	for _, c := range s.components("removed") {
		if strings.HasPrefix(c.Version, "1.") {
			t.Errorf("%s %s is still there", c.Name, c.Version)
		}
	}
}

// deleteSome begins to delete components and does not wait for the answers.
func (s *server) deleteSome(count int) {
	s.t.Helper()
	all := s.components("removed")
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range all[:min(count, len(all))] {
		req, err := http.NewRequest(http.MethodDelete, s.url("/service/rest/v1/components/"+c.ID), nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.SetBasicAuth("admin", adminPassword)
		go func() {
			if resp, err := http.DefaultClient.Do(req); err == nil { // the server may be gone before it answers
				resp.Body.Close()
			}
		}()
	}
}

// checkArtifacts compares the metadata of artifacts and of their snapshots with the components.
func (s *server) checkArtifacts(artifacts []string) {
	s.t.Helper()
	there, builds := make(map[string][]string), make(map[string][]string)
	for _, c := range s.components("removed") {
		version := c.Version
		if strings.HasPrefix(version, "9-") {
			builds[c.Name], version = append(builds[c.Name], version), "9-SNAPSHOT"
		}
		if !slices.Contains(there[c.Name], version) {
			there[c.Name] = append(there[c.Name], version)
		}
	}
	for _, artifact := range artifacts {
		s.checkMetadata("removed", artifact, there[artifact])
		_, body := s.do(http.MethodGet, "/repository/removed/g/"+artifact+"/9-SNAPSHOT/maven-metadata.xml", nil)
		if m := valueOf.FindStringSubmatch(body); m != nil && !slices.Contains(builds[artifact], m[1]) {
			s.t.Errorf("%s: build %s is named and not there: %q", artifact, m[1], builds[artifact])
		}
	}
}
