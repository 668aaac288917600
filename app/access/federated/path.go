package federated

import (
	"net/url"
	"strings"
)

// maxPath is the longest address that a sign-in leads to, in bytes.
const maxPath = 2048

// LocalPath gives where a browser is sent after a sign-in: the wanted address when it is a path on this server, and else "/". Whatever a
// browser could take for another host (//host, /\host, a scheme, control characters) is none.
func LocalPath(wanted string) string {
	if len(wanted) > maxPath || !strings.HasPrefix(wanted, "/") || strings.ContainsFunc(wanted, unsafe) {
		return "/"
	}
	u, err := url.Parse(wanted)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(wanted, "//") {
		return "/"
	}
	return wanted
}

// unsafe tells letters that browsers drop or turn around before they look at an address.
func unsafe(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }
