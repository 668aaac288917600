//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestImportedMaven deploys and resolves on an imported server, as a user of the old one with the old password.
func TestImportedMaven(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	data := filepath.Join(t.TempDir(), "data")
	importNexus(t, data, source)
	s := startIn(t, data)
	password := dataDirectories["nexus-3.77-small"]
	if status := s.as("admin", password, http.MethodDelete, "/service/rest/v1/http", ""); status != http.StatusNoContent { // the old server's proxy is not here
		t.Fatalf("the imported proxies were not removed: %d", status)
	}
	upstream, err := http.NewRequest(http.MethodPut, s.url("/service/rest/v1/repositories/maven/proxy/maven-central"),
		strings.NewReader(mavenProxy("maven-central", publicMaven(t), "RELEASE")))
	must(t, err)
	upstream.SetBasicAuth("admin", password)
	upstream.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(upstream)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("new upstream for maven-central: %d", resp.StatusCode)
	}

	machineOf := func(user, password string) *machine {
		m := newMachine(t, s.url("/repository/maven-public/"))
		settings, err := os.ReadFile(m.settings)
		must(t, err)
		write(t, m.settings, strings.NewReplacer("<username>admin<", "<username>"+user+"<", "<password>"+adminPassword+"<", "<password>"+password+"<").
			Replace(string(settings)))
		return m
	}
	deployer := machineOf("deployer", "deployer-pass")
	dir := t.TempDir()
	project(t, dir, "7.0")
	deployer.mvn(dir, "deploy", "-DaltDeploymentRepository=nexus::default::"+s.url("/repository/maven-releases/"))

	releaser := machineOf("releaser", "releaser pass with blanks")
	releaser.mvn(t.TempDir(), getPlugin, "-Dartifact=org.acme:app:7.0")
	releaser.mvn(t.TempDir(), getPlugin, "-Dartifact=org.example.multi:multi:1.0.0", "-Dtransitive=false")
	releaser.mvn(t.TempDir(), getPlugin, "-Dartifact=org.example.demo:lib-core:2.1.0-SNAPSHOT", "-Dtransitive=false")
	if !exists(filepath.Join(releaser.home, "repository", "org", "example", "multi", "multi", "1.0.0", "multi-1.0.0.jar")) {
		t.Error("what the old server held was not resolved")
	}
}
