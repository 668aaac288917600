#!/usr/bin/env bash
# Installs what the tests and benchmarks need, from the system's packages and, for some tools, from where pip, npm and mvn are set up to get
# theirs. Does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=(
	"curl curl"
	"mvn maven"
	"nginx nginx-light"
	"wrk wrk"
	"chromium chromium"
	"slapd slapd"
	"ldapadd ldap-utils"
	"mkfs.xfs xfsprogs"
	"python3 python3-venv"
	"node nodejs"
	"npm npm"
)
missing=()
for pair in "${wanted[@]}"; do
	read -r command package <<<"$pair"
	command -v "$command" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "setup: please install: ${missing[*]}" >&2
		exit 1
	fi
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	export DEBIAN_FRONTEND=noninteractive
	$sudo apt-get update -qq
	$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# schemathesis makes requests from the API descriptions.
fuzzer=schemathesis==4.32.5
venv=.cache/schemathesis
if ! command -v schemathesis >/dev/null 2>&1 && [ "$(cat $venv/installed 2>/dev/null)" != "$fuzzer" ]; then
	python3 -m venv --clear "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check "$fuzzer"
	echo "$fuzzer" >"$venv/installed"
fi

# oidc-provider is whom people sign in with in tests of single sign-on.
openid=oidc-provider@9.13.3
modules=.cache/oidc-provider
if [ "$(cat $modules/installed 2>/dev/null)" != "$openid" ]; then
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$modules" "$openid"
	echo "$openid" >"$modules/installed"
fi

# H2 in the versions of the recorded servers adds tables to their databases, from where mvn is set up to get artifacts.
for version in 2.3.232 2.2.224; do
	[ -f ".cache/h2/h2-$version.jar" ] || mvn -B -ntp -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
		-Dartifact="com.h2database:h2:$version" -DoutputDirectory="$PWD/.cache/h2"
done
