/*
 * server/options.h - every option the library has, in one table.
 *
 * The table drives sockjs_options_set(), the JSON configuration of the daemon,
 * --print-config, the error messages and the manual page: a fact about an
 * option stands here and nowhere else.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sockjs.h"

/* Where an option belongs. */
enum option_scope {
	OPTION_SERVER,
	OPTION_LISTENER,
	OPTION_ENDPOINT,
	OPTION_UPSTREAM,
	OPTION_STOMP,
	OPTION_HOOKS,
	OPTION_SCOPES
};

enum option_type {
	OPTION_BOOL,   /* bool */
	OPTION_INT,    /* uint64_t, with min and max */
	OPTION_STRING, /* char *; NULL for null */
	OPTION_LIST,   /* struct string_list; comma-separated as text, an array in JSON */
	OPTION_MODE,   /* uint64_t: file permissions, octal text such as "0660" */
	OPTION_PAIR, /* uint64_t[2], each 0, or from min to max; "10000,0" as text, an array in JSON
	              */
	OPTION_JSON, /* char *: any JSON value, as its text; NULL for null */
};

struct string_list {
	char **items;
	size_t count;
};

/* A deep copy; 0 or -ENOMEM. */
int string_list_dup(struct string_list *out, const char *const *items, size_t count);
void string_list_free(struct string_list *list);
bool string_lists_are_same(const struct string_list *a, const struct string_list *b);

/* What of a value is not for everybody who may see the configuration. */
enum option_hiding {
	HIDE_NOTHING,
	HIDE_VALUE,   /* all of it */
	HIDE_MEMBERS, /* of JSON: members called password or secret, however deep */
	HIDE_IN_URL,  /* of one or a list of them: who asks, before an @, and the query */
};

/* What becomes of a value that is another one when the configuration is read again. */
enum option_reload {
	RELOAD_AT_ONCE, /* it goes for whatever happens from then on */
	RELOAD_NEW,     /* for new sessions; others keep what they began with */
	RELOAD_NEVER,   /* only a restart brings it */
};

/* What may stand behind an item of a list: "ws://a weight=3 backup"; in JSON a member of an object. */
struct option_part {
	const char *name;
	uint64_t min, max; /* of a number */
	bool is_flag;      /* there or not */
};

struct option {
	const char *key; /* dotted path, "websocket.ping_interval_ms"; the unit is its last word */
	enum option_scope scope;
	enum option_type type;
	uint64_t min, max;         /* of a number; of a list: how many items */
	bool or_one;               /* a list that may be one string in JSON, its only item */
	bool or_bool;              /* a string of which true and false may be so in JSON */
	const char *default_value; /* as text; NULL for null or an empty list */
	size_t offset;             /* of the field in the structure of its scope */
	const char *allowed; /* of a string or the items of a list: what valid() accepts, in words;
	                      * without valid() the very words, separated by blanks; NULL: anything.
	                      * Of JSON: what its user makes something of, in words */
	bool (*valid)(const char *item);
	enum option_hiding hiding;
	const char *sentence; /* what it does; used in the manual page */
	const struct option_part *parts; /* of each item of a list, up to one without a name; NULL: none */
	bool has_files;       /* of JSON: a list of objects, whose strings are names of files */
	bool at_once, needs_restart; /* other than is usual in its scope: options_reload() */
	bool is_public;       /* of an address: it means nothing at the internal one */
};

/* All of them, scope by scope; *count of them. */
const struct option *options_table(size_t *count);
const struct option *options_find(const char *key);
/* Whether its value is the name of a file. */
bool options_is_file(const struct option *opt);
/* Whether an endpoint may have this prefix; what is allowed in words. */
bool options_is_prefix(const char *prefix);
#define OPTIONS_PREFIX                                                                             \
	"a path such as /echo in ASCII, without a slash at the end and without blanks and "        \
	". ? # % ; \" < > \\"
/* The unit of a number as its key tells, "milliseconds" or "bytes"; "" if it is a count. */
const char *options_unit(const struct option *opt);
/* What a reload makes of it: options of a server and its addresses go at once, those of endpoints for new
 * sessions, those of a broker stay; unless the table says otherwise. */
