/*
 * http/http_parse.c - libmicrohttpd as a function; see http_parse.h.
 *
 * Owns: two daemons, and a lane to each.
 */
#include "http/http_parse.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* MHD_USE_NO_THREAD_SAFETY of 1.0. The number is part of the ABI: who was built with 0.9.75 may run
 * with 1.0. */
#define NO_THREAD_SAFETY (1u << 19)

#define RUNS_MOST   3    /* for one head */
#define FIELDS_MOST 512  /* more do not fit into its memory either */
#define ANSWERS     64   /* that the lane holds: each is some 60 octets */
#define POOL_WIDE   16384 /* octets of memory, or twice the longest head */
#define POOL_NARROW 8192
#define NARROW_HEAD 2048 /* octets of a head that may fit there */
#define RECORD      64   /* of its memory, for each field */
#define LAST_CHUNK  "0\r\n\r\n"

/* A daemon of libmicrohttpd and a pair of sockets to it. */
struct lane {
	struct MHD_Daemon *mhd;
	struct MHD_Response *nothing; /* what it answers */
	size_t pool;                  /* its memory for a head */
	int fd;                       /* our end; -1: there is none at present */
	unsigned unread;              /* answers in it */
	bool is_closed;               /* by libmicrohttpd */
	char *copy;                   /* of the head, as it gets it */
	/* What it says of the head in hand */
	struct bytes head;
	const char *begin; /* of the head, in its memory */
	struct http_parsed *parsed;
	size_t octets;
	bool is_served, is_done, is_foreign;
	struct http_field *fields; /* the parser's */
};

/* It clears its memory for each head, which is most of its work: so most heads go to one that has
 * little, and what does not fit there goes to the other. */
struct http_parser {
	struct lane narrow, wide;
	struct http_field fields[FIELDS_MOST];
};

/* --- what it tells --------------------------------------------------------------------------- */

/* A text in its memory, as it stands in the head that was given. What stands elsewhere it has put
 * together itself (a folded value), and is not for us. */
static struct bytes in_head(struct lane *p, const char *text, size_t n)
{
	size_t at = text ? (size_t)(text - p->begin) : 0;

	if (!text || n == 0)
		return (struct bytes){ "", 0 };
	if (text < p->begin || at > p->head.n || n > p->head.n - at)
		p->is_foreign = true;
	return p->is_foreign ? (struct bytes){ "", 0 } : (struct bytes){ p->head.p + at, n };
}

static enum MHD_Result on_field(void *arg, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char *value, size_t value_size)
{
	struct lane *p = arg;
	struct http_parsed *out = p->parsed;

	(void)kind;
	if (out->field_count == FIELDS_MOST)
		return MHD_NO;
	p->fields[out->field_count++] = (struct http_field){ in_head(p, key, key_size),
		in_head(p, value, value_size) };
	return MHD_YES;
}

static void read_head(
    struct lane *p, struct MHD_Connection *mhd, const char *method, const char *version)
{
	struct http_parsed *out = p->parsed;

	p->begin = method;
	p->octets =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
	out->method = in_head(p, method, strlen(method));
	out->version = in_head(p, version, strlen(version));
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, p);
}

/* An answer in the first call would close the lane. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **ctx)
{
	struct lane *p = arg;

	(void)url, (void)upload;
	if (!p->parsed)
		return MHD_NO; /* nobody has asked */
	if (!*ctx) {
		*ctx = p;
		read_head(p, mhd, method, version);
		return MHD_YES;
	}
	if (*upload_size > 0)
		return MHD_NO; /* it was told that there is no body */
	p->is_served = true;
	return MHD_queue_response(mhd, MHD_HTTP_OK, p->nothing);
}

static void on_completed(
    void *arg, struct MHD_Connection *mhd, void **ctx, enum MHD_RequestTerminationCode why)
{
	struct lane *p = arg;

	(void)mhd, (void)ctx;
	p->is_done = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

/* It is about to take the query apart, for which we have no use. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	char *mark = strchr(target, '?');

	(void)arg, (void)mhd;
	if (mark)
		mark[1] = '\0';
	return NULL;
}

/* It would decode the path, and cut it at %00. */
static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
	(void)arg, (void)mhd;
	return strlen(text);
}

