/*
 * server/metrics_table.h - all that the server itself tells at /metrics, in one table; what its
 * applications count is said where they count it (sockjs_metric()). doc/metrics.md is made from a
 * scrape, so from here and there.
 */
#ifndef SERVER_METRICS_TABLE_H
#define SERVER_METRICS_TABLE_H

#include <stdint.h>

#include "base/histogram.h"

struct buf;

/* X(NAME, type, labels that its rows have, what it is) */
#define METRICS(X)                                                                                 \
	X(sockjs_build_info, gauge, "version,libmicrohttpd,openssl", "What this is: always 1.")    \
	X(sockjs_sessions, gauge, "", "Sessions open now: their clients were told so.")            \
	X(sockjs_sessions_connecting, gauge, "",                                                   \
	    "Sessions that wait for their application (or its backend) or their 101, now.")        \
	X(sockjs_sessions_opened_total, counter, "", "Sessions opened; a refused one does not.")   \
	X(sockjs_sessions_unopened_total, counter, "",                                             \
	    "Sessions that ended before they opened: refused on hold, or left by their client.")   \
	X(sockjs_sessions_closed_total, counter, "reason",                                         \
	    "Sessions closed that had been open, by the reason of their close.")                   \
	X(sockjs_connect_failures_total, counter, "",                                              \
	    "Sessions that opened and were lost without a sign that their client heard of it: "    \
	    "the mark of a proxy that holds streams back.")                                        \
	X(sockjs_fallbacks_total, counter, "from,to,failure",                                      \
	    "Sessions of clients that had tried another transport in vain, some seconds before, "  \
	    "as far as is known. Counted where there is a log of sessions, or commands are "       \
	    "taken.")                                                                              \
	X(sockjs_networks, gauge, "endpoint",                                                      \
	    "Networks of clients of which something is known: 256 addresses of IPv4, or a /48.")   \
	X(sockjs_network_sessions_total, counter, "endpoint,service",                              \
	    "Sessions asked for, by how they are served for where their client comes from: usual, "\
	    "short_stream, websocket_proved, websocket_refused (these are not opened).")           \
	X(sockjs_network_evidence_total, counter, "endpoint,browser,evidence",                     \
	    "What was seen of networks, by browser. Failures are stream_held, websocket_silent, "  \
	    "websocket_black, websocket_stripped and silence_cut.")                                \
	X(sockjs_network_reached_total, counter, "endpoint,browser,transport",                     \
	    "Sessions whose client was heard, of those that could fall back to another "           \
	    "transport.")                                                                          \
	X(sockjs_network_fallback_seconds, histogram, "",                                          \
	    "Of each of these, how long after the first attempt of its client, as far as it was "  \
	    "seen, it had begun; 0: it was the first.")                                            \
	X(sockjs_endpoint_sessions, gauge, "endpoint",                                             \
	    "Sessions that an endpoint has now; those count that are not open yet, as for "        \
	    "max_sessions.")                                                                       \
	X(sockjs_config_reloads_total, counter, "result",                                          \
	    "How often the configuration was read again: done, failed.")                           \
	X(sockjs_config_last_reload_successful, gauge, "",                                         \
	    "Whether it was good the last time it was read: 1 or 0.")                              \
	X(sockjs_config_last_reload_success_timestamp_seconds, gauge, "",                          \
	    "When the configuration in effect was read, in seconds since 1970.")                   \
	X(sockjs_transport_sessions, gauge, "endpoint,transport",                                  \
	    "Open sessions by what carries them now.")                                             \
	X(sockjs_transport_opened_total, counter, "endpoint,transport",                            \
	    "Sessions opened, by the transport that opened them.")                                 \
	X(sockjs_session_opening_seconds, histogram, "",                                           \
	    "From a request for a session until it is open: how long applications and backends "   \
	    "take to let somebody in.")                                                            \
	X(sockjs_receivers, gauge, "", "Connections that carry a session now.")                    \
	X(sockjs_messages_in_total, counter, "", "Messages from clients.")                         \
	X(sockjs_bytes_in_total, counter, "", "Octets of these.")                                  \
	X(sockjs_messages_out_total, counter, "", "Messages to clients.")                          \
	X(sockjs_bytes_out_total, counter, "", "Octets of these.")                                 \
	X(sockjs_messages_unconfirmed_total, counter, "known",                                     \
	    "Messages accepted for clients that were not known to have arrived when their "        \
	    "session ended, by the most that was known: unsent, sent, acknowledged (by TCP).")     \
	X(sockjs_memory_limit_bytes, gauge, "",                                                    \
	    "limits.memory_bytes: what clients may make the server hold; 0: there is no limit.")   \
	X(sockjs_http_connections, gauge, "", "Connections in the HTTP layer now.")                \
	X(sockjs_http_lingering, gauge, "", "Connections closing now.")                            \
	X(sockjs_connections_limit, gauge, "", "limits.connections.")                              \
	X(sockjs_http_requests_total, counter, "", "HTTP requests.")                               \
	X(sockjs_http_request_seconds, histogram, "",                                              \
	    "From the head of a request to its answer, of those that are answered at once: no "    \
	    "polls, streams, commands or large files.")                                            \
	X(sockjs_http_requests_recognised_total, counter, "",                                      \
	    "HTTP requests whose head was the last one of their connection.")                      \
	X(sockjs_http_heads_known_total, counter, "",                                              \
	    "Heads of HTTP requests like one that libmicrohttpd has read before.")                 \
	X(sockjs_http_bad_requests_total, counter, "",                                             \
	    "HTTP requests refused as malformed, too large or too late.")                          \
	X(sockjs_refusals_total, counter, "reason",                                                \
	    "Connections, requests and sessions refused, by reason.")                              \
	X(sockjs_peers_up, gauge, "",                                                              \
	    "Whether the engine is there by which sessions are shared with other gateways, now.")  \
	X(sockjs_peers_gateways, gauge, "",                                                        \
	    "Gateways that share sessions, with this one; 0: none are shared.")                    \
	X(sockjs_peers_settled, gauge, "",                                                         \
	    "Whether all sessions are where everybody looks for them; else all gateways are asked "\
	    "for each session that is not found.")                                                 \
	X(sockjs_peers_strays, gauge, "", "Sessions here that others would look for elsewhere.")   \
	X(sockjs_peers_hops, gauge, "", "Requests passed on to other gateways, under way now.")    \
	X(sockjs_peers_passed_on_total, counter, "", "Requests passed on to other gateways.")      \
	X(sockjs_peers_received_total, counter, "", "Requests that other gateways have passed on.")\
	X(sockjs_peers_asked_total, counter, "",                                                   \
	    "Requests for which all gateways were asked who has their session.")                   \
	X(sockjs_peers_lost_total, counter, "",                                                    \
	    "Requests for sessions that were at a gateway that is gone.")                          \
	X(sockjs_peers_failures_total, counter, "reason",                                          \
	    "Requests that could not be passed on, or not to their end.")                          \
	X(sockjs_commands_total, counter, "",                                                      \
	    "Commands of the internal address that were answered.")                                \
	X(sockjs_tls_handshakes_under_way, gauge, "", "TLS handshakes that have begun, now.")      \
	X(sockjs_tls_handshakes_total, counter, "", "TLS handshakes done.")                        \
	X(sockjs_tls_resumed_total, counter, "", "TLS handshakes that resumed a session.")         \
	X(sockjs_tls_handshake_seconds, histogram, "", "How long TLS handshakes took.")            \
	X(sockjs_tls_certificate_expiry_seconds, gauge, "certificate",                             \
	    "When the certificate of this file ends, in seconds since 1970.")                      \
	X(sockjs_loop_turn_seconds, histogram, "",                                                 \
	    "How long a thread was busy from waking up to waiting again; 10 ms is much. Of short " \
	    "turns, one in eight is measured and stands for all.")                                 \
	X(sockjs_threads, gauge, "", "Threads that serve clients.")                                \
	X(sockjs_log_lines_total, counter, "log", "Lines written to a log of its own.")            \
	X(sockjs_log_lines_dropped_total, counter, "log",                                          \
	    "Lines of it that were lost: the disk is slow or full.")                               \
	X(process_start_time_seconds, gauge, "",                                                   \
	    "When the server began to run, in seconds since 1970.")                                \
	X(process_cpu_seconds_total, counter, "", "Processor time, also in the kernel.")           \
	X(process_virtual_memory_bytes, gauge, "", "Address space.")                               \
	X(process_resident_memory_bytes, gauge, "", "Memory in use.")                              \
	X(process_max_fds, gauge, "", "Descriptors that may be open.")                             \
	X(process_open_fds, gauge, "", "Descriptors that are open; from Linux 6.2 on.")

enum metric {
#define X(name, type, labels, help) METRIC_##name,
	METRICS(X)
#undef X
};

/* Each appends to `out`; 0 or -ENOMEM. */
/* The head of a metric, before its rows. */
int metric_head(struct buf *out, enum metric m);
/* A row; `labels` as they stand in the braces, or NULL. */
int metric_row(struct buf *out, enum metric m, const char *labels, double value);
/* Head and the one row. */
int metric_print(struct buf *out, enum metric m, double value);
int metric_print_histogram(struct buf *out, enum metric m, const struct histogram *h);
/* A label's value, in which Prometheus wants three characters escaped. */
int metric_label(struct buf *out, const char *text);

#endif