enum option_reload options_reload(const struct option *opt);
/* Whether null is a value of it. */
bool options_nullable(const struct option *opt);

struct server_options {
	uint64_t threads;     /* 0: one per core */
	char *www;            /* directory of static pages, or NULL */
	char *client_library; /* file served as /sockjs.min.js (overrides www), or NULL */
	char *stomp_library;  /* likewise, as /stomp.umd.min.js */
	struct string_list trusted_proxies;
	char *proxy_headers; /* "auto", "x_forwarded" or "forwarded" */
	struct string_list allowed_hosts;
	struct string_list internal_allowed_hosts; /* internal.allowed_hosts */
	uint64_t limit_connections;                /* limits.connections */
	uint64_t limit_connection_rate;            /* and so on */
	uint64_t limit_connections_per_address;    /* 0: no limit; so are the next three */
	uint64_t limit_connection_rate_per_address;
	uint64_t limit_sessions_per_address;
	uint64_t limit_handshake_rate_per_address;
	uint64_t limit_ipv4_prefix; /* how much of an address is one client */
	uint64_t limit_ipv6_prefix;
	uint64_t limit_header_bytes; /* limits.header_bytes */
	uint64_t limit_header_timeout_ms;
	uint64_t limit_tls_handshakes; /* limits.tls_handshakes; 0: no limit */
	uint64_t limit_body_timeout_ms;
	uint64_t limit_min_rate;        /* limits.min_bytes_per_second */
	uint64_t limit_memory;          /* limits.memory_bytes; 0: none */
	uint64_t limit_idle_timeout_ms; /* keep-alive without a request */
	char *session_log, *session_log_format; /* session_log.file, a name, "-" or NULL; .format */
	char *access_log, *access_log_format;   /* likewise */
	char *io_uring;                         /* "auto" or "off" */
	uint64_t drain_delay_ms;
	uint64_t drain_ms;
	uint64_t shutdown_timeout_ms;
	uint64_t restart_drain_ms;
	bool ready_needs_backends;  /* internal.ready_needs_backends */
	bool dashboard;             /* internal.dashboard */
	char *token;                /* internal.token */
	char *token_file;           /* internal.token_file: its first line is the token */
	struct string_list client_subjects; /* internal.client_subjects; "*": any */
	struct string_list client_fingerprints;
	uint64_t max_command_bytes; /* internal.max_body_bytes */
	bool peers_sessions;        /* peers.sessions */
	char *peers_address;        /* peers.address; NULL: as one of ours */
	uint64_t peers_timeout_ms;  /* peers.connect_timeout_ms */
	char *peers_cookie;         /* peers.cookie: its name, or NULL */
	char *peers_name;           /* peers.name */
	char *peers_tls_ca;         /* peers.tls.* */
	bool peers_tls_verify;
	char *peers_tls_name;
};

struct listener_options {
	char *protocol;         /* "http" or "stomp" */
	char *endpoint;         /* prefix of the one that "stomp" is for; NULL: HTTP */
	char *tls_certificate;  /* tls.certificate */
	char *tls_key;          /* tls.key */
	char *tls_certificates; /* JSON: further ones, each with its key */
	char *tls_min_version;  /* "1.2" or "1.3" */
	char *tls_ciphers;      /* these three NULL: as we, or OpenSSL, like */
	char *tls_ciphersuites;
	char *tls_groups;
	char *tls_client_ca;
	char *tls_client_certificate;    /* "none", "optional" or "required" */
	uint64_t tls_ticket_lifetime_ms; /* 0: no tickets */
	bool proxy_protocol;             /* connections begin with a proxy's header */
	char *owner, *group;             /* of a unix socket; NULL: as the system says */
	uint64_t mode;                   /* likewise; 0: as umask says */
};

