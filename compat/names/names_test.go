package names

import (
	"testing"

	"entrepot/formats"
)

func TestKinds(t *testing.T) {
	for kind, word := range map[formats.Kind]string{formats.Hosted: "hosted", formats.Cache: "proxy", formats.Proxy: "group"} {
		if got := Type(kind); got != word {
			t.Errorf("Type(%s) = %q; want %q", kind, got, word)
		}
		if got, ok := Kind(word); !ok || got != kind {
			t.Errorf("Kind(%s) = %q, %v; want %q", word, got, ok, kind)
		}
	}
	if _, ok := Kind("cache"); ok {
		t.Error("our own word passes for an old one")
	}
	if got := Type("group"); got != "" {
		t.Errorf("an old word passes for ours: %q", got)
	}
}

func TestRecipes(t *testing.T) {
	tests := []struct {
		recipe, format string
		kind           formats.Kind
		ok             bool
	}{
		{"maven2-proxy", "maven2", formats.Cache, true},
		{"raw-hosted", "raw", formats.Hosted, true},
		{"git-lfs-group", "git-lfs", formats.Proxy, true},
		{"raw", "", "", false},
		{"-hosted", "", "", false},
		{"raw-cache", "raw", "", false},
	}
	for _, tt := range tests {
		format, kind, ok := ParseRecipe(tt.recipe)
		if ok != tt.ok || ok && (format != tt.format || kind != tt.kind) {
			t.Errorf("ParseRecipe(%q) = %q, %q, %v", tt.recipe, format, kind, ok)
		}
		if ok && Recipe(format, kind) != tt.recipe {
			t.Errorf("Recipe(%q, %q) = %q", format, kind, Recipe(format, kind))
		}
	}
}

func TestSegments(t *testing.T) {
	for format, segment := range map[string]string{"maven2": "maven", "raw": "raw", "npm": "npm"} {
		if got := Segment(format); got != segment {
			t.Errorf("Segment(%s) = %q", format, got)
		}
		if got := FormatOf(segment); got != format {
			t.Errorf("FormatOf(%s) = %q", segment, got)
		}
	}
}
