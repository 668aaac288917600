package configuration

import (
	"fmt"
	"io"
	"strings"

	"entrepot/app/resource"
)

// signs are what the lines of a plan begin with.
var signs = map[Action]string{Create: "+", Update: "~", Delete: "-"}

// text writes a value as JSON.
func text(value any) string {
	data, err := resource.Encode(value)
	if err != nil {
		return "?"
	}
	return string(data)
}

// Print writes a plan for people: each document with the members that change.
func (p *Plan) Print(w io.Writer) error {
	var b strings.Builder
	count := map[Action]int{}
	for i := range p.Changes {
		c := &p.Changes[i]
		count[c.Action]++
		fmt.Fprintf(&b, "%s %s\n", signs[c.Action], c.Name())
		for _, m := range c.Members {
			switch {
			case c.Action == Delete:
			case m.Before == nil:
				fmt.Fprintf(&b, "    %s: %s\n", m.Path, text(m.After))
			case m.After == nil:
				fmt.Fprintf(&b, "    %s: %s -> (none)\n", m.Path, text(m.Before))
			default:
				fmt.Fprintf(&b, "    %s: %s -> %s\n", m.Path, text(m.Before), text(m.After))
			}
		}
	}
	if len(p.Changes) == 0 {
		b.WriteString("No changes: the server is what the file says.\n")
	} else {
		fmt.Fprintf(&b, "%d to create, %d to change, %d to delete.\n", count[Create], count[Update], count[Delete])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