struct endpoint_options {
	struct string_list transports;
	struct string_list allowed_origins; /* empty: same origin; "*": any */
	struct string_list request_headers; /* those an application may see */
	struct string_list subprotocols;    /* chosen by itself when the application does not */
	char *client_url;                   /* the script of the iframe page */
	char *base_url;                     /* told by /info, or NULL */
	char *session_cookie;               /* its name, or NULL: none needed */
	char *session_cookie_secure;        /* "auto", "true" or "false" */
	char *session_cookie_same_site;     /* "auto", "lax", "strict" or "none" */
	bool bind_address;
	bool subpaths;
	uint64_t heartbeat_delay_ms;
	uint64_t disconnect_delay_ms;
	uint64_t response_limit_bytes;
	uint64_t first_message_timeout_ms; /* 0: off */
	uint64_t max_message_bytes;
	uint64_t max_body_bytes;
	uint64_t max_sessions;            /* 0: no limit */
	uint64_t max_messages_per_second; /* of one session; 0: no limit */
	uint64_t max_bytes_per_second;
	uint64_t send_buffer_bytes;
	uint64_t send_timeout_ms;
	bool websocket_compression;
	uint64_t websocket_compression_min_bytes;
	uint64_t websocket_compression_level;
	uint64_t websocket_window_bits;
	bool websocket_context_takeover;
	uint64_t websocket_ping_interval_ms; /* 0: off */
	uint64_t websocket_pong_timeout_ms;
	uint64_t websocket_max_fragments;
	uint64_t websocket_max_messages;
	uint64_t websocket_max_inflation; /* 0: no limit */
	uint64_t websocket_close_timeout_ms;
	char *websocket_prove;          /* these two: "auto", "always" or "never" */
	char *networks_close_delimited;
	char *networks_streams; /* "auto", "long" or "short" */
	bool networks_adapt;
	bool networks_refuse_websocket;
	uint64_t networks_half_life_ms;
	uint64_t networks_first_heartbeat_ms; /* 0: as configured */
	uint64_t networks_ping_unacknowledged_ms; /* 0: never */
};

/* Of an endpoint with the application "upstream", and of the daemon alone. */
struct upstream_options {
	struct string_list url;
	char *balance;
	char *check_kind; /* "none", "http", "websocket" or "tcp" */
	char *check_path; /* NULL: that of the URL */
	struct string_list check_status;
	uint64_t check_interval_ms;
	uint64_t check_timeout_ms;
	uint64_t check_rise;
	uint64_t check_fall;
	char *host;   /* "client", "own", or what stands in the Host header */
	char *origin; /* likewise */
	struct string_list forward_headers;
	char *client_subject_header; /* these two NULL: not said */
	char *client_fingerprint_header;
	bool forward_path;
	struct string_list subprotocols;
	char *binary;
	bool compression;
	bool report_delivery;
	uint64_t open_after_ms; /* 0: never */
	uint64_t connect_timeout_ms;
	uint64_t close_timeout_ms;
	uint64_t ping_interval_ms;
	uint64_t pong_timeout_ms;
	uint64_t send_buffer_bytes;
	uint64_t retry_delay_ms;
	uint64_t retry_delay_max_ms;
	char *tls_ca;
	bool tls_verify;
	char *tls_certificate;
	char *tls_key;
};

