#!/usr/bin/env bash
# Installs what the tests and benchmarks need, from the system's packages. Does nothing when all is there.
set -euo pipefail

wanted=(
	"curl curl"
	"mvn maven"
	"nginx nginx-light"
	"wrk wrk"
	"chromium chromium"
	"slapd slapd"
	"ldapadd ldap-utils"
	"mkfs.xfs xfsprogs"
)
missing=()
for pair in "${wanted[@]}"; do
	read -r command package <<<"$pair"
	command -v "$command" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: please install: ${missing[*]}" >&2
	exit 1
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
