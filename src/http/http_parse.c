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

#include "base/field.h"
#include "base/mem.h"

/* MHD_USE_NO_THREAD_SAFETY of 1.0. The number is part of the ABI: who was built with 0.9.75 may run
 * with 1.0. */
#define NO_THREAD_SAFETY (1u << 19)

#define RUNS_MOST   3    /* for one head */
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
	/* The head in hand, and what it says of it */
	struct bytes head;
	const struct http_frame *frame;
	const struct http_field *fields;
	const char *begin; /* of the head, in its memory */
	size_t field_count;
	bool is_asked, is_served, is_done;
	bool is_other; /* it has found something else */
};

/* It clears its memory for each head, which is most of its work: so most heads go to one that has
 * little, and what does not fit there goes to the other. */
struct http_parser {
	struct lane narrow, wide;
};

/* --- what it tells --------------------------------------------------------------------------- */

/* Whether a text in its memory stands where this one stands in the head. If not, it has put it
 * together itself (a folded value). */
static bool is_same(const struct lane *p, struct bytes text, struct bytes expected)
{
	return text.n == expected.n &&
	       (text.n == 0 || text.p - p->begin == expected.p - p->head.p);
}

/* As it was sent: a length that has blanks behind it got zeros there, too. */
static struct bytes sent_value(const struct lane *p, const struct http_field *field)
{
	struct bytes value = field->value;

	if (value.p == p->head.p + p->frame->length_at)
		value.n = p->frame->length_n;
	return value;
}

static enum MHD_Result on_field(void *arg, enum MHD_ValueKind kind, const char *key,
    size_t key_size, const char *value, size_t value_size)
{
	struct lane *p = arg;
	const struct http_field *expected = p->fields + p->field_count;

	(void)kind;
	if (p->field_count == p->frame->fields ||
	    !is_same(p, (struct bytes){ key, key_size }, expected->name) ||
	    !is_same(p, field_trim((struct bytes){ value, value ? value_size : 0 }),
	        sent_value(p, expected))) {
		p->is_other = true;
		return MHD_NO;
	}
	p->field_count++;
	return MHD_YES;
}

/* The method is the first thing in its memory. */
static void read_head(
    struct lane *p, struct MHD_Connection *mhd, const char *method, const char *version)
{
	const struct http_frame *f = p->frame;

	p->begin = method;
	if (MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size !=
	        f->octets ||
	    strlen(method) != f->target_at - 1 ||
	    version != method + f->target_at + f->target_n + 1)
		p->is_other = true;
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_field, p);
}

/* An answer in the first call would close the lane. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **ctx)
{
	struct lane *p = arg;

	(void)url, (void)upload;
	if (!p->is_asked)
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
static bool send_head(struct lane *p)
{
	char *end = bytes_put(p->copy, p->head);

	if (p->frame->body == HTTP_BODY_LENGTH)
		memset(p->copy + p->frame->length_at, '0', p->frame->length_n);
	else if (p->frame->body == HTTP_BODY_CHUNKED)
		end = bytes_put(end, BYTES(LAST_CHUNK));
	return send(p->fd, p->copy, (size_t)(end - p->copy), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       end - p->copy;
}

/* --- refusals -------------------------------------------------------------------------------- */

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
static bool is_crowded(const struct lane *p)
{
	return p->head.n + p->frame->fields * (size_t)RECORD > p->pool / 2;
}

static struct http_verdict refuse_as_it_did(struct lane *p)
{
	unsigned status = refused_with(p);

	if (status == 431 || status == 413 || status == 414 || (status == 0 && is_crowded(p)))
		return (struct http_verdict){ 431, "The head of the request is too large." };
	if (status == 505)
		return (struct http_verdict){ 505, "This version of HTTP is not supported." };
	return (struct http_verdict){ 400, "The request is malformed." };
}

/* --- a head ---------------------------------------------------------------------------------- */

static void begin(struct lane *p, const char *head, const struct http_frame *frame,
    const struct http_field *fields)
{
	p->head = (struct bytes){ head, frame->octets };
	p->frame = frame;
	p->fields = fields;
	p->field_count = 0;
	p->is_asked = true;
	p->is_served = p->is_done = p->is_other = false;
}

static void run(struct lane *p)
{
	for (unsigned i = 0; i < RUNS_MOST && !p->is_done && !p->is_closed; i++)
		MHD_run(p->mhd);
}

static struct http_verdict ask(struct lane *p)
{
	if ((p->fd < 0 && open_lane(p) < 0) || !send_head(p))
		return (struct http_verdict){ 503, "Out of memory or descriptors." };
	run(p);
	if (!p->is_served || !p->is_done)
		return refuse_as_it_did(p);
	if (p->is_other || p->field_count != p->frame->fields)
		return (struct http_verdict){ 400, "The request is malformed." };
	return (struct http_verdict){ 0 };
}

/* Whatever is not as expected costs the lane; a new one costs less than to wonder. */
static struct http_verdict parse(struct lane *p, const char *head, const struct http_frame *frame,
    const struct http_field *fields)
{
	struct http_verdict v;

	begin(p, head, frame, fields);
	v = ask(p);
	p->is_asked = false;
	if (v.status != 0 || p->is_closed) {
		close_lane(p);
		open_lane(p); /* or else for the next head */
	} else if (++p->unread == ANSWERS) {
		drain(p);
	}
	return v;
}

struct http_verdict http_parse(struct http_parser *p, const char *head,
    const struct http_frame *frame, const struct http_field *fields)
{
	struct http_verdict v = { 431, "The head of the request is too large." };

	if (frame->octets <= NARROW_HEAD)
		v = parse(&p->narrow, head, frame, fields);
	return v.status == 0 ? v : parse(&p->wide, head, frame, fields);
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
	struct http_field host;

	if (http_frame_head(&frame, head, head.n) != HTTP_FRAME_WHOLE)
		return false;
	http_frame_fields(&frame, head.p, &host);
	return parse(p, head.p, &frame, &host).status == 0 &&
	       parse(p, head.p, &frame, &host).status == 0 && !p->is_closed;
}

static int lane_init(struct lane *p, size_t header_bytes, size_t pool)
{
	p->fd = -1;
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
	err = lane_init(&p->narrow, NARROW_HEAD, POOL_NARROW);
	if (err == 0)
		err = lane_init(&p->wide, header_bytes, wide);
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