/* Of an endpoint with the application "stomp", and of sockjs_broker_new(). */
struct stomp_options {
	char *broker;
	char *access; /* these three: JSON, whose shape is the affair of who reads it */
	char *users;
	char *tokens;
	char *directory; /* that names of files in them are relative to; NULL: the current one */
	char *user_header;
	char *client_certificate; /* "none", "subject" or "fingerprint" */
	char *token_query;
	bool anonymous;
	char *separator;          /* "/" or "." */
	uint64_t heartbeat_ms[2]; /* what we send at least, what we want to get; 0: nothing */
	char *errors;             /* "close" or "keep" */
	uint64_t connect_timeout_ms;
	uint64_t max_headers;
	uint64_t max_line_bytes;
	uint64_t max_head_bytes;
	uint64_t max_body_bytes;
	uint64_t max_subscriptions;
	uint64_t max_transactions;
	uint64_t max_transaction_bytes;
	uint64_t max_sessions_per_user; /* 0: no limit; so are the next three */
	uint64_t max_messages_per_second_per_user;
	uint64_t max_bytes_per_second_per_user;
	uint64_t max_failures_per_minute;
	char *queues; /* "queues" or "topics" */
	uint64_t max_queues;
	uint64_t queue_max_messages;
	uint64_t queue_max_bytes;
	uint64_t queues_max_bytes;
	uint64_t queue_expires_ms; /* 0: never */
	uint64_t max_deliveries;
	char *dead_letters;
	uint64_t prefetch;
	char *history; /* JSON */
	uint64_t history_max_bytes;
	char *journal;      /* a directory; NULL: memory */
	char *journal_sync; /* "always", "interval" or "never" */
	uint64_t journal_interval_ms;
	uint64_t journal_max_bytes;
	bool journal_repair;
	struct string_list conflate;
	struct string_list presence;
	uint64_t presence_max_users;
	uint64_t presence_max_named;
	uint64_t presence_interval_ms;
	struct string_list relay_servers; /* relay.servers; empty: nothing is relayed */
	struct string_list relay_prefixes;
	char *relay_kind; /* "rabbitmq" or "activemq" */
	char *relay_mode; /* "mixed", "shared" or "per-client" */
	char *relay_login, *relay_passcode;
	char *relay_passcode_file;
	char *relay_system_login, *relay_system_passcode; /* NULL: as those */
	char *relay_client_login;                         /* "rewrite" or "pass" */
	uint64_t relay_max_client_links;
	char *relay_vhost;
	struct string_list relay_headers;
	struct string_list relay_streams;
	uint64_t relay_stream_max_bytes;
	char *relay_when_down; /* "close" or "wait" */
	uint64_t relay_links;
	uint64_t relay_queue_bytes;
	uint64_t relay_linger_ms;
	uint64_t relay_max_topics;
	uint64_t relay_max_body_bytes;
	uint64_t relay_heartbeat_ms[2];
	uint64_t relay_connect_timeout_ms;
	uint64_t relay_retry_delay_ms;
	uint64_t relay_retry_delay_max_ms;
	char *relay_tls; /* relay.tls.enabled: "auto", "true" or "false" */
	char *relay_tls_ca;
	bool relay_tls_verify;
	char *relay_tls_name;
	char *relay_tls_certificate;
	char *relay_tls_key;
	char *engine_kind; /* "memory" or "nats"; without the latter the others mean nothing */
	struct string_list engine_servers;
	char *engine_prefix;
	char *engine_user, *engine_password, *engine_password_file;
	char *engine_token, *engine_token_file;
	char *engine_nkey_file;
	char *engine_credentials_file;
	char *engine_lost; /* "refuse" or "local" */
	uint64_t engine_lost_after_ms;
	uint64_t engine_queue_bytes;
	uint64_t engine_max_message_bytes;
	uint64_t engine_connect_timeout_ms;
	uint64_t engine_retry_delay_ms;
	uint64_t engine_retry_delay_max_ms;
	uint64_t engine_ping_interval_ms;
	char *engine_storage; /* "file" or "memory" */
	uint64_t engine_replicas;
	uint64_t engine_stream_bytes;
	char *engine_tls_ca; /* any of these: all servers must speak TLS */
	bool engine_tls_verify;
	char *engine_tls_name;
	char *engine_tls_certificate;
	char *engine_tls_key;
};

/* Of any endpoint, and of the daemon alone: a backend that is asked by HTTP. */
struct hooks_options {
	char *url;
	struct string_list events; /* empty: as the application has it */
	struct string_list destinations;
	char *secret;
	char *secret_file;
	uint64_t timeout_ms;
	uint64_t open_after_ms; /* 0: never */
	uint64_t retries;
	uint64_t max_connections; /* of each reactor, as is the next one */
	uint64_t max_waiting;
	uint64_t max_batch_bytes;
	uint64_t max_answer_bytes;
	char *tls_ca;
	bool tls_verify;
};

