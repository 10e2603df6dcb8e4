#!/usr/bin/env bash
#
# bench/peers/rabbitmq.sh DIR PORT DISTRIBUTION NAMES - RabbitMQ with STOMP over WebSocket on PORT, and its data
# in DIR; the other two are free ports that Erlang wants. Apart from any RabbitMQ that runs here already.

set -eu
dir=$1 port=$2 distribution=$3 names=$4
mkdir -p "$dir/db" "$dir/log" "$dir/home"

cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp = none
stomp.listeners.tcp = none
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = $port
web_stomp.tcp.backlog = 4096
log.console = false
log.file.level = warning
CONF
echo '[rabbitmq_stomp,rabbitmq_web_stomp].' >"$dir/enabled_plugins"

export HOME=$dir/home ERL_CRASH_DUMP_SECONDS=0 ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$names RABBITMQ_DIST_PORT=$distribution RABBITMQ_NODENAME=rabbit@localhost
export RABBITMQ_MNESIA_BASE=$dir/db RABBITMQ_LOG_BASE=$dir/log RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
export RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins RABBITMQ_PID_FILE=$dir/rabbit.pid
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'

epmd -port "$names" -address 127.0.0.1 >/dev/null 2>&1 &
epmd=$!
until epmd -port "$names" -names >/dev/null 2>&1; do sleep 0.1; done # or Erlang starts one that stays
/usr/lib/rabbitmq/bin/rabbitmq-server >"$dir/log/out" 2>&1 &
server=$!

# There is nothing in it that would be worth an orderly end, which takes ten seconds.
stop() {
	exec 2>/dev/null
	kill -KILL "$(cat "$dir/rabbit.pid")" "$server" || true
	kill "$epmd" || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 0' TERM INT

# The port accepts before the user is there.
until grep -q 'broker... completed' "$dir/log/out"; do
	kill -0 "$server" 2>/dev/null || { tail -3 "$dir/log/out" >&2; exit 1; }
	sleep 0.2
done
echo "listening on http://127.0.0.1:$port"
wait "$server"
