package blobs

import (
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf16"
)

// Location gives the place of a blob below the store's content folder, without its ending. created is the time in the blob's
// reference, zero in the classic layout. The classic layout spreads ids over 43 x 47 folders by Java's string hash.
func Location(id string, created time.Time) string {
	name := strings.NewReplacer(".", "-", `\`, "-", ":", "-", "/", "-").Replace(id)
	if !created.IsZero() {
		return path.Join(created.UTC().Format("2006/01/02/15/04"), name)
	}
	h := javaHash(id)
	return fmt.Sprintf("vol-%02d/chap-%02d/%s", abs(h%43)+1, abs(h%47)+1, name)
}

// javaHash is java.lang.String.hashCode.
func javaHash(s string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(unit)
	}
	return h
}

func abs(n int32) int32 {
	if n < 0 {
		return -n
	}
	return n
}
