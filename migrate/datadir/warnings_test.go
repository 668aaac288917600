package datadir

import (
	"errors"
	"strings"
	"testing"

	"entrepot/migrate/h2"
)

func TestWarnings(t *testing.T) {
	if got := warnings(h2.Info{Clean: true}); got != nil {
		t.Errorf("of a good database: %q", got)
	}
	got := warnings(h2.Info{
		Torn: []h2.Torn{{Offset: 4096, Version: 7}}, OpenTransactions: 2, Short: []string{"RAW_ASSET"},
		Rejected: []h2.Rejected{{Version: 9, Reason: errors.New("page 3 is damaged")}},
	})
	for i, want := range []string{"version 7 at byte 4096", "2 open transactions", "version 9", "RAW_ASSET"} {
		if len(got) != 4 || !strings.Contains(got[i], want) {
			t.Errorf("%q does not tell of %s", got, want)
		}
	}
}
