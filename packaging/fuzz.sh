#!/usr/bin/env bash
# Runs each fuzz target of the tree for the given time.
set -euo pipefail
time=${1:-10s}
go list -f '{{.Dir}}' ./... | while read -r dir; do
	grep -hos '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $dir $target"
		(cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" .)
	done
done
