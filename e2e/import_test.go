//go:build e2e

package e2e

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dataDirectories are those of real servers, with the password of their administrator.
var dataDirectories = map[string]string{
	"nexus-3.77-small": "Admin-Fixture-1", "nexus-3.77-unclean": "admin123", "nexus-3.77-customkey": "admin123", "nexus-3.71-tiny": "admin123",
}

// unserved are the formats whose content is imported and kept, and answers 503 until they are served.
var unserved = []string{"apt"}

// TestImportNexus imports each directory, starts the server on the result and asks for everything that the real server was asked.
func TestImportNexus(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(dataDirectories)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := unpack(t, fixtures(t, "datadirs", name+".tar.gz"))
			before := snapshot(t, source)
			data := filepath.Join(t.TempDir(), "data")
			importNexus(t, data, source)
			again := importNexus(t, data, source)
			if n := again.New + again.Replaced + again.Updated + again.SettingsWritten + int64(len(again.Created)+len(again.Changed)); n != 0 {
				t.Errorf("the second import wrote something: %+v", again)
			}
			if d := cmp.Diff(before, snapshot(t, source)); d != "" {
				t.Errorf("the source changed: %s", d)
			}
			run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
			s := startIn(t, data)
			expected := fixtures(t, "datadirs", name+".expected")
			checkListings(t, s, expected, dataDirectories[name]) // before downloads are remembered
			checkContent(t, s, expected, dataDirectories[name])
			checkSettings(t, s, expected, dataDirectories[name])
			checkUpkeep(t, s, expected, dataDirectories[name])
			if path := filepath.Join(expected, "logins.json"); exists(path) {
				checkLogins(t, s, path)
			}
		})
	}
}

// TestImportNexusKilled kills imports at different moments; what follows goes on, and all of it together ends as one import would.
func TestImportNexusKilled(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	before := snapshot(t, source)
	killed := 0
	for round := range 5 {
		data := filepath.Join(t.TempDir(), "data")
		for i := range 10 {
			cmd := exec.Command(binary(t), "import", "nexus", "--data", data, source)
			must(t, cmd.Start())
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
			case <-time.After(time.Duration(40+17*round+60*i) * time.Millisecond):
				killed++
				_ = cmd.Process.Kill() // it may have ended meanwhile
				<-done
			}
		}
		importNexus(t, data, source)
		if again := importNexus(t, data, source); again.New+again.Replaced+again.Updated+again.SettingsWritten != 0 {
			t.Errorf("an import after the last wrote something: %+v", again)
		}
		run(t, "", binary(t), "import", "nexus", "--data", data, "--verify", "--read", source)
		run(t, "", binary(t), "verify", "--data", data)
	}
	t.Logf("%d imports were killed", killed)
	if d := cmp.Diff(before, snapshot(t, source)); d != "" {
		t.Errorf("the source changed: %s", d)
	}
}

// TestExportNexus takes an imported server out again, and brings it into another one: only the tokens, which are known by their
// digests, stay behind.
func TestExportNexus(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-small.tar.gz"))
	first, second, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "export")
	importNexus(t, first, source)
	run(t, "", binary(t), "export", "nexus", "--data", first, out)
	run(t, "", binary(t), "import", "export", "--data", second, out)
	report := filepath.Join(t.TempDir(), "report.json")
	if text, err := command(t, "", binary(t), "import", "nexus", "--data", second, "--verify", "--read", "--report", report, source); err == nil {
		t.Errorf("no difference although tokens are missing: %s", text)
	}
	raw, err := os.ReadFile(report)
	must(t, err)
	var found struct {
		Differences []struct{ What, Name string }
	}
	must(t, json.Unmarshal(raw, &found))
	for _, d := range found.Differences {
		if d.What != "token" {
			t.Errorf("%s %s differs", d.What, d.Name)
		}
	}
	run(t, "", binary(t), "import", "blobs", "--data", filepath.Join(t.TempDir(), "data"), filepath.Join(out, "blobs", "default"))
}

