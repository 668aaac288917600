//go:build e2e

package e2e

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a user's machine with Maven: a settings file and a local repository of its own.
type machine struct {
	t        *testing.T
	home     string
	settings string
}

// newMachine makes a machine that gets everything from mirror, with the administrator's credentials for server "nexus".
func newMachine(t *testing.T, mirror string) *machine {
	t.Helper()
	m := &machine{t: t, home: t.TempDir()}
	m.settings = filepath.Join(m.home, "settings.xml")
	write(t, m.settings, fmt.Sprintf(`<settings>
  <localRepository>%s</localRepository>
  <mirrors><mirror><id>nexus</id><mirrorOf>*</mirrorOf><url>%s</url></mirror></mirrors>
  <servers><server><id>nexus</id><username>admin</username><password>%s</password></server></servers>
  <profiles><profile><id>snapshots</id><repositories><repository><id>central</id><url>http://central</url>
    <releases><enabled>true</enabled><checksumPolicy>fail</checksumPolicy></releases>
    <snapshots><enabled>true</enabled><checksumPolicy>fail</checksumPolicy><updatePolicy>always</updatePolicy></snapshots>
  </repository></repositories></profile></profiles>
  <activeProfiles><activeProfile>snapshots</activeProfile></activeProfiles>
</settings>
`, filepath.Join(m.home, "repository"), mirror, adminPassword))
	return m
}

func (m *machine) args(args ...string) []string {
	return append([]string{"-B", "-ntp", "-q", "-s", m.settings, "-DskipTests", "-Dmaven.test.skip=true"}, args...)
}

