#!/usr/bin/env bash
#
# tests/install.sh - what an administrator and a programmer get: installs into a directory of its own
# and uses the result. Run by `make check`, in the directory of the build.
#
# Prints a line for each test that fails, and "N passed, N failed" at the end.

source=$(cd "$(dirname "$0")/.." && pwd)
make=${MAKE:-make}
patience=${PATIENCE:-1} # multiplies deadlines, for builds with sanitizers
tmp=$(mktemp -d)
prefix=$tmp/usr
passed=0 failed=0 pid=
export MAKEFLAGS= LC_ALL=C
shopt -s extglob

cleanup() {
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

pass() { passed=$((passed + 1)); }

fail() { # NAME DETAIL...
	failed=$((failed + 1))
	printf 'FAILED: %s\n' "$1"
	shift
	printf '    %s\n' "$@"
}

holds() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then pass; else fail "$name" "does not hold: $*" "$(tail -n 20 "$tmp/said")"; fi
}

says() { # NAME TEXT PATTERN: a glob pattern
	# shellcheck disable=SC2053
	if [[ $2 == $3 ]]; then pass; else fail "$1" "wanted: $3" "got:    $2"; fi
}

lacks() { if "$@"; then return 1; fi; } # COMMAND...

# The prefix is one of this run alone: what was built for another is not rebuilt, only installed.
install() { # VARIABLE=VALUE...
	"$make" -s install prefix="$prefix" sysconfdir="$tmp/etc" systemdsystemunitdir="$tmp/unit" "$@"
}

# --- a server in the background ---------------------------------------------------------------

# serve COMMAND...: until stop; leaves $pid and $port
serve() {
	: >"$tmp/out"
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	for _ in $(seq $((400 * patience))); do
		grep -q '^listening on' "$tmp/out" && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	port=$(sed -n 's#^listening on http://.*:\([0-9]*\)$#\1#p' "$tmp/out" | head -n 1)
}

stop() {
	kill -TERM "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
}

# ask METHOD PATH [BODY [HEADER]]: the whole answer
ask() {
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return
	printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n%sContent-Length: %s\r\nConnection: close\r\n\r\n%s' \
		"$1" "$2" "$port" "${4:+$4$'\r\n'}" "${#3}" "$3" >&3
	timeout $((10 * patience)) cat <&3
	exec 3>&-
}

# --- installing -------------------------------------------------------------------------------

printf 'a client of SockJS\n' >"$tmp/client.js"
printf 'a client of STOMP\n' >"$tmp/stomp.js"
target() { # TARGET VARIABLE=VALUE...
	local name=$1
	shift
	"$make" -s "$name" prefix="$prefix" sysconfdir="$tmp/etc" "$@"
}

holds 'it can be installed without the client' install CLIENTS=/no/such/file STOMP_CLIENTS=/no/such/file
says 'and one line says how to get it' "$(cat "$tmp/said")" \
	"*curl -o $prefix/share/sockjsd/sockjs.min.js https://*"
says 'and another that of STOMP' "$(cat "$tmp/said")" \
	"*curl -o $prefix/share/sockjsd/stomp.umd.min.js https://*"
holds 'the sample is right without the client' "$prefix/bin/sockjsd" -c "$tmp/etc/sockjsd.json" --check-config
rm -f "$tmp/etc/sockjsd.json"
holds 'it can be installed with the client' target install-configuration CLIENTS="/no/such/file $tmp/client.js"
holds 'the client is there' cmp "$tmp/client.js" "$prefix/share/sockjsd/sockjs.min.js"
holds 'and that of STOMP' target install-stomp-client STOMP_CLIENTS="$tmp/stomp.js"
holds 'the pages are there' test -f "$prefix/share/sockjsd/www/index.html"
holds 'sockjsd is where everybody has his PATH' test -x "$prefix/bin/sockjsd"
holds 'and so is sockjs-hostile' "$prefix/bin/sockjs-hostile" --check 'after 10 frames: black'
holds 'and not where only root has it' lacks test -e "$prefix/sbin/sockjsd"
holds 'there is a sample configuration' grep -q "$prefix/share/sockjsd/sockjs.min.js" "$tmp/etc/sockjsd.json"
holds 'which is right' "$prefix/bin/sockjsd" -c "$tmp/etc/sockjsd.json" --check-config
holds 'and a complete one that is right too' \
	"$prefix/bin/sockjsd" -c "$prefix/share/doc/sockjsd/sockjsd.json" --check-config
