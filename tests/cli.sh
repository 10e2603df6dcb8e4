#!/usr/bin/env bash
#
# tests/cli.sh [SOCKJSD] - sockjsd as an administrator meets it: exit codes,
# messages, configuration files, signals. Uses bash alone, no other client.
#
# Prints a line for each test that fails, and "N passed, N failed" at the end.

sockjsd=${1:-${SOCKJSD:-./sockjsd}}
patience=${PATIENCE:-1} # multiplies deadlines, for builds with sanitizers
tmp=$(mktemp -d)
passed=0 failed=0 pid=

cleanup() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
shopt -s extglob

# --- saying what should be ----------------------------------------------------

pass() { passed=$((passed + 1)); }

fail() { # NAME DETAIL...
	failed=$((failed + 1))
	printf 'FAILED: %s\n' "$1"
	shift
	printf '    %s\n' "$@"
}

# run ARG...: runs sockjsd to its end; leaves $code, $out and $err
run() {
	timeout $((20 * patience)) "$sockjsd" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	code=$?
	out=$(<"$tmp/out") err=$(<"$tmp/err")
}

# exits NAME CODE ARG...: runs it and compares its exit code
exits() {
	local name=$1 wanted=$2
	shift 2
	run "$@"
	if [ "$code" = "$wanted" ]; then pass; else fail "$name" "exit code $code, not $wanted" "$err"; fi
}

says() { # NAME TEXT PATTERN: a glob pattern
	# shellcheck disable=SC2053
	if [[ $2 == $3 ]]; then pass; else fail "$1" "wanted: $3" "got:    $2"; fi
}

holds() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then pass; else fail "$name" "does not hold: $*"; fi
}

# --- a server in the background -----------------------------------------------

# start ARG...: runs sockjsd until stop; leaves $pid, $port (of the first address)
start() {
	: >"$tmp/out" # or the loop might find what an earlier server said
	: >"$tmp/err"
	"$sockjsd" "$@" >"$tmp/out" 2>>"$tmp/err" </dev/null &
	pid=$!
	for _ in $(seq $((600 * patience))); do
		grep -q '^listening on' "$tmp/out" && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	port=$(sed -n 's#^listening on https\{0,1\}://.*:\([0-9]*\)$#\1#p;' "$tmp/out" | head -n 1)
}

alive() { kill -0 "$pid" 2>/dev/null; }

# ended SECONDS: waits for the end; leaves $code, 124 if it did not come
ended() {
	for _ in $(seq $(($1 * 20 * patience))); do
		alive || break
		sleep 0.05
	done
	if alive; then
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null
		code=124
	else
		wait "$pid"
		code=$?
	fi
	pid=
}

stop() {
	kill -TERM "$pid"
	ended 15
}

# open_connection: a connection to $port as descriptor 3
open_connection() { exec 3<>"/dev/tcp/127.0.0.1/$port"; }

# request METHOD PATH [BODY]: on descriptor 3
request() {
	printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nContent-Length: %s\r\n\r\n%s' \
		"$1" "$2" "$port" "${#3}" "$3" >&3
}

# answer: the response that ends with its connection, or what came in time
answer() { timeout $((5 * patience)) cat <&3; }

# await TEXT: reads from descriptor 3 until that has come
await() {
	local seen= next
	while IFS= read -r -t $((10 * patience)) -N 1 next <&3; do
		seen+=$next
		[[ $seen != *"$1" ]] || return 0
	done
	return 1
}

config() { cat >"$tmp/sockjsd.json"; }

# --- command line --------------------------------------------------------------

exits 'nothing to serve is a usage error' 2
says 'and it says what to do' "$err" '*sockjsd -c FILE*sockjsd --demo*'
exits 'an unknown option is a usage error' 2 --demon
says 'and it is named' "$err" "sockjsd: unknown option '--demon'; try 'sockjsd --help'"
exits 'an argument that is no option is a usage error' 2 --demo here
says 'and it is named' "$err" "sockjsd: unexpected argument 'here'*"
exits 'an option without its value is a usage error' 2 --demo -l
says 'and it is named' "$err" "sockjsd: a value is missing after '-l'*"
exits '--demo and -c exclude each other' 2 --demo -c x.json
exits '--demo and --upstream exclude each other' 2 --demo --upstream ws://127.0.0.1:9000
exits '--upstream and -c exclude each other' 2 --upstream ws://127.0.0.1:9000 -c x.json
says 'and the file is named' "$err" "sockjsd: *not two of them: 'x.json'*"
exits 'an --upstream that is no URL of a WebSocket is a usage error' 2 --upstream http://127.0.0.1:9000/
says 'and it is named, with what is allowed' "$err" 'sockjsd: --upstream: upstream.url*: "http://127.0.0.1:9000/" *ws://*'
exits '--upstream makes a configuration' 0 --upstream ws://127.0.0.1:9000/socket --print-config
says 'with that backend' "$out" '*"prefix": "/app"*"application": "upstream"*"ws://127.0.0.1:9000/socket"*'
exits '--allowed-origins is for all endpoints' 0 --upstream ws://127.0.0.1:9000 --print-config \
	--allowed-origins http://localhost:3000,https://*.example.com
says 'each of them' "$out" '*"allowed_origins": *"http://localhost:3000"*"https://\*.example.com"*'
says 'and a backend that compares origins sees its own' "$out" '*"origin": "own"*'
exits '--upstream alone passes the origin on' 0 --upstream ws://127.0.0.1:9000 --print-config
says 'as it is' "$out" '*"origin": "client"*'
exits 'an origin that cannot be is a usage error' 2 --demo --allowed-origins localhost
says 'and it is named' "$err" 'sockjsd: --allowed-origins: allowed_origins*"localhost"*'
exits 'a bad log level is a usage error' 2 --demo --log-level loud
says 'and what is allowed is said' "$err" '*debug, info, warn, error or silent*'
exits 'a bad address is a usage error' 2 --demo -l nowhere
says 'and it is named' "$err" 'sockjsd: -l: "nowhere" is not an address: *'
exits 'a bad number of threads is a usage error' 2 --demo -t 5000
says 'and the range is said' "$err" 'sockjsd: -t: threads: 5000 is out of range; allowed: 0 to 1024'
exits 'a missing www is an error' 2 --demo --www /no/such/dir
says 'and it is named' "$err" '*www: cannot read "/no/such/dir": No such file or directory'
exits '--help is no error' 0 --help
says 'and teaches by examples' "$out" '*Usage: sockjsd*Examples:*sockjsd --demo*'
exits '--version is no error' 0 --version
says 'and tells it' "$out" 'sockjsd [0-9]*.[0-9]*.[0-9]* (libmicrohttpd *'

