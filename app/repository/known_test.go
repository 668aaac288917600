package repository

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrepot/formats"
)

// TestKnownSettings checks definitions of formats that are not served: defaults, refusals, and what no setting is.
func TestKnownSettings(t *testing.T) {
	b := newBench(t)
	docker := func(name string, settings map[string]string) Definition {
		d := Definition{Name: name, Format: "docker", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "default", Settings: settings}
		d.Settings["v1Enabled"], d.Settings["forceBasicAuth"] = "false", "true"
		return d
	}
	b.create(docker("taken", map[string]string{"httpPort": "5000", "subdomain": "hub"}))
	nuget := Definition{
		Name: "n", Format: "nuget", Kind: formats.Cache, BlobStore: "default", Upstream: &Upstream{URL: "https://upstream.example/"},
		Settings: map[string]string{"colour": "red"},
	}
	yum := Definition{Name: "y", Format: "yum", Kind: formats.Hosted, Write: WriteAllow, BlobStore: "default", Settings: map[string]string{"repodataDepth": "10"}}
	bad := yum
	bad.Settings = map[string]string{"repodataDepth": "-1", "deployPolicy": "LAX"}
	images := docker("i", map[string]string{"indexType": "CUSTOM"})
	images.Kind, images.Upstream = formats.Cache, nuget.Upstream
	for _, tt := range []struct {
		name string
		def  Definition
		want []string
		kept map[string]string
	}{
		{"defaults", nuget, nil, map[string]string{"queryCacheItemMaxAge": "3600", "nugetVersion": "V3"}},
		{"number", yum, nil, map[string]string{"repodataDepth": "10"}},
		{"no number, no choice", bad, []string{"repodataDepth: must be greater than or equal to 0", "deployPolicy: must be one of PERMISSIVE, STRICT"}, nil},
		{"ports", docker("d", map[string]string{"httpPort": "70000", "httpsPort": "5000"}),
			[]string{"httpPort: must be between 1 and 65535", "httpsPort: Port 5000 is already used by repository taken"}, nil},
		{"subdomain", docker("d", map[string]string{"subdomain": "HUB"}), []string{"subdomain: Subdomain HUB is already used by repository taken"}, nil},
		{"its own port", docker("taken", map[string]string{"httpsPort": "5000"}), []string{"Name is already used, must be unique (ignoring case)"}, nil},
		{"index without URL", images, []string{"indexUrl: must not be empty"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := wrong(b.Create(t.Context(), tt.def, "admin"))
			if !slices.Equal(got, tt.want) {
				t.Fatalf("got %q; want %q", got, tt.want)
			}
			if kept, ok := b.Lookup(tt.def.Name); tt.want == nil && (!ok || cmp.Diff(tt.kept, kept.Settings) != "") {
				t.Error(cmp.Diff(tt.kept, kept.Settings))
			}
		})
	}
}