// TestImportNexusRefusals wants nothing made when the source cannot be read whole.
func TestImportNexusRefusals(t *testing.T) {
	t.Parallel()
	source := unpack(t, fixtures(t, "datadirs", "nexus-3.77-customkey.tar.gz"))
	key := filepath.Join(source, "etc", "nexus-secret-keys.json")
	must(t, os.Rename(key, key+".away"))
	data := filepath.Join(t.TempDir(), "data")
	out, err := command(t, "", binary(t), "import", "nexus", "--data", data, "--plan", source)
	if err == nil || !strings.Contains(out, "maven-auth") || !strings.Contains(out, "fixture-key-2") || exists(data) {
		t.Errorf("without its keys: %v\n%s", err, out)
	}
	run(t, "", binary(t), "import", "nexus", "--data", data, "--secrets-key", key+".away", source)
	if out, err = command(t, "", binary(t), "import", "nexus", "--data", data, filepath.Join(source, "etc")); err == nil || !strings.Contains(out, "name the folder that holds db") {
		t.Errorf("a folder that is none: %v\n%s", err, out)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// importReport is what the tests look at of an import's report.
type importReport struct {
	Created, Changed                     []string
	SettingsWritten                      int64
	New, Replaced, Updated, Kept, Failed int64
	Settled                              int64
}

// importNexus runs an import and wants it to bring everything.
func importNexus(t *testing.T, data, source string) importReport {
	t.Helper()
	out := run(t, "", binary(t), "import", "nexus", "--data", data, "--json", source)
	var report importReport
	for d := json.NewDecoder(strings.NewReader(jsonOf(out))); ; {
		err := d.Decode(&report) // the plan, then the report
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if report.Failed > 0 {
		t.Errorf("import failed in part: %s", out)
	}
	return report
}

// jsonOf leaves out log lines and the progress meter.
func jsonOf(out string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(out) {
		inside = inside || strings.TrimRight(line, "\n") == "{"
		if inside {
			b.WriteString(line)
		}
		if strings.TrimRight(line, "\n") == "}" {
			inside = false
		}
	}
	return b.String()
}

// unpack unpacks a fixture with the times of its files, and gives its folder.
func unpack(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	type stamp struct {
		name   string
		header *tar.Header
	}
	var folders []stamp
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			must(t, os.MkdirAll(path, 0o755))
			folders = append(folders, stamp{path, h})
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		out, err := os.Create(path)
		if err == nil {
			_, err = io.Copy(out, r)
			err = errors.Join(err, out.Close())
		}
		must(t, err)
		must(t, os.Chtimes(path, h.ModTime, h.ModTime))
	}
	for _, s := range slices.Backward(folders) {
		must(t, os.Chtimes(s.name, s.header.ModTime, s.header.ModTime))
	}
	return filepath.Join(dir, strings.TrimSuffix(filepath.Base(name), ".tar.gz"))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot describes every file and folder: size, time of change, and the digest of its bytes.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String() + " " + info.ModTime().UTC().String()
		if info.Mode().IsRegular() {
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(body))
		}
		all[path] = text
		return nil
	}))
	return all
}

// client never follows redirects and never changes bodies.
func client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// clientsAt are clients on different machines, as far as a server can tell: one pause after wrong passwords is not every user's.
func clientsAt(n int) []*http.Client {
	all := make([]*http.Client, n)
	for i := range all {
		all[i] = client()
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))}}
		all[i].Transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, DialContext: from.DialContext}
	}
	return all
}

func contentURL(s *server, repository, path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return s.url("/repository/" + url.PathEscape(repository) + strings.Join(segments, "/"))
}

func get(t *testing.T, c *http.Client, address, user, password string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	must(t, err)
	req.SetBasicAuth(user, password)
	resp, err := c.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}