/* --- a lane -------------------------------------------------------------------------------- */

/* libmicrohttpd closes its end when it runs. */
static void close_lane(struct lane *p)
{
	if (p->fd >= 0) {
		close(p->fd);
		MHD_run(p->mhd);
	}
	p->fd = -1;
	p->unread = 0;
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct lane *p = arg;

	(void)mhd, (void)context;
	p->is_closed = what == MHD_CONNECTION_NOTIFY_CLOSED;
}

static int open_lane(struct lane *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* It closes its end also on failure */
	if (MHD_add_connection(p->mhd, pair[1], (struct sockaddr *)&sa, sizeof(sa)) != MHD_YES) {
		close(pair[0]);
		return -ENOMEM;
	}
	p->fd = pair[0];
	return 0;
}

static void drain(struct lane *p)
{
	char some[8192];

	while (recv(p->fd, some, sizeof(some), MSG_DONTWAIT) == sizeof(some)) {
	}
	p->unread = 0;
}

/* The head, but that it has no body: zeros for the length, or a last chunk. */
static bool send_head(struct lane *p, struct bytes head, const struct http_frame *frame)
{
	char *end = bytes_put(p->copy, head);

	if (frame->body == HTTP_BODY_LENGTH)
		memset(p->copy + frame->length_at, '0', frame->length_n);
	else if (frame->body == HTTP_BODY_CHUNKED)
		end = bytes_put(end, BYTES(LAST_CHUNK));
	return send(p->fd, p->copy, (size_t)(end - p->copy), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       end - p->copy;
}

/* --- refusals -------------------------------------------------------------------------------- */

static bool refuse(struct http_parsed *out, unsigned status, const char *sentence)
{
	out->status = status;
	out->sentence = sentence;
	return false;
}

/* The status of what it has answered, behind answers to earlier heads; 0: none. */
static unsigned refused_with(struct lane *p)
{
	static const struct bytes start = BYTES("HTTP/1.");
	char text[ANSWERS * 128 + 1];
	ssize_t n = recv(p->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	const char *at = text;
	unsigned status;

	text[n > 0 ? n : 0] = '\0';
	while ((at = strstr(at, start.p)) != NULL) {
		status = (unsigned)strtoul(at + start.n + 2, NULL, 10);
		if (status >= 400 && status < 600)
			return status;
		at += start.n;
	}
	return 0;
}

/* It is silent about most of what does not fit into its memory. */
static bool is_crowded(const struct lane *p, const struct http_frame *frame)
{
	return p->head.n + frame->fields * (size_t)RECORD > p->pool / 2;
}

static bool refuse_as_it_did(struct lane *p, const struct http_frame *frame)
{
	unsigned status = refused_with(p);

	if (status == 431 || status == 413 || status == 414 ||
	    (status == 0 && is_crowded(p, frame)))
		return refuse(p->parsed, 431, "The head of the request is too large.");
	if (status == 505)
		return refuse(p->parsed, 505, "This version of HTTP is not supported.");
	return refuse(p->parsed, 400, "The request is malformed.");
}

/* --- a head ---------------------------------------------------------------------------------- */

static void begin(struct lane *p, struct bytes head, struct http_parsed *out)
{
	*out = (struct http_parsed){ .fields = p->fields };
	p->parsed = out;
	p->head = head;
	p->octets = 0;
	p->is_served = p->is_done = p->is_foreign = false;
}

static void run(struct lane *p)
{
	for (unsigned i = 0; i < RUNS_MOST && !p->is_done && !p->is_closed; i++)
		MHD_run(p->mhd);
}

static bool has_agreed(const struct lane *p, const struct http_frame *frame)
{
	return p->octets == frame->octets && p->parsed->field_count == frame->fields &&
	       !p->is_foreign;
}

/* Between method and version, one blank from each. */
static void find_target(struct http_parsed *out)
{
	out->target.p = out->method.p + out->method.n + 1;
	out->target.n = (size_t)(out->version.p - out->target.p) - 1;
}

static bool read_it(struct lane *p, struct bytes head, const struct http_frame *frame)
{
	struct http_parsed *out = p->parsed;

	if (frame->fields > FIELDS_MOST)
		return refuse(out, 431, "The head of the request is too large.");
	if ((p->fd < 0 && open_lane(p) < 0) || !send_head(p, head, frame))
		return refuse(out, 503, "Out of memory or descriptors.");
	run(p);
	if (!p->is_served || !p->is_done)
		return refuse_as_it_did(p, frame);
	if (!has_agreed(p, frame))
		return refuse(out, 400, "The request is malformed.");
	find_target(out);
	return true;
}

/* Whatever is not as expected costs the lane; a new one costs less than to wonder. */
static bool parse(struct lane *p, struct bytes head, const struct http_frame *frame,
    struct http_parsed *out)
{
	bool ok;

	begin(p, head, out);
	ok = read_it(p, head, frame);
	p->parsed = NULL;
	if (!ok || p->is_closed) {
		close_lane(p);
		open_lane(p); /* or else for the next head */
	} else if (++p->unread == ANSWERS) {
		drain(p);
	}
	return ok;
}

bool http_parse(struct http_parser *p, struct bytes head, const struct http_frame *frame,
    struct http_parsed *out)
{
	return (head.n <= NARROW_HEAD && parse(&p->narrow, head, frame, out)) ||
	       parse(&p->wide, head, frame, out);
}

/* --- life ------------------------------------------------------------------------------------ */

static struct MHD_Daemon *start_daemon(struct lane *p)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
	                 MHD_USE_SUPPRESS_DATE_NO_CLOCK | NO_THREAD_SAFETY;

	/* clang-format off: one option a line */
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, p,
	    MHD_OPTION_URI_LOG_CALLBACK, on_target, p,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, p,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, p,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, p,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, p->pool,
	    MHD_OPTION_CONNECTION_LIMIT, 16u,
	    MHD_OPTION_CONNECTION_TIMEOUT, 0u,
	    MHD_OPTION_END);
	/* clang-format on */
}

