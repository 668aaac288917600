package datadir

import (
	"fmt"
	"strings"

	"entrepot/migrate/h2"
)

// warnings tells what is odd about the database that was opened. What H2 itself leaves out when it opens such a database is left out here
// as well.
func warnings(info h2.Info) []string {
	var all []string
	if len(info.Torn) > 0 {
		at := make([]string, len(info.Torn))
		for i, t := range info.Torn {
			at[i] = fmt.Sprintf("version %d at byte %d", t.Version, t.Offset)
		}
		all = append(all, fmt.Sprintf("The old server was killed while it wrote: %d torn writes of the database are left out, as it would do itself (%s).",
			len(info.Torn), strings.Join(at, ", ")))
	}
	if info.OpenTransactions > 0 {
		all = append(all, fmt.Sprintf("The old server was not stopped in order: the changes of %d open transactions are left out, as it would do itself.",
			info.OpenTransactions))
	}
	for _, r := range info.Rejected {
		all = append(all, fmt.Sprintf("The database is damaged: its version %d cannot be read and an older one is taken; what was changed since is lost: %v.",
			r.Version, r.Reason))
	}
	if len(info.Short) > 0 {
		all = append(all, fmt.Sprintf("The SQL script announces more rows than it has in %s: look whether it is whole. The announced number is an estimate.",
			strings.Join(info.Short, ", ")))
	}
	return all
}