#define OPTIONS_MAX 256 /* rows of the table, at most */

struct sockjs_options {
	struct server_options server;
	struct listener_options listener;
	struct endpoint_options endpoint;
	struct upstream_options upstream;
	struct stomp_options stomp;
	struct hooks_options hooks;
	bool is_set[OPTIONS_MAX]; /* by row of the table: given, not just the default */
	char error[512];
};

/* In place, with all defaults; 0 or -ENOMEM. */
int options_init(struct sockjs_options *o);
void options_fini(struct sockjs_options *o);
/* A deep copy, for who keeps them; 0 or -ENOMEM. */
int options_copy(struct sockjs_options *to, const struct sockjs_options *from);
/* Sets in `to` what was set in `from` and is of this scope; the rest of `to` stays. 0 or -ENOMEM.
 */
int options_overlay(
    struct sockjs_options *to, const struct sockjs_options *from, enum option_scope scope);
/* Whether a value is the same in both, whoever has set it. */
bool options_is_same(
    const struct sockjs_options *a, const struct sockjs_options *b, const struct option *opt);
/* Whether all of one scope are. */
bool options_are_same(
    const struct sockjs_options *a, const struct sockjs_options *b, enum option_scope scope);
/* Whether it was given, and is other than it would be anyway. */
bool options_is_said(const struct sockjs_options *o, const struct option *opt);
/* Makes one value of `to` that of `from`, and given where it is given there. 0 or -ENOMEM. */
int options_assign(
    struct sockjs_options *to, const struct sockjs_options *from, const struct option *opt);
/* The first option that was set and is of none of these scopes (1 << OPTION_*); NULL if all are.
 * Who takes a set over refuses what would be ignored. */
const struct option *options_stray(const struct sockjs_options *o, unsigned scopes);
/* Those of this scope are somebody's who has taken them: they are no longer stray. */
void options_taken(struct sockjs_options *o, enum option_scope scope);
/* As sockjs_options_set(), by the row of the table; a NULL value is null. */
int options_set(struct sockjs_options *o, const struct option *opt, const char *value);
/* The same for a list or a pair whose items are apart already. The error names the item by its
 * number. */
int options_set_list(
    struct sockjs_options *o, const struct option *opt, const char *const *items, size_t count);
/* --- items of a list with parts: options_parts.c --- */

/* How long the item is without its parts. */
size_t options_item_len(const char *item);
/* What it is called as a member of an object: the last word of the key. */
const char *options_item_member(const struct option *opt);
/* NULL: there is none of this name. */
const struct option_part *options_find_part(const struct option *opt, const char *name);
/* Whether the item has this part; its number, or 1. */
bool options_item_part(const char *item, const char *name, uint64_t *value);

/* What no single value shows: values of one scope that do not go together. 0 or -EINVAL, with a
 * sentence. Called by who takes the options over: sockjs_server_new(), _add(), _listen(). */
int options_check(struct sockjs_options *o, enum option_scope scope);
/* The same of an address for operators: what means nothing there. */
int options_check_internal(struct sockjs_options *o);
/* What it takes, in words, for messages and the manual: "10 to 86400000 milliseconds". As
 * snprintf(). */
int options_describe(const struct option *opt, char *text, size_t size);
/* The same of a number alone, or of one of a pair. */
int options_describe_item(const struct option *opt, char *text, size_t size);
/* A URL as HIDE_IN_URL has it, with three stars in place of what is hidden. 0 or -ENOMEM. */
struct buf;
int options_print_url(const char *url, struct buf *out);
/* The items of a list. */
const struct string_list *options_list(const struct sockjs_options *o, const struct option *opt);
/* The two numbers of a pair. */
const uint64_t *options_pair(const struct sockjs_options *o, const struct option *opt);
/* One value as text, the way sockjs_options_set() takes it, into `text`; for --print-config.
 * Returns its length (as snprintf() does), or -1 for null. */
int options_get(const struct sockjs_options *o, const struct option *opt, char *text, size_t size);

#endif