# hashes NAME CODE: what is on standard input
hashes() {
	timeout $((20 * patience)) "$sockjsd" --hash-password >"$tmp/out" 2>"$tmp/err"
	code=$?
	out=$(<"$tmp/out") err=$(<"$tmp/err")
	if [ "$code" = "$2" ]; then pass; else fail "$1" "exit code $code, not $2" "$err"; fi
}

hashes 'a password is hashed' 0 < <(printf 'open sesame\nmore\n')
says 'to one line' "$out" '$scrypt$ln=*([0-9]),r=*([0-9]),p=*([0-9])$+([A-Za-z0-9+/])$+([A-Za-z0-9+/])'
says 'and nothing else is said' "$err" ''
hash=$out
hashes 'the line may have no end' 0 < <(printf 'open sesame')
holds 'each time with another salt' [ "$out" != "$hash" ]
hashes 'the longest password is hashed' 0 < <(printf '%01024d\r\n' 1)
hashes 'a longer one is refused' 2 < <(printf '%01025d\n' 1)
says 'and what is allowed is said' "$err" 'sockjsd: --hash-password: a password has at most 1024 octets'
says 'on standard error alone' "$out" ''
hashes 'so is one that only seems to end there' 2 < <(printf '%01024d\rx\n' 1)
hashes 'one without end is refused' 2 < <(timeout 20 yes '' | tr '\n' x)
for nothing in '' '\n' '\r\n' '\nafterwards\n'; do
	# shellcheck disable=SC2059
	hashes 'an empty password is refused' 2 < <(printf "$nothing")
	says 'and where it should be is said' "$err" 'sockjsd: --hash-password: no password; it is the first line of *'
done
hashes 'a password with a NUL is refused' 2 < <(printf 'a\0b\n')
says 'and it says why' "$err" 'sockjsd: --hash-password: a NUL character is not allowed in a password'
hashes 'a password that is not UTF-8 is refused' 2 < <(printf 'p\xe4ss\n')
says 'and it says why' "$err" 'sockjsd: --hash-password: this is not UTF-8, as which STOMP sends a password'
hashes 'a directory is no password' 1 </
exits 'it takes no value, which everybody would see' 2 --hash-password=secret

# --- configuration files ---------------------------------------------------------

exits 'a missing file is a configuration error' 2 -c "$tmp/none.json"
says 'and it is named' "$err" "sockjsd: $tmp/none.json: No such file or directory"

printf '{\n\t"threads": 1\n\t"www": null\n}\n' | config
exits 'bad JSON is a configuration error' 2 -c "$tmp/sockjsd.json"
says 'and file, line and column are named' "$err" "sockjsd: $tmp/sockjsd.json:3:*: '}' expected near '\"www\"'"

config <<-'END'
	{ "listen": ["127.0.0.1:0"],
	  "endpoints": [ { "prefix": "/app", "application": "nonsense" } ] }
END
exits 'an unknown application is a configuration error' 2 -c "$tmp/sockjsd.json" --check-config
says 'and those there are are listed' "$err" \
	"sockjsd: $tmp/sockjsd.json: endpoints\[0].application: \"nonsense\" is not an application; allowed: echo, *"

config <<-'END'
	{ "listen": ["127.0.0.1:0"],
	  "endpoints": [ { "prefix": "/app", "application": "echo", "heartbeat_delay_ms": 1 } ] }
END
exits 'a value out of range is a configuration error' 2 -c "$tmp/sockjsd.json" --check-config
says 'and path, value and range are named' "$err" \
	"sockjsd: $tmp/sockjsd.json: endpoints\[0].heartbeat_delay_ms: 1 is out of range; allowed: 10 to 86400000 milliseconds"

