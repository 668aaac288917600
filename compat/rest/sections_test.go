package rest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"entrepot/app/repository"
)

const (
	hostedBody = `{"name":"x","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":true,"writePolicy":"ALLOW"}`
	cacheBody  = `{"name":"x","online":true,"storage":{"blobStoreName":"default","strictContentTypeValidation":true},` +
		`"proxy":{"remoteUrl":"https://upstream.example/","contentMaxAge":1440,"metadataMaxAge":1440},` +
		`"negativeCache":{"enabled":true,"timeToLive":1440},"httpClient":{"blocked":false,"autoBlock":true}`
)

// TestFormatsThatAreNotServed creates, reads and deletes a repository of each kind of each format.
func TestFormatsThatAreNotServed(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		path, own string
		want      []string
	}{
		{"apt/hosted", `"apt":{"distribution":"trixie"},"aptSigning":{"keypair":"KEY","passphrase":"p"}`, []string{
			"\"apt\" : {\n    \"distribution\" : \"trixie\"\n  }", "\"aptSigning\" : {\n    \"keypair\" : null,\n    \"passphrase\" : null\n  }",
		}},
		{"apt/proxy", `"apt":{"distribution":"trixie","flat":"true"}`, []string{`"flat" : true`}},
		{"bower/hosted", "", []string{`"format" : "bower"`}},
		{"bower/proxy", `"bower":{"rewritePackageUrls":true}`, []string{`"rewritePackageUrls" : true`}},
		{"cargo/hosted", "", nil},
		{"cargo/proxy", "", []string{"\"cargo\" : {\n    \"requireAuthentication\" : false\n  }"}},
		{"cocoapods/proxy", "", nil},
		{"composer/proxy", "", nil},
		{"conan/hosted", "", nil},
		{"conan/proxy", `"conanProxy":{"conanVersion":"V2"}`, []string{`"conanVersion" : "V2"`}},
		{"conda/proxy", "", nil},
		{"docker/hosted", `"docker":{"v1Enabled":false,"forceBasicAuth":true,"httpPort":5000,"subdomain":"hub"}`, []string{
			"\"docker\" : {\n    \"v1Enabled\" : false,\n    \"forceBasicAuth\" : true,\n    \"httpPort\" : 5000,\n    \"httpsPort\" : null,\n    \"subdomain\" : \"hub\"\n  }",
			`"latestPolicy" : false`,
		}},
		{"docker/proxy", `"docker":{"v1Enabled":false,"forceBasicAuth":true,"pathEnabled":true},"dockerProxy":{"indexType":"hub","foreignLayerUrlWhitelist":["a.*","b"]}`, []string{
			"\"subdomain\" : null,\n    \"pathEnabled\" : true\n  }",
			"\"dockerProxy\" : {\n    \"indexType\" : \"HUB\",\n    \"indexUrl\" : null,\n    \"cacheForeignLayers\" : null,\n    \"foreignLayerUrlWhitelist\" : [ \"a.*\", \"b\" ]\n  }",
		}},
		{"gitlfs/hosted", "", nil},
		{"go/proxy", "", []string{`"format" : "go"`}},
		{"helm/hosted", "", nil},
		{"helm/proxy", "", nil},
		{"huggingface/proxy", "", nil},
		{"npm/hosted", "", nil},
		{"npm/proxy", `"npm":{"removeQuarantined":false,"removeNonCataloged":true}`, []string{"\"npm\" : {\n    \"removeQuarantined\" : false\n  }"}},
		{"nuget/proxy", `"nugetProxy":{}`, []string{"\"nugetProxy\" : {\n    \"queryCacheItemMaxAge\" : 3600,\n    \"nugetVersion\" : \"V3\"\n  }"}},
		{"p2/proxy", "", nil},
		{"pypi/proxy", "", []string{`"removeQuarantined" : false`}},
		{"r/hosted", "", nil},
		{"rubygems/hosted", "", nil},
		{"swift/proxy", `"swift":{"requireAuthentication":true}`, []string{`"requireAuthentication" : true`}},
		{"terraform/hosted", `"terraformSigning":{"keypair":"KEY"}`, []string{`"terraformSigning" : null`}},
		{"yum/hosted", `"yum":{"repodataDepth":10,"deployPolicy":"strict"}`, []string{"\"yum\" : {\n    \"repodataDepth\" : 10,\n    \"deployPolicy\" : \"STRICT\"\n  }"}},
		{"yum/proxy", `"yumSigning":{"keypair":"KEY","passphrase":"p"}`, []string{`"format" : "yum"`}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			format, kind, _ := strings.Cut(tt.path, "/")
			body := hostedBody
			if kind == "proxy" {
				body = cacheBody
			}
			if tt.own != "" {
				body += "," + tt.own
			}
			of := "v1/repositories/" + tt.path
			r.play(t, []exchange{
				{admin, "POST", of, body + "}", 201, nil},
				{admin, "GET", of + "/x", "", 200, append(tt.want, `"type" : "`+kind+`"`)},
				{admin, "PUT", of + "/x", strings.Replace(body, `"online":true`, `"online":false`, 1) + "}", 204, nil},
				{admin, "GET", of + "/x", "", 200, append(tt.want, `"online" : false`)},
				{admin, "GET", "v1/repositories/x", "", 200, []string{`"format" : "` + format + `"`}},
				{admin, "DELETE", "v1/repositories/x", "", 204, nil},
			})
		})
	}
}

