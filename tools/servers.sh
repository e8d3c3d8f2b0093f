#!/bin/sh
# Installs the servers that tests start, where there are none and it can be
# done: on Debian, as root. Elsewhere it says what to install; that is a failure
# only where nothing may be skipped.
set -eu
server=${HARPIA_REDIS_SERVER:-redis-server}
found() { command -v "$server" >/dev/null; }

# install leaves the machine without a server of its own: the package would start
# one, now and at each boot. A policy that is there already stays in force.
install() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -qq -y --no-install-recommends redis-server ||
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends redis-server; }
	update-rc.d redis-server disable
}

found && exit
if [ "$server" = redis-server ] && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
	install >&2 || true
	found && exit
fi
echo "there is no $server: the tests of Redis (plugins/redis, internal/redistest) are not run; install it with: apt-get install -y redis-server (or: brew install redis)" >&2
[ "${HARPIA_REQUIRE_ALL:-}" != 1 ]
