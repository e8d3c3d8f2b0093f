#!/bin/sh
# Installs what checks the HTTP API's document, in the very version of
# tools/openapi/package-lock.json, where that can be done. It runs on Node.js. What
# is missing is a failure only where nothing may be skipped.
set -eu
cd "$(dirname "$0")/openapi"
wanted=20.19
missing() {
	echo "$1: the document of the HTTP API is not checked against a running host (cmd/host); $2" >&2
	[ "${HARPIA_REQUIRE_ALL:-}" != 1 ]
	exit
}

if ! command -v npm >/dev/null && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get install -qq -y --no-install-recommends nodejs npm ||
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends nodejs npm; }; } >&2 || true
fi
command -v node >/dev/null && command -v npm >/dev/null ||
	missing "there is no Node.js" "install $wanted or newer"
have=$(node --version)
[ "$(printf '%s\n' "v$wanted" "$have" | sort -V | head -n 1)" = "v$wanted" ] ||
	missing "Node.js is $have" "install $wanted or newer"
# What was installed from this lock file is there still.
cmp -s package-lock.json node_modules/.installed && exit
npm ci >&2 || missing "npm ci has failed" "run it in tools/openapi"
cp package-lock.json node_modules/.installed
