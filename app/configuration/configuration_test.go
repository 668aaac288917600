package configuration

import (
	"strings"
	"testing"

	"entrepot/app/resource"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"version: 1\nroles: []":     "",
		`{"version":1,"roles":[]}`:  "",
		"version: one":              "version",
		"- a":                       "object of sections",
		"roles: [":                  "not YAML",
		"roles: []\nroles: []":      "already defined",
		"a: &a [*a]":                "not YAML",
		"roles: {? {a: b} : c}":     "not YAML",
		"roles: .nan":               "not what JSON can say",
		strings.Repeat("[", 20_000): "not YAML",
	} {
		_, err := Parse([]byte(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%.40q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

func TestOrder(t *testing.T) {
	changes := []Change{{Key: "c"}, {Key: "a"}, {Key: "b"}, {Key: "x"}, {Key: "y"}}
	got := ordered(changes, map[string][]string{"c": {"b", "elsewhere"}, "b": {"a"}, "x": {"y"}, "y": {"x"}})
	var keys []string
	for _, c := range got {
		keys = append(keys, c.Key)
	}
	if text := strings.Join(keys, ""); text != "abcyx" {
		t.Errorf("order %s", text)
	}
}

func TestPrint(t *testing.T) {
	plan := &Plan{Changes: []Change{
		{Action: Create, Section: "roles", Key: "dev", Members: []Member{{Path: "name", After: "dev"}}},
		{Action: Update, Section: "anonymous", Members: []Member{{Path: "enabled", Before: true, After: false}, {Path: "realm", Before: "x"}}},
		{Action: Delete, Section: "users", Key: "joe", Members: []Member{{Path: "id", Before: "joe"}}},
	}}
	var b strings.Builder
	if err := plan.Print(&b); err != nil {
		t.Fatal(err)
	}
	const want = `+ roles/dev
    name: "dev"
~ anonymous
    enabled: true -> false
    realm: "x" -> (none)
- users/joe
1 to create, 1 to change, 1 to delete.
`
	if b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	members, err := difference(nil, &resource.BlobStore{Attributes: map[string]string{"secretAccessKey": "hush", "bucket": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if text(m.After) == `"hush"` {
			t.Errorf("%s is shown", m.Path)
		}
	}
}

// FuzzParse reads what clients may send, and compares it with itself.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"version: 1\nroles: [{id: a}]", `{"http":{"timeout":"30s"}}`, "a: &x {b: 1}\nc: *x", "a: 2020-01-01", "? a"} {
		f.Add([]byte(seed))
	}
	roles := (&resource.Resources{}).RoutingRules()
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for _, section := range file {
			doc, err := resource.Read(roles, section)
			if err != nil {
				continue
			}
			if _, err := resource.Merge(roles, &doc, section); err != nil {
				t.Errorf("%s is read, and cannot be merged with itself: %v", section, err)
			}
			if members, err := difference(&doc, &doc); err != nil || len(members) > 0 {
				t.Errorf("%s differs from itself: %v %v", section, members, err)
			}
		}
	})
}