func (m *machine) mvn(dir string, args ...string) string {
	m.t.Helper()
	return run(m.t, dir, "mvn", m.args(args...)...)
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publicMaven is the address of the public repository that this machine's own Maven is set up with: its settings' mirror, else the
// repository of the super POM.
func publicMaven(t *testing.T) string {
	t.Helper()
	home := strings.TrimSpace(strings.TrimPrefix(findLine(run(t, t.TempDir(), "mvn", "-v"), "Maven home:"), "Maven home:"))
	if user, err := os.UserHomeDir(); err == nil {
		for _, file := range []string{filepath.Join(user, ".m2", "settings.xml"), filepath.Join(home, "conf", "settings.xml")} {
			var settings struct {
				Mirrors []string `xml:"mirrors>mirror>url"`
			}
			if data, err := os.ReadFile(file); err == nil && xml.Unmarshal(data, &settings) == nil && len(settings.Mirrors) > 0 &&
				strings.HasPrefix(settings.Mirrors[0], "https://") {
				return settings.Mirrors[0]
			}
		}
	}
	jars, err := filepath.Glob(filepath.Join(home, "lib", "maven-model-builder*.jar"))
	if err != nil || len(jars) == 0 {
		t.Fatalf("no super POM below %s", home)
	}
	jar, err := zip.OpenReader(jars[0])
	if err != nil {
		t.Fatal(err)
	}
	defer jar.Close()
	f, err := jar.Open("org/apache/maven/model/pom-4.0.0.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var pom struct {
		URLs []string `xml:"repositories>repository>url"`
	}
	if err := xml.Unmarshal(data, &pom); err != nil || len(pom.URLs) == 0 {
		t.Fatalf("super POM: %v", err)
	}
	return pom.URLs[0]
}

func findLine(text, prefix string) string {
	for _, line := range strings.Split(text, "\n") {
		if i := strings.Index(line, prefix); i >= 0 {
			return line[i:]
		}
	}
	return ""
}

// setUpstream gives a cache of Maven content its upstream address.
func (s *server) setUpstream(name, url string, policy string) {
	s.t.Helper()
	s.json(http.MethodPut, "/service/rest/v1/repositories/maven/proxy/"+name, mavenProxy(name, url, policy))
}

func mavenProxy(name, url, policy string) string {
	return fmt.Sprintf(`{"name":%q,"online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":false},
"proxy":{"remoteUrl":%q,"contentMaxAge":-1,"metadataMaxAge":0},"negativeCache":{"enabled":false,"timeToLive":1},
"httpClient":{"blocked":false,"autoBlock":false},"maven":{"versionPolicy":%q,"layoutPolicy":"PERMISSIVE"}}`, name, url, policy)
}

// project writes a project of two modules, of which app uses lib.
func project(t *testing.T, dir, version string) {
	t.Helper()
	const head = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>`
	write(t, filepath.Join(dir, "pom.xml"), head+fmt.Sprintf(`<groupId>org.acme</groupId><artifactId>parent</artifactId><version>%s</version>
<packaging>pom</packaging><modules><module>lib</module><module>app</module></modules>
<properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties></project>`, version))
	for module, dependency := range map[string]string{
		"lib": "",
		"app": fmt.Sprintf(`<dependencies><dependency><groupId>org.acme</groupId><artifactId>lib</artifactId><version>%s</version></dependency></dependencies>`, version),
	} {
		write(t, filepath.Join(dir, module, "pom.xml"), head+fmt.Sprintf(`<parent><groupId>org.acme</groupId><artifactId>parent</artifactId>
<version>%s</version></parent><artifactId>%s</artifactId>%s</project>`, version, module, dependency))
	}
	write(t, filepath.Join(dir, "lib", "src", "main", "java", "Lib.java"), `public class Lib { public static String version() { return "`+version+`"; } }`)
	write(t, filepath.Join(dir, "app", "src", "main", "java", "App.java"), `public class App { public static void main(String[] a) { System.out.println(Lib.version()); } }`)
}

const getPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get"

// TestMaven deploys and resolves with a real Maven: everything it needs, plugins included, comes through our cache.
func TestMaven(t *testing.T) {
	s := start(t)
	s.setUpstream("maven-central", publicMaven(t), "RELEASE")
	build := newMachine(t, s.url("/repository/maven-public/"))
	dir := t.TempDir()

	project(t, dir, "1.0")
	releases := "-DaltDeploymentRepository=nexus::default::" + s.url("/repository/maven-releases/")
	build.mvn(dir, "deploy", releases)

	out, err := command(t, dir, "mvn", build.args("deploy", releases)...)
	if err == nil || !strings.Contains(out, "cannot be updated") {
		t.Errorf("redeploying a release: %v\n%s", err, out)
	}

	project(t, dir, "1.1-SNAPSHOT")
	snapshots := "-DaltDeploymentRepository=nexus::default::" + s.url("/repository/maven-snapshots/")
	build.mvn(dir, "deploy", snapshots)
	write(t, filepath.Join(dir, "lib", "src", "main", "java", "Newer.java"), "public class Newer {}")
	build.mvn(dir, "deploy", snapshots)

	for _, wrong := range []string{"maven-snapshots", "maven-central", "maven-public"} {
		out, err := command(t, dir, "mvn", build.args("deploy", "-Drevision=1", "-DaltDeploymentRepository=nexus::default::"+s.url("/repository/"+wrong+"/"),
			"-f", releasePOM(t))...)
		if err == nil {
			t.Errorf("a release went into %s\n%s", wrong, out)
		}
	}

	second := start(t)
	second.json(http.MethodPost, "/service/rest/v1/repositories/maven/proxy", mavenProxy("upstream", s.url("/repository/maven-public/"), "MIXED"))
	for name, mirror := range map[string]string{
		"group": s.url("/repository/maven-public/"), "cache of the second server": second.url("/repository/upstream/"),
	} {
		t.Run("resolve through "+name, func(t *testing.T) {
			user := newMachine(t, mirror)
			user.mvn(t.TempDir(), getPlugin, "-Dartifact=org.acme:app:1.0")
			user.mvn(t.TempDir(), getPlugin, "-Dartifact=org.acme:app:1.1-SNAPSHOT")
			if !jarHas(t, filepath.Join(user.home, "repository", "org", "acme", "lib", "1.1-SNAPSHOT"), "Newer.class") {
				t.Error("the newest snapshot was not resolved")
			}
		})
	}
}

// releasePOM is a project of one POM that was never deployed.
func releasePOM(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pom.xml")
	write(t, path, `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.acme</groupId><artifactId>misplaced</artifactId><version>3.0</version><packaging>pom</packaging></project>`)
	return path
}

// jarHas reports whether one of the jars of a folder has an entry.
func jarHas(t *testing.T, dir, entry string) bool {
	t.Helper()
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range jars {
		jar, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = jar.Open(entry)
		jar.Close()
		if err == nil {
			return true
		}
	}
	return false
}
