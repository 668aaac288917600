package access

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The sentences for members that are wrong by themselves.
const (
	mustNotBeBlank = "must not be blank"
	mustNotBeEmpty = "must not be empty"
	mustNotBeNull  = "must not be null"
	mustBeEmail    = "must be a well-formed email address"
	mustBeName     = "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot."
	mustBeShort    = "must be at most 200 characters long"
	mustBePlain    = "must not hold the character NUL"
)

// maxName is the longest id or name in characters.
const maxName = 200

func blank(s string) bool { return strings.TrimSpace(s) == "" }

func tooLong(s string) bool { return utf8.RuneCountInString(s) > maxName }

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9-][a-zA-Z0-9_.-]*$`)

// checkName finds the faults of a name of a privilege or selector.
func checkName(s *shapes, name string) {
	s.add(blank(name), "name", mustNotBeBlank)
	s.add(!namePattern.MatchString(name), "name", mustBeName)
	s.add(tooLong(name), "name", mustBeShort)
}

var (
	mailLocal  = regexp.MustCompile("^(?:[\\pL\\pN!#$%&'*+/=?^_`{|}~-]+(?:\\.[\\pL\\pN!#$%&'*+/=?^_`{|}~-]+)*|\"[^\"\\r\\n]+\")$")
	mailDomain = regexp.MustCompile(`^(?:[\pL\pN](?:[\pL\pN-]*[\pL\pN])?(?:\.[\pL\pN](?:[\pL\pN-]*[\pL\pN])?)*|\[[0-9A-Fa-f.:IPv]+\])$`)
)

// wellFormedEmail tells whether s has the shape of a mail address; a domain without a dot is allowed.
func wellFormedEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s)-at > 256 {
		return false
	}
	return mailLocal.MatchString(s[:at]) && mailDomain.MatchString(s[at+1:])
}

// unique drops repetitions and keeps the order. The result is never nil.
func unique(list []string) []string {
	out := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// without gives list without one string, and whether it held it. The list itself stays as it is.
func without(list []string, s string) ([]string, bool) {
	out := make([]string, 0, len(list))
	for _, have := range list {
		if have != s {
			out = append(out, have)
		}
	}
	return out, len(out) != len(list)
}