func hexOf(h hash.Hash, body []byte) string {
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func keptOnly(repository string) bool {
	return slices.ContainsFunc(unserved, func(format string) bool { return strings.HasPrefix(repository, format+"-") })
}

// mergedBefore are documents of groups that the old server had merged and stored, and answers without the tag that a document merged
// for the first time has. What a group stored is derived and does not come over.
var mergedBefore = []string{"maven-public/com/acme/widget/maven-metadata.xml"}

// recordedHeaders reads a headers.json: all headers of the first downloads, in lower case.
func recordedHeaders(t *testing.T, name string) map[string]map[string]string {
	t.Helper()
	raw, err := os.ReadFile(name)
	must(t, err)
	var recorded map[string][2]json.RawMessage
	must(t, json.Unmarshal(raw, &recorded))
	all := make(map[string]map[string]string, len(recorded))
	for key, value := range recorded {
		var list [][2]string
		must(t, json.Unmarshal(value[1], &list))
		headers := make(map[string]string, len(list))
		for _, h := range list {
			headers[strings.ToLower(h[0])] = h[1]
		}
		repository, path, _ := strings.Cut(key, "|")
		all[repository+path] = headers
	}
	return all
}

// checkContent downloads every line of a content.tsv, and compares all headers where they were recorded. Not compared are the
// server's own name, which is a setting, the date of the answer, and the length of error pages, which are ours.
func checkContent(t *testing.T, s *server, expected, password string) {
	headers := recordedHeaders(t, filepath.Join(expected, "headers.json"))
	f, err := os.Open(filepath.Join(expected, "content.tsv"))
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	c := client()
	var same, whole, allowed, different int
	for lines.Scan() {
		want := strings.Split(lines.Text(), "\t")
		name := want[0] + want[1]
		resp, body := get(t, c, contentURL(s, want[0], want[1]), "admin", password)
		if keptOnly(want[0]) && resp.StatusCode == http.StatusServiceUnavailable {
			allowed++
			continue
		}
		if slices.Contains(mergedBefore, name) {
			allowed++
			resp.Header.Del("ETag")
		}
		d := cmp.Diff(want, describe(resp, body, want))
		if recorded, ok := headers[name]; ok && d == "" && recorded["etag"] == want[9] { // of paths that are listed twice only one answer was kept
			whole++
			d = headerDifference(recorded, resp)
		}
		if d == "" {
			same++
		} else if different++; different <= 20 {
			t.Errorf("%s: %s", name, d)
		}
	}
	must(t, lines.Err())
	t.Logf("content: %d the same (%d with all headers), %d allowed, %d different", same, whole, allowed, different)
	if different > 0 {
		t.Errorf("content: %d lines differ", different)
	}
}

// describe gives an answer as a line of content.tsv; of an error only the status.
func describe(resp *http.Response, body []byte, want []string) []string {
	if status := strconv.Itoa(resp.StatusCode); resp.StatusCode != http.StatusOK {
		return append([]string{want[0], want[1], status}, want[3:]...)
	}
	return []string{
		want[0], want[1], strconv.Itoa(resp.StatusCode), strconv.Itoa(len(body)),
		hexOf(sha1.New(), body), hexOf(sha256.New(), body), hexOf(md5.New(), body),
		resp.Header.Get("Content-Type"), resp.Header.Get("Last-Modified"), resp.Header.Get("ETag"), resp.Header.Get("Content-Disposition"),
	}
}

func headerDifference(recorded map[string]string, resp *http.Response) string {
	want, got := maps.Clone(recorded), make(map[string]string)
	for h := range resp.Header {
		got[strings.ToLower(h)] = resp.Header.Get(h)
	}
	for _, m := range []map[string]string{want, got} {
		delete(m, "server")
		delete(m, "date")
		if resp.StatusCode != http.StatusOK {
			delete(m, "content-length")
		}
	}
	return cmp.Diff(want, got)
}

// login is one request of logins.json.
type login struct {
	User, Password       *string
	Token, Owner, Header string
	Method, URL          string
	Status               int
	Challenge            string
	Names, Paths         []string
	Items                *int
}

// checkLogins asks what real users and tokens were asked, with the old passwords, each time from the next of some addresses: from
// one alone its many wrong passwords would be slowed down.
func checkLogins(t *testing.T, s *server, name string) {
	raw, err := os.ReadFile(name)
	must(t, err)
	var rows []login
	must(t, json.Unmarshal(raw, &rows))
	clients := clientsAt(8)
	var same, allowed, different int
	for i, row := range rows {
		if reason := row.allowed(); reason != "" {
			allowed++
			continue
		}
		if d := row.difference(t, s, clients[i%len(clients)]); d == "" {
			same++
		} else if different++; different <= 30 {
			t.Errorf("%s %s as %s: %s", row.Method, row.URL, row.who(), d)
		}
	}
	t.Logf("logins: %d the same, %d allowed, %d different", same, allowed, different)
	if different > 0 {
		t.Errorf("logins: %d rows differ", different)
	}
}

// allowed gives the reason for which a row is not compared, "" when it is.
func (l *login) allowed() string {
	switch {
	case l.Method == http.MethodGet && strings.HasPrefix(l.URL, "/repository/apt-") && l.Status == http.StatusOK:
		return "content of a format that is kept but not served yet"
	case strings.HasSuffix(l.URL, "/run") && strings.HasPrefix(l.URL, "/service/rest/v1/script/") && l.Status == http.StatusOK:
		return "scripts are kept and never run"
	}
	return ""
}

func (l *login) who() string {
	if l.Token != "" {
		return "a token of " + l.Owner
	}
	if l.User == nil {
		return "nobody"
	}
	return *l.User
}

// difference asks, and tells what is not as recorded.
func (l *login) difference(t *testing.T, s *server, c *http.Client) string {
	t.Helper()
	var input io.Reader
	if l.Method == http.MethodPost {
		input = strings.NewReader("{}")
	}
	req, err := http.NewRequest(l.Method, s.url(l.URL), input)
	must(t, err)
	if input != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case l.Token != "" && l.Header == "Authorization":
		req.Header.Set("Authorization", "Bearer "+l.Token)
	case l.Token != "":
		req.Header.Set(l.Header, l.Token)
	case l.User != nil:
		req.SetBasicAuth(*l.User, *l.Password)
	}
	resp, err := c.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	challenged := resp.Header.Get("WWW-Authenticate") == l.Challenge || l.Token != "" // of tokens no challenge was recorded
	if resp.StatusCode != l.Status || !challenged {
		return fmt.Sprintf("%d %q, want %d %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"), l.Status, l.Challenge)
	}
	if l.Names == nil && l.Paths == nil && l.Items == nil {
		return ""
	}
	return l.listed(body)
}

// listed compares what a listing shows.
func (l *login) listed(body []byte) string {
	type item struct{ Name, Path string }
	var items []item
	if json.Unmarshal(body, &items) != nil {
		var page struct{ Items []item }
		if err := json.Unmarshal(body, &page); err != nil {
			return err.Error()
		}
		items = page.Items
	}
	var names, paths []string
	for _, i := range items {
		names, paths = append(names, i.Name), append(paths, i.Path)
	}
	slices.Sort(names)
	slices.Sort(paths)
	switch {
	case l.Names != nil:
		return cmp.Diff(slices.Sorted(slices.Values(l.Names)), names)
	case l.Paths != nil:
		return cmp.Diff(slices.Sorted(slices.Values(l.Paths)), paths)
	case *l.Items != len(items):
		return fmt.Sprintf("%d items, want %d", len(items), *l.Items)
	}
	return ""
}
