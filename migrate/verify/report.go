package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"entrepot/app/progress"
)

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Markdown writes the report for people.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Comparison with %s\n\n", r.Origin)
	fmt.Fprintf(&b, "%d differences, %s of content compared in %s. %d assets are newer here, %d were deleted here.\n\n| Compared | Count |\n|---|---|\n",
		r.Found, progress.Bytes(r.Bytes), r.Duration.Round(time.Millisecond), r.NewerHere, r.DeletedHere)
	for _, c := range r.Compared {
		fmt.Fprintf(&b, "| %s | %d |\n", c.Name, c.Count)
	}
	if len(r.Differences) > 0 {
		b.WriteString("\n| What | Name | Difference |\n|---|---|---|\n")
	}
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.What, escape.Replace(d.Name), escape.Replace(d.Why))
	}
	if more := r.Found - int64(len(r.Differences)); more > 0 {
		fmt.Fprintf(&b, "\n%d more are not listed.\n", more)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