printf '{ "mine": true }\n' >"$tmp/etc/sockjsd.json"
target install-configuration CLIENTS="$tmp/client.js" >/dev/null 2>&1
says 'a configuration that is there stays as it is' "$(cat "$tmp/etc/sockjsd.json")" '{ "mine": true }'

"$make" -s packaging/sockjsd.service bindir="$prefix/bin" sysconfdir="$tmp/etc" -W Makefile >/dev/null 2>&1
holds 'the unit starts what is installed' grep -q "^ExecStart=$prefix/bin/sockjsd -c $tmp/etc/sockjsd.json$" \
	packaging/sockjsd.service
"$make" -s packaging/sockjsd.service -W Makefile >/dev/null 2>&1

# --- documents --------------------------------------------------------------------------------

links() { # FILE: the relative ones
	grep -o '](\([^)#:]*\)[)#]' "$1" | sed 's/^](//; s/[)#]$//' | grep -v '^$'
}

dead_links() { # FILE...
	local file link
	for file in "$@"; do
		links "$file" | while read -r link; do
			[ -e "$(dirname "$file")/$link" ] || printf '%s: %s\n' "$file" "$link"
		done
	done
}

documents=$prefix/share/doc/sockjsd
holds 'README is there' test -f "$documents/README.md"
says 'every link of the documents leads somewhere' \
	"$(dead_links "$documents"/*.md "$documents"/doc/*.md "$documents"/doc/decisions/*.md \
		"$documents"/bench/*.md "$documents"/examples/*/*.md "$documents"/packaging/*/*.md)" ''

# --- the library ------------------------------------------------------------------------------

# The library of a sanitizer build wants the sanitizer in the program too.
compile() { # OUTPUT FILE ARGUMENT...
	local output=$1 file=$2
	shift 2
	# shellcheck disable=SC2086
	${CC:-cc} -o "$output" "$file" "$@" ${LDFLAGS:-}
}

# No .pc file but our own is to be found: a user may lack those of our dependencies.
package() {
	PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig" PKG_CONFIG_PATH='' \
		pkg-config --define-variable=prefix="$prefix" "$@" sockjs
}

# The program in README.md, at a port that was free just now.
readme_program() {
	awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" |
		sed "s/127\.0\.0\.1:8081/127.0.0.1:$1/"
}

free_port() {
	serve "$prefix/bin/sockjsd" --demo -l 127.0.0.1:0 --log-level silent
	stop
}

# It says nothing when it listens.
reached() {
	for _ in $(seq $((200 * patience))); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
		kill -0 "$pid" 2>/dev/null || return
		sleep 0.05
	done
	return 1
}

serves_a_page() { # NAME PROGRAM...: echoes for a page from elsewhere
	local name=$1 origin='Origin: https://elsewhere.example'
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	holds "$name runs" reached
	says "$name answers a page from elsewhere" "$(ask GET /echo/info '' "$origin")" \
		'*200 OK*Access-Control-Allow-Origin: https://elsewhere.example*"websocket":true*'
	says "$name opens a session for it" "$(ask POST /echo/0/s/xhr '' "$origin")" '*200 OK*o'
	says "$name takes a message" "$(ask POST /echo/0/s/xhr_send '["hello"]' "$origin")" '*204 *'
	says "$name sends it back" "$(ask POST /echo/0/s/xhr '' "$origin")" '*200 OK*a\["hello"]'
	stop
}

holds 'pkg-config needs no packages but ours' package --cflags --libs
says 'pkg-config tells what the archive needs' "$(package --static --libs)" '*-lsockjs*-lmicrohttpd*-lssl*'
free_port
readme_program "$port" >"$tmp/echo.c"
# shellcheck disable=SC2046
holds 'the program in README.md compiles as it says' compile "$tmp/echo" "$tmp/echo.c" $(package --cflags --libs)
serves_a_page 'the program in README.md' env LD_LIBRARY_PATH="$prefix/lib" "$tmp/echo"
# shellcheck disable=SC2046
holds 'it can be linked with the archive' compile "$tmp/echo-static" "$tmp/echo.c" \
	$(package --static --cflags --libs | sed "s#-lsockjs#$prefix/lib/libsockjs.a#")
holds 'and needs no shared library then' lacks grep -q libsockjs.so "$tmp/echo-static"
serves_a_page 'the program with the archive' "$tmp/echo-static"

cat >"$tmp/version.c" <<-'END'
	#include <sockjs.h>
	#include <stdio.h>
	#include <string.h>
	#if SOCKJS_VERSION_NUMBER < 100
	#error what a program would ask
	#endif
	int timer_start(void); /* of the program: the archive has one of its own, and hides it */
	int timer_start(void) { return 0; }
	int main(void)
	{
		char text[32];

		snprintf(text, sizeof(text), "%d.%d.%d", SOCKJS_VERSION_MAJOR, SOCKJS_VERSION_MINOR,
		    SOCKJS_VERSION_PATCH);
		puts(SOCKJS_VERSION);
		return strcmp(text, SOCKJS_VERSION) || strcmp(text, sockjs_version()) || timer_start();
	}