// TestSectionsRefused checks what is said of sections that no repository can have.
func TestSectionsRefused(t *testing.T) {
	newRig(t).play(t, []exchange{
		{admin, "POST", "v1/repositories/apt/group", hostedBody + "}", 404, nil},
		{admin, "POST", "v1/repositories/cobol/hosted", hostedBody + "}", 404, nil},
		{admin, "POST", "v1/repositories/docker/hosted", hostedBody + "}", 400, []string{`[{"id":"PARAMETER docker","message":"must not be null"}]`}},
		{admin, "POST", "v1/repositories/docker/hosted", hostedBody + `,"docker":{"v1Enabled":true}}`, 400, []string{`[{"id":"PARAMETER forceBasicAuth","message":"must not be null"}]`}},
		{admin, "POST", "v1/repositories/docker/hosted", hostedBody + `,"docker":{"v1Enabled":true,"forceBasicAuth":true,"httpPort":"x"}}`, 400, []string{
			`{"id":"docker",`, `{"id":"httpPort",`, "not a valid number",
		}},
		{admin, "POST", "v1/repositories/docker/hosted", hostedBody + `,"docker":{"v1Enabled":true,"forceBasicAuth":true,"httpPort":0}}`, 400, []string{
			`[{"id":"PARAMETER httpPort","message":"must be between 1 and 65535"}]`,
		}},
		{admin, "POST", "v1/repositories/docker/proxy", cacheBody + `,"docker":{"v1Enabled":true,"forceBasicAuth":true},"dockerProxy":{"indexType":"HUB","foreignLayerUrlWhitelist":"a"}}`, 400,
			[]string{`{"id":"foreignLayerUrlWhitelist","message":"Cannot deserialize value: want an array, got a text"}`}},
		{admin, "POST", "v1/repositories/nuget/proxy", cacheBody + `,"nugetProxy":{"nugetVersion":"V9"}}`, 400, []string{`{"id":"nugetVersion",`}},
		{admin, "POST", "v1/repositories/yum/hosted", hostedBody + `,"yum":{"repodataDepth":1e99}}`, 400, []string{`{"id":"repodataDepth","message":"Numeric value (1e99) out of range"}`}},
		{admin, "POST", "v1/repositories/yum/hosted", hostedBody + `,"yum":{"repodataDepth":"NaN"}}`, 400, []string{`{"id":"repodataDepth","message":"Numeric value (NaN) out of range"}`}},
		{admin, "POST", "v1/repositories/yum/hosted", hostedBody + `,"yum":{}}`, 400, []string{`[{"id":"PARAMETER repodataDepth","message":"must not be null"}]`}},
		{admin, "POST", "v1/repositories/apt/hosted", hostedBody + `,"apt":{"distribution":"x"},"aptSigning":{"keypair":"` + placeholder + `"}}`, 400,
			[]string{`[{"id":"PARAMETER keypair","message":"must not be empty"}]`}},
	})
}

// TestSigningKeyIsKept updates without the key, with the placeholder, and with an empty passphrase.
func TestSigningKeyIsKept(t *testing.T) {
	r := newRig(t)
	body := func(signing string) string {
		return hostedBody + `,"apt":{"distribution":"x"},"aptSigning":` + signing + "}"
	}
	r.play(t, []exchange{{admin, "POST", "v1/repositories/apt/hosted", body(`{"keypair":"KEY","passphrase":"p"}`), 201, nil}})
	for _, tt := range []struct{ signing, keypair, passphrase string }{
		{`{"keypair":"` + placeholder + `"}`, "KEY", "p"},
		{`{"keypair":null,"passphrase":null}`, "KEY", "p"},
		{`{"keypair":"` + placeholder + `","passphrase":"` + placeholder + `"}`, "KEY", "p"},
		{`{"keypair":"NEW","passphrase":null}`, "NEW", "p"},
		{`{"keypair":"` + placeholder + `","passphrase":""}`, "NEW", ""},
	} {
		r.play(t, []exchange{{admin, "PUT", "v1/repositories/apt/hosted/x", body(tt.signing), 204, nil}})
		d, _ := r.Engine.Lookup("x")
		if string(d.Secrets["keypair"]) != tt.keypair || string(d.Secrets["passphrase"]) != tt.passphrase {
			t.Errorf("after %s another key or passphrase is kept", tt.signing)
		}
	}
}

// FuzzSettings reads bodies for each kind of repositories of each format: none may panic, and what is read is what the domain knows.
func FuzzSettings(f *testing.F) {
	for _, body := range []string{
		hostedBody + `,"docker":{"v1Enabled":1,"forceBasicAuth":"true","httpPort":"5000","subdomain":null}}`,
		cacheBody + `,"dockerProxy":{"indexType":"hub","foreignLayerUrlWhitelist":["a"]},"nugetProxy":{"queryCacheItemMaxAge":1e99}}`,
		`{"name":[],"apt":{"distribution":{}},"aptSigning":{"keypair":"x","passphrase":["y"]},"yum":{"repodataDepth":-0.5}}`, `[]`, `null`, `{`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parse(data)
		if err != nil {
			return
		}
		for _, format := range repository.KnownFormats() {
			for _, kind := range repository.KindsOf(format) {
				b := &settingsBody{format: format, kind: kind}
				members, ok := parsed.(map[string]any)
				if err := bind(reflect.ValueOf(b).Elem(), parsed, nil); err != nil || !ok {
					continue
				}
				v := b.check()
				own, err := readSections(format, kind, members, false, &v)
				if err != nil || len(v) > 0 || b.refusal() != nil {
					continue
				}
				b.own = own
				known, _ := repository.FormatSettings(format, kind)
				for name := range b.definition(nil).Settings {
					if !slices.ContainsFunc(known, func(k repository.Setting) bool { return k.Name == name }) {
						t.Errorf("%s %s has a setting %q", format, kind, name)
					}
				}
			}
		}
	})
}
