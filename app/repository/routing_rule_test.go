package repository

import (
	"strings"
	"testing"
)

// TestUndecidedRuleRefuses has an expression that takes for ever on a path: whatever the rule's mode, the request is refused.
func TestUndecidedRuleRefuses(t *testing.T) {
	for _, mode := range []RuleMode{RuleBlock, RuleAllow} {
		r := buildRule(&state{}, stored[RoutingRule]{value: RoutingRule{Mode: mode, Matchers: []string{`/(?=x?)(a+)+b`, `/.*`}}})
		if !r.refuses("/" + strings.Repeat("a", 5000)) {
			t.Errorf("%s: an undecided path passes", mode)
		}
		if got := r.refuses("/ab"); got != (mode == RuleBlock) {
			t.Errorf("%s: a path that matches: refused %v", mode, got)
		}
	}
}