END
# shellcheck disable=SC2046
holds 'names of the library are no names of the program' compile "$tmp/version" "$tmp/version.c" \
	$(package --static --cflags --libs | sed "s#-lsockjs#$prefix/lib/libsockjs.a#")
holds 'the header and the library have one version' "$tmp/version"
says 'and pkg-config the same' "$(package --modversion)" "$("$tmp/version")"
says 'and sockjsd' "$("$prefix/bin/sockjsd" --version)" "sockjsd $("$tmp/version") *"

exported() { nm -D --defined-only "$prefix/lib/libsockjs.so" | awk '{ print $3 }'; }

declared() {
	awk '/^SOCKJS_API / { text = ""; while ($0 !~ /;/) { text = text $0; if ((getline) <= 0) exit } text = text $0
		if (match(text, /sockjs_[a-z_]+\(/)) print substr(text, RSTART, RLENGTH - 1) }' \
		"$prefix/include/sockjs.h" | sort
}

says 'what is declared is exported, with a version, and nothing else' \
	"$(exported | grep -v '^SOCKJS_' | sort)" "$(declared | sed 's/$/@@SOCKJS_0.1/')"
says 'each function has a manual page' \
	"$(declared | while read -r name; do [ -s "$prefix/share/man/man3/$name.3" ] || echo "$name"; done)" ''
says 'and is in the overview' \
	"$(declared | while read -r name; do grep -q "^\.It Xr $name 3" "$prefix/share/man/man3/sockjs.3" || echo "$name"; done)" ''
if command -v man >/dev/null; then
	says 'the manual can be set without a warning' \
		"$(cd "$prefix/share/man" && for page in man1/*.1 man3/*.3 man5/*.5 man8/*.8; do man --warnings -l "$page" 2>&1 >/dev/null; done)" ''
fi

# --- the daemon -------------------------------------------------------------------------------

# From elsewhere than where it was built, so that nothing but what is installed is found.
cd "$tmp" || exit 1
serve "$prefix/bin/sockjsd" --demo -l 127.0.0.1:0
says 'the installed sockjsd finds the pages and the client' "$(cat "$tmp/err")" \
	'*www*path=*share/sockjsd/www*stomp_library*path=*share/sockjsd/stomp.umd.min.js*client_library*path=*share/sockjsd/sockjs.min.js*'
says 'and serves a page' "$(ask GET /)" '*200 OK*<html*'
says 'and the client' "$(ask GET /sockjs.min.js)" '*200 OK*a client of SockJS*'
says 'and that of STOMP' "$(ask GET /stomp.umd.min.js)" '*200 OK*a client of STOMP*'
says 'and the page for it' "$(ask GET /stomp.html)" '*200 OK*stomp.umd.min.js*'
says 'and a session' "$(ask POST /echo/0/s/xhr)" '*200 OK*o'
stop
cd - >/dev/null || exit 1

# --- uninstalling -----------------------------------------------------------------------------

"$make" -s uninstall prefix="$prefix" sysconfdir="$tmp/etc" systemdsystemunitdir="$tmp/unit" >/dev/null 2>&1
says 'uninstalling leaves nothing but the configuration' \
	"$(find "$prefix" "$tmp/etc" "$tmp/unit" -type f -o -type l 2>/dev/null)" "$tmp/etc/sockjsd.json"

# --- the tarball ------------------------------------------------------------------------------

tarball() { # UMASK EPOCH: its sum
	(
		umask "$1"
		SOURCE_DATE_EPOCH=$2 XZ_OPT=-0 "$make" -s dist distdir="$tmp/dist/sockjsd-0" >"$tmp/said" 2>&1 &&
			sha256sum <"$tmp/dist/sockjsd-0.tar.xz"
	)
	rm -rf "$tmp/dist"
}

if [ -w "$source" ]; then # make distcheck has made one, and its copy cannot be written
	mkdir -p "$tmp/dist"
	first=$(tarball 022 1000000000)
	mkdir -p "$tmp/dist"
	says 'make dist is the same each time' "$(tarball 077 1000000000)" "${first:-a sum}"
	mkdir -p "$tmp/dist"
	says 'but for another SOURCE_DATE_EPOCH' "$(tarball 022 1000000001)" "!(${first:-x})"
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
