#!/usr/bin/env bash
#
# crowd.sh BUILD [--whole] - tests/crowd.c with the sockjsd of this build directory: one topic, one
# whose slow subscribers get the latest, and users who come back at once. Small, as a suite; with
# --whole 10,000 clients, 1,000 messages, 500 users. Prints figures, and "N passed, N failed" of
# each.
set -u
build=$1
if [ "${2-}" = --whole ]; then
	clients=10000 messages=1000 stalled=100 users=500 seconds=600
else
	clients=600 messages=1000 stalled=12 users=20 seconds=60
fi
here=$(dirname "$0")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT

# The users have one passcode and so, to be made quickly, one hash; each is hashed on its own all
# the same when it logs in.
hash=$(echo passcode | "$build/sockjsd" --hash-password) || exit 2
{
	echo '['
	for ((i = 0; i < users; i++)); do
		printf '%s{ "login": "user%d", "password": "%s" }\n' "$([ $i = 0 ] || echo ,)" $i "$hash"
	done
	echo ']'
} >"$folder/users.json"
sed "s|\"access\": \"open\"|\"access\": \"open\", \"users\": \"$folder/users.json\"|" "$here/crowd.json" \
	>"$folder/users.conf" || exit 2

status=0
"$build/crowd" --server "$build/sockjsd -c $here/crowd.json --log-level error" --clients $clients \
	--messages $messages --stalled $stalled --seconds $seconds || status=1
"$build/crowd" --server "$build/sockjsd -c $here/crowd.json --log-level error" --clients $clients \
	--messages $messages --stalled $stalled --seconds $seconds --latest || status=1
"$build/crowd" --server "$build/sockjsd -c $folder/users.conf --log-level error" --clients $clients \
	--users $users --seconds $seconds || status=1
exit $status