/* Twice, for the lane has to serve more than one. */
static bool works(struct lane *p)
{
	static const struct bytes head = BYTES("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
	struct http_frame frame = { 0 };
	struct http_parsed parsed;

	return http_frame_head(&frame, head, head.n) == HTTP_FRAME_WHOLE &&
	       parse(p, head, &frame, &parsed) && parse(p, head, &frame, &parsed) &&
	       !p->is_closed && bytes_equal(parsed.target, BYTES("/a?b=c")) &&
	       bytes_equal(parsed.fields[0].value, BYTES("x"));
}

static int lane_init(struct lane *p, size_t header_bytes, size_t pool, struct http_field *fields)
{
	p->fd = -1;
	p->fields = fields;
	p->pool = pool;
	p->copy = mem_alloc(header_bytes + sizeof(LAST_CHUNK));
	p->nothing = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	p->mhd = p->copy && p->nothing ? start_daemon(p) : NULL;
	if (!p->mhd)
		return -ENOMEM;
	return works(p) ? 0 : -ENOTSUP;
}

static void lane_fini(struct lane *p)
{
	if (p->mhd) {
		close_lane(p);
		MHD_stop_daemon(p->mhd);
	}
	if (p->nothing)
		MHD_destroy_response(p->nothing);
	mem_free(p->copy);
}

int http_parser_new(struct http_parser **out, size_t header_bytes)
{
	size_t wide = 2 * header_bytes > POOL_WIDE ? 2 * header_bytes : POOL_WIDE;
	struct http_parser *p = mem_zalloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = lane_init(&p->narrow, NARROW_HEAD, POOL_NARROW, p->fields);
	if (err == 0)
		err = lane_init(&p->wide, header_bytes, wide, p->fields);
	if (err < 0) {
		http_parser_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void http_parser_free(struct http_parser *p)
{
	if (!p)
		return;
	lane_fini(&p->narrow);
	lane_fini(&p->wide);
	mem_free(p);
}
