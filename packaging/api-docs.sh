#!/bin/sh
# Makes app/api/docs/swagger.json of the comments in app/api ("write"), or fails when it is not what they say ("check").
set -eu
cd "$(dirname "$0")/../app/api"
out=docs
if [ "$1" = check ]; then
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
fi
go tool swag init --quiet --generalInfo doc.go --dir .,../resource,../audit,../configuration --output "$out" --outputTypes json
if [ "$1" = check ] && ! cmp -s "$out/swagger.json" docs/swagger.json; then
	echo "app/api/docs/swagger.json is not what the comments say: run make api-docs" >&2
	exit 1
fi