config <<-'END'
	{ "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
exits 'a configuration without an address is an error' 2 -c "$tmp/sockjsd.json" --check-config
says 'and it says what is missing' "$err" "sockjsd: $tmp/sockjsd.json: listen: missing; *"
exits 'unless the command line names one' 0 -c "$tmp/sockjsd.json" -l 127.0.0.1:0 --check-config
says 'and a valid one is called so' "$out" "$tmp/sockjsd.json: the configuration is valid"

# --- what --check-config tries ----------------------------------------------------

# checks NAME CODE PATTERN: the configuration on standard input
checks() {
	config
	exits "$1" "$2" -c "$tmp/sockjsd.json" --check-config
	says "$1: the sentence" "$err" "sockjsd: $tmp/sockjsd.json$3"
}

with_listen() { # VALUE
	printf '{ "listen": [ %s ], "endpoints": [ { "prefix": "/app", "application": "echo" } ] }\n' "$1"
}

with() { # MEMBERS of the top level
	printf '{ "listen": [ "127.0.0.1:0" ], "endpoints": [ { "prefix": "/app", "application": "echo" } ], %s }\n' "$1"
}

checks 'a host name that is not known may be known later' 1 ': listen\[0]: "no-such-host.invalid:80": no address *' \
	< <(with_listen '"no-such-host.invalid:80"')
exits 'and starting fails likewise' 1 -c "$tmp/sockjsd.json"
checks 'an address that is not here may be here later' 1 ': listen\[0]: "192.0.2.1:80": cannot listen: *' \
	< <(with_listen '"192.0.2.1:80"')
exits 'and starting fails likewise' 1 -c "$tmp/sockjsd.json"
checks 'the directory of a socket may be made later' 1 ": listen\\[0]: \"unix:$tmp/no/s\": the directory of the socket: No such *" \
	< <(with_listen "\"unix:$tmp/no/s\"")
exits 'and starting fails likewise' 1 -c "$tmp/sockjsd.json"
checks 'the internal address is tried too' 1 ': internal.listen: "192.0.2.1:80": cannot listen: *' \
	< <(with '"internal": { "listen": "192.0.2.1:80" }')
checks 'a mode of a port means nothing' 2 ': listen\[0].mode: means nothing for "127.0.0.1:0"; it is for unix:PATH' \
	< <(with_listen '{ "address": "127.0.0.1:0", "mode": "0600" }')
checks 'nor has it a group' 2 ': listen\[0].group: means nothing for "127.0.0.1:0"; it is for unix:PATH' \
	< <(with_listen '{ "address": "127.0.0.1:0", "group": "root" }')
checks 'who owns a socket exists' 2 ': listen\[0].owner: there is no user "no-such-user"' \
	< <(with_listen "{ \"address\": \"unix:$tmp/s\", \"owner\": \"no-such-user\" }")
checks 'somebody must be trusted to say who comes' 2 ': listen\[0].proxy_protocol: nobody could come: trusted_proxies *' \
	< <(with_listen '{ "address": "127.0.0.1:0", "proxy_protocol": true }')
checks 'an address is for an endpoint that is there' 2 ': listen\[0].endpoint: "/ap" is not the prefix of an endpoint; allowed: "/app"' \
	< <(with_listen '{ "address": "127.0.0.1:0", "protocol": "stomp", "endpoint": "/ap" }')
checks 'a port cannot be had twice' 2 ': listen\[1]: ":8099" is taken by listen\[0], "127.0.0.1:8099"' \
	< <(with_listen '"127.0.0.1:8099", ":8099"')
checks 'a user must be known' 2 ': user: "no-such-user" is not known here' < <(with '"user": "no-such-user"')
checks 'a group must be known' 2 ': group: "no-such-group" is not known here' < <(with '"group": "no-such-group"')
checks 'www must be a directory' 2 ': www: cannot read "/etc/passwd": Not a directory' < <(with '"www": "/etc/passwd"')
checks 'the client library must be a file' 2 ': client_library: cannot read "/etc": Is a directory' \
	< <(with '"client_library": "/etc"')
checks 'a key of an endpoint does not stand at the top' 2 \
	': heartbeat_delay_ms: unknown key here; it belongs into an endpoint: endpoints\[].heartbeat_delay_ms' \
	< <(with '"heartbeat_delay_ms": 1000')
checks 'no library is quoted' 2 ':1:*: a NUL character (\\u0000) is not allowed' < <(with '"www": "\u0000"')
if [ "$(id -u)" = 0 ]; then
	mkdir -m 700 "$tmp/private"
	checks 'www must be readable by the user' 2 ": www: cannot read \"$tmp/private\": Permission denied" \
		< <(with "\"user\": \"nobody\", \"www\": \"$tmp/private\"")
	echo >"$tmp/private/s.js"
	checks 'so must be the client library' 2 ": client_library: cannot read \"$tmp/private/s.js\": Permission denied" \
		< <(with "\"user\": \"nobody\", \"client_library\": \"$tmp/private/s.js\"")
	rm -r "$tmp/private"
fi

mkdir "$tmp/pages"
with '"www": "pages"' | config
exits 'names of files are relative to the configuration' 0 -c "$tmp/sockjsd.json" --print-config
says 'and printed so that they mean the same elsewhere' "$out" "*\"www\": \"$tmp/pages\"*"

run --demo --print-config --www / --log-format json
printf '%s\n' "$out" >"$tmp/printed.json"
exits 'what --print-config prints is a configuration' 0 -c "$tmp/printed.json" --print-config
holds 'and it prints the same again' [ "$out" = "$(<"$tmp/printed.json")" ]
exits 'and it passes the check' 0 -c "$tmp/printed.json" --check-config

# --- the application "stomp" ---------------------------------------------------------

with_stomp() { # MEMBERS of its options
	printf '{ "listen": [ "127.0.0.1:0" ], "endpoints": [ { "prefix": "/s", "application": "stomp", "stomp": { %s } } ] }\n' "$1"
}

checks 'a value of the wrong shape is found by the check' 2 ': endpoints\[0].stomp.access*: *' \
	< <(with_stomp '"access": 1')
exits 'and by starting' 2 -c "$tmp/sockjsd.json"
says 'with the same sentence' "$err" "*sockjsd: $tmp/sockjsd.json: endpoints\[0].stomp.access*: *"
checks 'a file that a value names is looked for beside the configuration' 2 ': endpoints\[0].stomp.users*: *' \
	< <(with_stomp '"access": "open", "users": "users.json"')
says 'and named' "$err" '*users.json*No such file*'
printf '[]\n' >"$tmp/users.json"
exits 'and found there, from wherever it is started' 0 -c "$tmp/sockjsd.json" --check-config
exits 'what is printed of it' 0 -c "$tmp/sockjsd.json" --print-config
says 'tells where that was' "$out" "*\"users\": \"users.json\"*\"directory\": \"$tmp\"*"
says 'and has JSON as JSON' "$out" '*"heartbeat_ms": \[*10000,*10000*]*'
mkdir "$tmp/elsewhere"
printf '%s\n' "$out" >"$tmp/elsewhere/printed.json"
exits 'so that it can be read elsewhere' 0 -c "$tmp/elsewhere/printed.json" --check-config
exits 'and is the same' 0 -c "$tmp/elsewhere/printed.json" --print-config
holds 'to the letter' [ "$out" = "$(<"$tmp/elsewhere/printed.json")" ]
rm "$tmp/users.json"
exits 'also when a file is missing that was there' 2 -c "$tmp/elsewhere/printed.json" --check-config
checks 'a header that names the user needs a proxy' 2 \
	': endpoints\[0].stomp.user_header: means nothing without trusted_proxies, *' \
	< <(with_stomp '"user_header": "X-User"')
with_stomp '"access": "open", "max_body_bytes": 400000' | config
start -c "$tmp/sockjsd.json" --log-level warn
open_connection
request GET /s
holds 'it runs' await 'Welcome to SockJS!'
exec 3>&-
stop
says 'and stops as asked' "$code" 0

# --- start and stop ----------------------------------------------------------------

start --demo -l 127.0.0.1:0 --log-level info
holds 'a port of its own is chosen and told' [ -n "$port" ]
exits 'a port that is taken is a failure' 1 --demo -l "127.0.0.1:$port"
says 'and the address is named, once' "$err" "*sockjsd: 127.0.0.1:$port: cannot listen: Address already in use"
config <<-END
	{ "listen": [ "127.0.0.1:$port" ], "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
exits 'one of a file likewise' 1 -c "$tmp/sockjsd.json"
says 'with file and key' "$err" \
	"*sockjsd: $tmp/sockjsd.json: listen\[0]: 127.0.0.1:$port: cannot listen: Address already in use"
exits 'but for the check, which may be of who listens there' 0 -c "$tmp/sockjsd.json" --check-config
open_connection
request GET /echo
answer=
IFS= read -r -t "$patience" -N 400 answer <&3
says 'a service answers' "$answer" '*200 OK*Welcome to SockJS!*'
exec 3>&-
kill -HUP "$pid"
sleep 0.2
holds 'SIGHUP does not end it' alive
kill -USR1 "$pid"
kill -ALRM "$pid"
kill -PIPE "$pid"
sleep 0.2
holds 'nor do signals that mean nothing to it' alive
stop
says 'SIGTERM ends it as asked' "$code" 0
says 'and SIGHUP was answered in the log, with a time' "$(<"$tmp/err")" '*[0-9]T[0-9][0-9]:*Z info  the configuration was reloaded*'

printf 'my own library\n' >"$tmp/pages/sockjs.min.js"
printf 'my own STOMP\n' >"$tmp/pages/stomp.umd.min.js"
start --demo -l 127.0.0.1:0 --log-level silent --www "$tmp/pages"
open_connection
request GET /sockjs.min.js
holds 'a client library in --www is served, whatever else there is' await 'my own library'
exec 3>&-
open_connection
request GET /stomp.umd.min.js
holds 'one of STOMP likewise' await 'my own STOMP'
exec 3>&-
stop
start --upstream ws://127.0.0.1:9 -l 127.0.0.1:0 --log-level silent --www "$tmp/pages"
open_connection
request GET /sockjs.min.js
holds 'with --upstream too' await 'my own library'
exec 3>&-
stop

start --demo -l 127.0.0.1:0 --log-level silent
kill -INT "$pid"
ended 15
says 'SIGINT ends it as asked' "$code" 0

start --demo -l 127.0.0.1:0 --log-level silent
open_connection
request POST /echo/000/cli/xhr_streaming
holds 'a session is open' await $'2\r\no\n\r\n'
kill -TERM "$pid"
says 'an open session is told when the server stops' "$(answer)" '*c\[3000,"Go away!"]*'
ended 15
says 'and the server ends as asked' "$code" 0
exec 3>&-

# A client that does not read: more waits for it than the kernel buffers, so that an orderly stop
# has to wait too.
start --demo -l 127.0.0.1:0 --log-level silent
open_connection
request POST /amplify/000/slow/xhr_streaming
await $'2\r\no\n\r\n'
exec 4>&3
open_connection
for _ in 1 2 3 4 5 6 7 8; do
	request POST /amplify/000/slow/xhr_send '["18","18","18","18","18","18","18","18"]'
	await $'\r\n\r\n'
done
kill -TERM "$pid"
sleep 0.5
holds 'a stop waits for a slow client' alive
kill -TERM "$pid"
ended 2
says 'a second SIGTERM does not' "$code" 0
exec 3>&- 4>&-

start --demo -l 127.0.0.1:0 -l 127.0.0.1:0 -l "unix:$tmp/sock" --log-format json --log-level debug
says 'every address is told' "$(<"$tmp/out")" \
	"listening on http://127.0.0.1:*listening on http://127.0.0.1:*listening on unix:$tmp/sock"
holds 'a unix socket is there' [ -S "$tmp/sock" ]
stop
says 'a server with three addresses ends as asked' "$code" 0
holds 'the unix socket is gone' [ ! -e "$tmp/sock" ]
holds 'every line of the JSON log is an object' [ -z "$(grep -v '^{.*}$' "$tmp/err")" ]

# ask METHOD PATH [HOST]: the whole answer of a connection of its own
ask() {
	open_connection
	printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" "$2" \
		"${3:-localhost}" >&3
	answer
}

# Commands at the internal address, and the one of them that has a place on the command line.
config <<-END
	{ "listen": [ "127.0.0.1:0" ], "internal": { "listen": "unix:$tmp/internal", "token_file": "token" },
	  "endpoints": [ { "prefix": "/stomp", "application": "stomp", "stomp": { "access": "open" } } ] }
END
rm -f "$tmp/token"
run -c "$tmp/sockjsd.json"
says 'a token that is not there is told' "$code $err" "2 *internal.token_file: cannot read \"$tmp/token\"*"
echo short >"$tmp/token"
run -c "$tmp/sockjsd.json"
says 'so is one that will not do' "$code $err" '2 *internal.token_file: the first line of *is not a token; allowed: 16 to 512*'
run --check-config -c "$tmp/sockjsd.json"
says 'and a check of the configuration tells it' "$code $err" '2 *internal.token_file: the first line of *is not a token; allowed: 16 to 512*'
echo 0123456789abcdef >"$tmp/token"
start -c "$tmp/sockjsd.json" --log-level warn
says 'publish prints how many have received it' "$("$sockjsd" publish -c "$tmp/sockjsd.json" /topic/a hello)" 0
says 'from standard input too, by an address' \
	"$(echo hello | "$sockjsd" publish --api "unix:$tmp/internal" --token-file "$tmp/token" /topic/a)" 0
run publish --api "unix:$tmp/internal" --token-file "$tmp/sockjsd.json" /topic/a hello
says 'with another token it is refused' "$code $err" '[12] *'
run publish -c "$tmp/sockjsd.json" '/topic/*' hello
says 'what cannot be published is said' "$code $err" '1 *refused with 400: destination *'
says 'ctl lists endpoints' "$("$sockjsd" ctl -c "$tmp/sockjsd.json" endpoints)" 'PREFIX *APPLICATION *stomp *stomp *'
run ctl -c "$tmp/sockjsd.json" close 999999
says 'a session that is not there is told' "$code $err" '1 sockjsd: ctl: refused with 404: There is no such session.*'
run ctl -c "$tmp/sockjsd.json" fly
says 'so is a command that is not there' "$code $err" "2 sockjsd: ctl: there is no command 'fly'*"
stop
run publish -c "$tmp/sockjsd.json" /topic/a hello
says 'a server that does not run is no usage error' "$code $err" "1 *cannot connect to $tmp/internal: *"
run publish /topic/a
says 'a server must be named' "$code $err" '2 *-c FILE or --api URL*'
run publish --help
says 'publish has a help of its own' "$code $out" '0 Usage: sockjsd publish*'
run ctl --help
says 'and so has ctl' "$code $out" '0 Usage: sockjsd ctl*'

# Where a server is cannot always be known from its configuration.
for listen in fd:inside 127.0.0.1:0 :0; do
	config <<-END
		{ "internal": { "listen": "$listen", "token": "correct-horse-battery" }, "listen": [ "127.0.0.1:0" ],
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	run ctl -c "$tmp/sockjsd.json" sessions
	says "no command finds $listen" "$code $err" "2 sockjsd: ctl: $tmp/sockjsd.json: internal.listen: \"$listen\" is *; say *--api URL *"
done
config <<-END
	{ "internal": { "listen": ":9", "token": "correct-horse-battery" }, "listen": [ "127.0.0.1:0" ],
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
run health -c "$tmp/sockjsd.json"
says 'who listens everywhere is asked here' "$code $err" '1 sockjsd: health: cannot connect to localhost:9: *'

# Health, for who has no client of HTTP: whoever asks need not be able to read the token.
config <<-END
	{ "listen": [ "127.0.0.1:0" ], "drain_delay_ms": 600000,
	  "internal": { "listen": "unix:$tmp/internal", "token_file": "token" },
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
run health -c "$tmp/sockjsd.json"
says 'a server that does not run is not healthy' "$code $err" "1 sockjsd: health: cannot connect to $tmp/internal: *"
start -c "$tmp/sockjsd.json" --log-level warn
rm -f "$tmp/token"
run health -c "$tmp/sockjsd.json"
says 'health says that it is ready' "$code $out$err" '0 ready'
run health --api "unix:$tmp/internal" --live
says 'and that it works' "$code $out$err" '0 ok'
kill -TERM "$pid"
for _ in $(seq $((100 * patience))); do
	run health --api "unix:$tmp/internal"
	[ "$code" = 0 ] || break
	sleep 0.05
done
says 'who drains is not ready' "$code $err" '1 sockjsd: health: 503: draining'
run health --api "unix:$tmp/internal" --live
says 'but works' "$code $out" '0 ok'
kill -TERM "$pid"
ended 15
run health
says 'health wants to know of whom' "$code $err" '2 sockjsd: health: to which server? say -c FILE or --api URL'
run health --api "unix:$tmp/internal" --timeout 0
says 'and how long at most' "$code $err" "2 sockjsd: health: --timeout is 1 to 300 seconds, not '0'"
run health --api "unix:$tmp/internal" now
says 'and nothing else' "$code $err" "2 sockjsd: health: unexpected argument 'now'"
run health --help
says 'and has a help of its own' "$code $out" '0 Usage: sockjsd health*'
run doctor
says 'a doctor wants to know of what' "$code $err" "2 sockjsd: doctor: of which endpoint? try 'sockjsd doctor --help'"
run doctor --help
says 'and has a help of its own, too' "$code $out" '0 Usage: sockjsd doctor*'

start --demo -l 127.0.0.1:0 --internal 127.0.0.1:0 -t 2 --log-level warn
public=$port
port=$(sed -n 's#^internal on http://127.0.0.1:\([0-9]*\)$#\1#p' "$tmp/out")
holds 'the internal address is told' [ -n "$port" ]
says '/healthz says that the process works' "$(ask GET /healthz)" '*200 OK*ok*'
says 'the internal address may be asked for by an IP address' "$(ask GET /healthz "127.0.0.1:$port")" '*200 OK*ok*'
says 'and by no name that somebody may have made point here' "$(ask GET /metrics evil.example)" \
	'*421 Misdirected Request*not served here*'
says '/readyz says that it is ready' "$(ask GET /readyz)" '*200 OK*ready*'
says 'a service is not there' "$(ask GET /echo)" '*404 Not Found*'
port=$public
says 'a session begins' "$(ask POST /echo/000/counted/xhr)" '*200 OK*'
says 'the counters are not public' "$(ask GET /metrics)" '*404 Not Found*'
port=$(sed -n 's#^internal on http://127.0.0.1:\([0-9]*\)$#\1#p' "$tmp/out")
says '/metrics counts over all reactors' "$(ask GET /metrics)" '*200 OK*sockjs_sessions_opened_total 1*'
stop

config <<-END
	{ "listen": [ "127.0.0.1:0" ], "threads": 1,
	  "internal": { "listen": "127.0.0.1:0", "allowed_hosts": [ "*.svc.example" ] },
	  "limits": { "connections": 2 },
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
start -c "$tmp/sockjsd.json" --log-level warn
open_connection
exec 4>&3
open_connection
exec 5>&3
for _ in 1 2 3 4 5 6 7 8 9 10; do
	grep -q 'limits.connections is reached' "$tmp/err" && break
	sleep 0.1
done
says 'a full server says so' "$(<"$tmp/err")" '*limits.connections is reached*'
port=$(sed -n 's#^internal on http://127.0.0.1:\([0-9]*\)$#\1#p' "$tmp/out")
says 'and still answers its operators' "$(ask GET /healthz)" '*200 OK*ok*'
says 'by the name that they have given it, too' "$(ask GET /healthz a.svc.example:9)" '*200 OK*ok*'
exec 3>&- 4>&- 5>&-
stop

config <<-END
	{ "listen": [ "127.0.0.1:0" ], "threads": 1, "limits": { "connection_rate": 1 },
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
start -c "$tmp/sockjsd.json" --log-level warn
answers=0
for _ in 1 2 3 4; do
	[[ $(ask GET /app/info) = *'200 OK'* ]] && answers=$((answers + 1))
done
says 'who comes too fast waits, and is served all the same' "$answers" 4
says 'which the log says' "$(<"$tmp/err")" '*limits.connection_rate is reached*'
stop

config <<-END
	{ "listen": [ { "address": "unix:$tmp/sock", "mode": "0600" } ],
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
start -c "$tmp/sockjsd.json" --log-level silent
says 'a unix socket has the mode asked for' "$(stat -c %a "$tmp/sock")" 600
stop
if [ "$(id -u)" = 0 ]; then
	sed -i 's/"mode": "0600"/"owner": "nobody", "group": "daemon"/' "$tmp/sockjsd.json"
	start -c "$tmp/sockjsd.json" --log-level silent
	says 'and belongs to whom it was given' "$(stat -c %U:%G "$tmp/sock")" nobody:daemon
	stop
fi

# What an operator reads: who started, why it stops, who was turned away and what would have done.
config <<-END
	{ "listen": [ "127.0.0.1:0" ], "internal": { "listen": "127.0.0.1:0" }, "threads": 1,
	  "drain_ms": 3600000, "limits": { "connections": 77 },
	  "endpoints": [ { "prefix": "/app", "application": "echo", "max_sessions": 1,
	                   "allowed_origins": [ "https://a.example" ] } ] }
END
start -c "$tmp/sockjsd.json"
says 'the start is in the log' "$(<"$tmp/err")" '*info  started version="[0-9.]*" threads=1 *connections=77 *'
says 'with its addresses' "$(<"$tmp/err")" "*info  listening url=\"http://127.0.0.1:$port\"*"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	open_connection
	printf 'GET /app/info HTTP/1.1\r\nHost: here\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n' >&3
	answer >"$tmp/answer"
done
says 'a page of another origin is refused' "$(<"$tmp/answer")" '*403 Forbidden*'
says 'and the log says who, what and what would do' "$(<"$tmp/err")" \
	'*info  refused: a page of another origin reason="origin" client="127.0.0.1" *origin="http://evil.example" *host="here" allowed="http://here (its own), https://a.example" option="allowed_origins"*'
ask POST /app/000/one/xhr >"$tmp/answer"
says 'a full endpoint refuses' "$(ask POST /app/000/two/xhr)" '*503 *Retry-After: 1*'
says 'and says what is full' "$(<"$tmp/err")" '*reason="max_sessions" client="127.0.0.1" *status=503 limit=1 option="max_sessions"*'
says 'a session that is not there' "$(ask POST /app/000/secret-of-mine/xhr_send)" '*500*'
public=$port
port=$(sed -n 's#^internal on http://127.0.0.1:\([0-9]*\)$#\1#p' "$tmp/out")
metrics=$(ask GET /metrics)
says 'refusals are counted by reason' "$metrics" '*sockjs_refusals_total{reason="origin"} 15*'
says 'each by its own' "$metrics" '*sockjs_refusals_total{reason="max_sessions"} 1*'
says 'and what was refused was not opened' "$metrics" '*sockjs_sessions_opened_total 1*sockjs_connect_failures_total 0*'
port=$public
kill -TERM "$pid"
ended 12
says 'with no session left it ends at once, whatever drain_ms is' "$code" 0
says 'the log says why' "$(<"$tmp/err")" '*info  stopping signal="SIGTERM" sessions=[01]*info  stopped uptime_s=*'
says 'but not whose session it was' "$(<"$tmp/err")" '!(*secret-of-mine*)'
exec 3>&-

# A service manager that writes down what it hears.
if command -v python3 >/dev/null; then
	python3 - "$tmp/notify" >"$tmp/heard" <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(60)
		while True:
		    text = s.recv(1000).decode()
		    print(text, flush=True)
		    if 'STOPPING' in text:
		        break
	END
	manager=$!
	for _ in $(seq 100); do [ -S "$tmp/notify" ] || sleep 0.1; done
	NOTIFY_SOCKET=$tmp/notify WATCHDOG_USEC=200000 start -c "$tmp/sockjsd.json" --log-level silent
	for _ in $(seq 600); do [ "$(grep -c WATCHDOG "$tmp/heard")" -ge 3 ] && break; sleep 0.1; done
	kill -HUP "$pid"
	for _ in $(seq 600); do [ "$(grep -c READY "$tmp/heard")" -ge 2 ] && break; sleep 0.1; done
	stop
	wait "$manager"
	says 'the service manager hears of a reload, and of a long drain' "$(grep -v -e WATCHDOG -e STATUS "$tmp/heard")" \
		$'READY=1\nRELOADING=1\nMONOTONIC_USEC=+([0-9])\nREADY=1\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=3615000000'
	says 'and again and again that all threads work' "$(<"$tmp/heard")" \
		$'READY=1\nWATCHDOG=1\nSTATUS=0 sessions\nWATCHDOG=1\n*\nWATCHDOG=1*'
fi

# A proxy that says who its client is; and who says nothing of the kind.
config <<-END
	{ "listen": [ { "address": "127.0.0.1:0", "proxy_protocol": true } ], "threads": 2, "trusted_proxies": [ "127.0.0.1" ],
	  "limits": { "header_timeout_ms": 1000 }, "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
start -c "$tmp/sockjsd.json" --log-level info
behind_proxy() { # HEADER: the answer to a request behind it
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	printf "$1GET /app/nothing HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n" >&4
	timeout $((10 * patience)) cat <&4
	exec 4>&-
}
says 'a request behind a line of the PROXY protocol is answered' \
	"$(behind_proxy 'PROXY TCP4 192.0.2.7 198.51.100.1 4660 80\r\n')" 'HTTP/1.1 404 *'
says 'behind one of version 2, too' \
	"$(behind_proxy '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\x08\xc6\x33\x64\1\x12\x34\0\x50')" 'HTTP/1.1 404 *'
says 'and one of a proxy that looks how we are' "$(behind_proxy 'PROXY UNKNOWN\r\n')" 'HTTP/1.1 404 *'
says 'without one there is no answer' "$(behind_proxy '' 2>&1)" '!(*HTTP*)'
says 'the client is whom the proxy names' "$(<"$tmp/err")" \
	'*client="192.0.2.7"*status=404*client="192.0.2.8"*status=404*client="127.0.0.1"*status=404*reason="proxy" client="127.0.0.1"*'
stop
sed -i 's/"127.0.0.1" ]/"192.0.2.1" ]/' "$tmp/sockjsd.json"
start -c "$tmp/sockjsd.json" --log-level info
says 'who is not trusted is not heard' "$(behind_proxy 'PROXY TCP4 192.0.2.7 198.51.100.1 4660 80\r\n' 2>&1)" '!(*HTTP*)'
says 'which the log explains' "$(<"$tmp/err")" '*reason="proxy" client="127.0.0.1" why="it is not in trusted_proxies"*'
stop

# A backend that nobody listens for: /readyz tells, if it is asked to.
for wanted in true false; do
	config <<-END
		{ "listen": [ "127.0.0.1:0" ], "threads": 1,
		  "internal": { "listen": "127.0.0.1:0", "ready_needs_backends": $wanted },
		  "endpoints": [ { "prefix": "/app", "application": "upstream", "upstream": { "url": "unix:$tmp/nobody" } } ] }
	END
	start -c "$tmp/sockjsd.json" --log-level error
	public=$port
	port=$(sed -n 's#^internal on http://127.0.0.1:\([0-9]*\)$#\1#p' "$tmp/out")
	says '/readyz is well before anything was tried' "$(ask GET /readyz)" '*200 OK*ready*'
	internal=$port port=$public
	ask POST /app/000/nobody/xhr >"$tmp/answer"
	port=$internal
	if [ "$wanted" = true ]; then
		says '/readyz names the endpoint that has no backend' "$(ask GET /readyz)" '*503 *not ready: /app*'
	else
		says '/readyz does not ask for backends by default' "$(ask GET /readyz)" '*200 OK*ready*'
	fi
	metrics=$(ask GET /metrics)
	says 'a dead backend is no connect failure, and opens nothing' "$metrics" \
		'*sockjs_sessions_opened_total 0*sockjs_sessions_unopened_total 1*sockjs_connect_failures_total 0*'
	says 'but a refusal' "$metrics" '*sockjs_refusals_total{reason="application"} 1*'
	stop
done

if [ "$(id -u)" = 0 ]; then
	config <<-END
		{ "listen": [ "127.0.0.1:0" ], "user": "nobody",
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	start -c "$tmp/sockjsd.json" --log-level silent
	says 'root becomes the user asked for' "$(awk '/^Uid:/ { print $2, $3, $4 }' "/proc/$pid/status")" \
		"$(id -u nobody) $(id -u nobody) $(id -u nobody)"
	says 'and loses the groups of root' "$(awk '/^Groups:/ { $1 = ""; print " " $0 " " }' "/proc/$pid/status")" \
		'!(* 0 *)'
	stop
	sed -i 's/nobody/no-such-user/' "$tmp/sockjsd.json"
	exits 'a user who does not exist is a configuration error' 2 -c "$tmp/sockjsd.json"
	says 'and is named' "$err" '*user: "no-such-user" is not known here'
fi

# --- TLS ---------------------------------------------------------------------------

printf 'this is no certificate\n' >"$tmp/bad.pem"
config <<-END
	{ "listen": [ { "address": "127.0.0.1:0", "tls": { "certificate": "$tmp/bad.pem", "key": "$tmp/bad.pem" } } ],
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
exits 'a bad certificate is a configuration error' 2 -c "$tmp/sockjsd.json"
says 'and its file is named' "$err" "*$tmp/bad.pem*"

config <<-END
	{ "listen": [ { "address": "127.0.0.1:0", "tls": { "certificate": "$tmp/no.pem", "key": "$tmp/bad.pem" } } ],
	  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
END
exits 'a missing certificate is a configuration error' 2 -c "$tmp/sockjsd.json" --check-config
says 'and its key is named' "$err" "*listen\[0].tls.certificate: cannot read \"$tmp/no.pem\": No such file*"

# What start would find, --check-config finds; listeners and upstreams alike.
make_pair() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.pem" 2>/dev/null
}

checks_files() { # CODE TLS: as a listener's and as an upstream's
	config <<-END
		{ "listen": [ { "address": "127.0.0.1:0", "tls": { $2 } } ],
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	exits "listen.tls with $2" "$1" -c "$tmp/sockjsd.json" --check-config
	listens=$err
	config <<-END
		{ "listen": [ "127.0.0.1:0" ], "endpoints": [ { "prefix": "/app", "application": "upstream",
		  "upstream": { "url": "wss://127.0.0.1:9", "tls": { $2 } } } ] }
	END
	exits "upstream.tls with $2" "$1" -c "$tmp/sockjsd.json" --check-config
}

names_file() { # KEY FILE REASON
	says "a listener's $1 and $2 are named" "$listens" "*listen\[0].tls.$1: cannot use \"$tmp/$2\": $3*"
	says "an upstream's $1 and $2 are named" "$err" "*endpoints\[0].upstream.tls.$1: cannot use \"$tmp/$2\": $3*"
}

pair() { printf '"certificate": "%s", "key": "%s"' "$tmp/$1" "$tmp/$2"; }

if command -v openssl >/dev/null && make_pair one && make_pair two; then
	openssl pkey -in "$tmp/one.key" -aes128 -passout pass:secret -out "$tmp/secret.key"
	openssl genrsa -out "$tmp/rsa.key" 2048 2>/dev/null
	head -n 3 "$tmp/one.pem" >"$tmp/half.pem"

	checks_files 0 "$(pair one.pem one.key)"
	checks_files 2 "$(pair bad.pem one.key)"
	names_file certificate bad.pem 'no certificate in PEM'
	checks_files 2 "$(pair half.pem one.key)"
	names_file certificate half.pem '?'
	checks_files 2 "$(pair one.pem bad.pem)"
	names_file key bad.pem 'no private key in PEM'
	checks_files 2 "$(pair one.pem two.key)"
	names_file key two.key 'it does not go with the certificate'
	checks_files 2 "$(pair one.pem rsa.key)"
	names_file key rsa.key 'it does not go with the certificate'
	checks_files 2 "$(pair one.pem secret.key)"
	names_file key secret.key 'it is encrypted'

	config <<-END
		{ "listen": [ { "address": "127.0.0.1:0", "tls": { $(pair one.pem one.key) } } ], "threads": 1,
		  "limits": { "connections_per_address": 1 },
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	start -c "$tmp/sockjsd.json"
	open_connection
	exec 4>&3
	open_connection
	says 'one connection too many is closed before its TLS handshake' "$(answer | wc -c)" 0
	says 'and said in the log' "$(<"$tmp/err")" '*reason="connections_per_address" client="127.0.0.1" limit=1 *'
	printf 'GET / HTTP/1.1\r\n\r\n' >&4
	exec 3>&- 4>&-
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q 'reason="tls"' "$tmp/err" && break
		sleep 0.3
	done
	says 'a TLS handshake that fails is in the log' "$(<"$tmp/err")" \
		'*info  refused: a TLS handshake failed reason="tls" client="127.0.0.1" why="http request"*'
	stop

	# Several certificates, by name; and what cannot be used is named by where it stands.
	names_option() { # TLS PATTERN
		config <<-END
			{ "listen": [ { "address": "127.0.0.1:0", "tls": { $1 } } ],
			  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
		END
		exits "listen.tls with $1" 2 -c "$tmp/sockjsd.json" --check-config
		says 'and that is named' "$err" "*listen\[0].tls.$2*"
		exits "likewise at the start" 2 -c "$tmp/sockjsd.json"
	}

	names_option "$(pair one.pem one.key), \"certificates\": [ { $(pair two.pem two.key) }, { $(pair two.pem one.key) } ]" \
		"certificates\[1].key: cannot use \"$tmp/one.key\": it does not go with"
	names_option '"certificates": [ { "certificate": "one.pem", "key": "none.key" } ]' \
		'certificates\[0].key: cannot read "*/none.key": No such file'
	names_option '"certificates": [ { "certificate": "one.pem", "keys": "one.key" } ]' 'certificates\[0].keys: unknown key'
	names_option '"certificates": [ { "certificate": "one.pem" } ]' 'certificates\[0].key: missing'
	names_option '"certificates": []' 'certificates: this is not a list'
	names_option "$(pair one.pem one.key), \"ciphers\": \"ECDHE+AESGMC\"" 'ciphers: cannot use "ECDHE+AESGMC": OpenSSL does not know'
	names_option "$(pair one.pem one.key), \"groups\": \"X25518\"" 'groups: cannot use "X25518"'
	names_option "$(pair one.pem one.key), \"ciphersuites\": \"TLS_AES\"" 'ciphersuites: cannot use "TLS_AES"'
	names_option "$(pair one.pem one.key), \"min_version\": \"1.1\"" 'min_version: "1.1" is not allowed; allowed: 1.2 1.3'
	names_option "$(pair one.pem one.key), \"client_certificate\": \"required\"" 'client_ca: missing'
	names_option "$(pair one.pem one.key), \"client_ca\": \"one.pem\"" 'client_ca: means nothing with'
	names_option "$(pair one.pem one.key), \"client_certificate\": \"optional\", \"client_ca\": \"bad.pem\"" \
		'client_ca: cannot use "*bad.pem": no certificate in PEM'
	names_option '"min_version": "1.3"' 'min_version: means nothing without tls.certificate'

	# shown NAME: the subject of the certificate that a client gets who asks for it
	shown() {
		timeout $((20 * patience)) openssl s_client -connect "127.0.0.1:$port" ${1:+-servername "$1"} </dev/null 2>/dev/null |
			openssl x509 -noout -subject -nameopt RFC2253 2>/dev/null
	}
	# logs PATTERN: whether the log says it, soon or late
	logs() {
		for _ in $(seq $((300 * patience))); do
			# shellcheck disable=SC2053
			[[ $(<"$tmp/err") == $1 ]] && return 0
			sleep 0.1
		done
		return 1
	}
	make_named() { # NAME CN SAN DAYS
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$4" -subj "/CN=$2" -addext "subjectAltName=DNS:$3" \
			-keyout "$tmp/$1.new.key" -out "$tmp/$1.new.pem" 2>/dev/null && mv "$tmp/$1.new.key" "$tmp/$1.key" && mv "$tmp/$1.new.pem" "$tmp/$1.pem"
	}
	# scrape: what /metrics says
	scrape() {
		exec 3<>"/dev/tcp/127.0.0.1/$(sed -n 's#^internal on http://.*:\([0-9]*\)$#\1#p' "$tmp/out")"
		printf 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
		answer
		exec 3>&-
	}

	make_named first first first.example 100
	make_named other other '*.other.example' 5
	config <<-END
		{ "listen": [ { "address": "127.0.0.1:0", "tls": { $(pair first.pem first.key), "certificates": [ { "certificate": "other.pem", "key": "other.key" } ] } } ],
		  "internal": { "listen": "127.0.0.1:0" }, "threads": 2,
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	start -c "$tmp/sockjsd.json"
	says 'who names nobody gets the first certificate' "$(shown)" 'subject=CN=first'
	says 'who names another gets that' "$(shown www.other.example)" 'subject=CN=other'
	holds 'a certificate that ends soon is said in the log' logs "*warn *a TLS certificate expires soon listener=\"https://*\" certificate=\"$tmp/other.pem\" days=[45]*"
	says 'and no other' "$(<"$tmp/err")" "!(*expires soon*first.pem*)"
	end=$(date -d "$(openssl x509 -in "$tmp/other.pem" -noout -enddate | cut -d= -f2)" +%s)
	metrics=$(scrape)
	says 'its end is in the metrics' "$metrics" "*sockjs_tls_certificate_expiry_seconds{certificate=\"$tmp/other.pem\"} $end*"
	says 'so are the handshakes' "$metrics" '*sockjs_tls_handshakes_total 2*'
	make_named other renewed '*.other.example' 100
	holds 'a renewed certificate is said in the log' logs '*info *the files of TLS have changed; new connections get what they say now*'
	says 'and shown' "$(shown www.other.example)" 'subject=CN=renewed'
	printf 'nothing\n' >"$tmp/other.key"
	holds 'a key that cannot be used is, too' logs "*warn *the files of TLS have changed and cannot be used; the old certificates stay*other.key: no private key in PEM*"
	says 'and the old one stays' "$(shown www.other.example)" 'subject=CN=renewed'
	stop

	# Certificates of clients, as names of STOMP users.
	make_pair ann
	config <<-END
		{ "listen": [ { "address": "127.0.0.1:0", "protocol": "stomp", "endpoint": "/stomp",
		                "tls": { $(pair one.pem one.key), "client_certificate": "required", "client_ca": "ann.pem" } } ],
		  "endpoints": [ { "prefix": "/stomp", "application": "stomp", "stomp": { "anonymous": false, "client_certificate": "subject" } } ] }
	END
	start -c "$tmp/sockjsd.json"
	port=$(sed -n 's#^listening on stomps://.*:\([0-9]*\)$#\1#p' "$tmp/out")
	greet() { # ARG...: CONNECT, and what comes
		(printf 'CONNECT\naccept-version:1.2\nhost:x\n\n\0' && sleep $((2 * patience))) |
			timeout $((20 * patience)) openssl s_client -quiet -connect "127.0.0.1:$port" "$@" 2>&1 | tr -d '\0'
	}
	says 'a certificate names the user of STOMP' "$(greet -cert "$tmp/ann.pem" -key "$tmp/ann.key")" '*CONNECTED*user-name:CN=ann*'
	says 'who has none does not come in' "$(greet)" '!(*CONNECTED*)'
	says 'nor does a stranger' "$(greet -cert "$tmp/one.pem" -key "$tmp/one.key")" '!(*CONNECTED*)'
	holds 'and the log says why' logs '*refused: a TLS handshake failed*peer did not return a certificate*'
	stop

	# So many handshakes at a time, and no more.
	config <<-END
		{ "listen": [ { "address": "127.0.0.1:0", "tls": { $(pair one.pem one.key) } } ], "threads": 1, "limits": { "tls_handshakes": 1 },
		  "endpoints": [ { "prefix": "/app", "application": "echo" } ] }
	END
	start -c "$tmp/sockjsd.json"
	open_connection
	exec 4>&3
	open_connection
	says 'one handshake too many is not begun' "$(answer | wc -c)" 0
	says 'and said in the log' "$(<"$tmp/err")" '*reason="tls_handshakes" client="127.0.0.1" limit=1 *'
	exec 3>&- 4>&-
	says 'the next one may come when the first has gone' "$(for _ in 1 2 3 4 5; do shown && break; sleep 1; done)" 'subject=CN=one'
	stop

	mkfifo "$tmp/pipe"
	(timeout 5 cat "$tmp/one.key" >"$tmp/pipe") &
	writer=$!
	checks_files 0 "$(pair one.pem pipe)"
	says 'a pipe is not read by --check-config' "$(timeout 5 cat "$tmp/pipe")" "$(cat "$tmp/one.key")"
	wait "$writer"

	for file in bad.pem one.key; do
		config <<-END
			{ "listen": [ "127.0.0.1:0" ], "endpoints": [ { "prefix": "/app", "application": "upstream",
			  "upstream": { "url": "wss://127.0.0.1:9", "tls": { "ca": "$tmp/$file" } } } ] }
		END
		exits 'a bad ca is a configuration error' 2 -c "$tmp/sockjsd.json" --check-config
		says 'and is named' "$err" "*endpoints\[0].upstream.tls.ca: cannot use \"$tmp/$file\": no certificate in PEM*"
	done
	config <<-END
		{ "listen": [ "127.0.0.1:0" ], "endpoints": [ { "prefix": "/app", "application": "upstream",
		  "upstream": { "url": "wss://127.0.0.1:9", "tls": { "ca": "$tmp/one.pem" } } } ] }
	END
	exits 'a good ca is right' 0 -c "$tmp/sockjsd.json" --check-config
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
