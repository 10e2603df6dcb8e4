#!/usr/bin/env bash
#
# slow_line.sh SERVER - a real bottleneck: two clients on a line of 192 kbit/s between them take
# 256 KiB each, by WebSocket and by a stream. However they share it, that takes longer than any
# deadline for who takes nothing, and neither is cut.
#
# The line is the loopback of a network namespace with a token bucket (tc-tbf). Where such may not be
# made it says so, and nothing is tested.

set -u

# As root, or as whoever may be root in a namespace.
if unshare -n true 2>/dev/null; then
	alone=(unshare -n)
elif unshare -rn true 2>/dev/null; then
	alone=(unshare -rn)
else
	echo 'slow_line: no network namespaces here: not tested'
	echo '0 passed, 0 failed'
	exit 0
fi

# shellcheck disable=SC2016
exec "${alone[@]}" bash -c '
	ip link set lo mtu 1500 up &&
	tc qdisc add dev lo root tbf rate 192kbit burst 8kb latency 5s || {
		echo "slow_line: no token bucket here: not tested"
		echo "0 passed, 0 failed"
		exit 0
	}
	exec node "$1" "$2"
' slow_line "$(dirname "$0")/slow_line.mjs" "$1"
