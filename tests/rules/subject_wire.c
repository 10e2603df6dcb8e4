/*
 * tests/rules/subject_wire.c - a server on a socket as what is tested; see subject.h.
 *
 * Between the pieces of a cut script it rests for a moment, so that they are not
 * read in one go; whether they are is the kernel's choice.
 */
#include "rules/subject.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "rules/cut.h"
#include "wire/http.h"
#include "wire/text.h"
#include "wire/websocket.h"

enum { AT_ONCE = 1 << 18 }; /* what has to leave while one's patience lasts */

static void rest_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000 }, NULL);
}

/* Whoever refuses or fails the connection need not read all: what he said comes first. */
static void send_all(struct conn *c, const struct octets *all, struct cutter *cutter, int patience)
{
	for (size_t at = 0, n; at < all->n; at += n) {
		n = cut_next(cutter, all->n - at);
		if (n > AT_ONCE)
			n = AT_ONCE;
		if (conn_send(c, all->p + at, n, now_ms() + patience) < 0)
			return;
		if (cutter->cut != CUT_NOT)
			rest_a_moment();
	}
}

/* --- the opening handshake ------------------------------------------------------ */

/* The only line of that name; NULL if there is none, or two. */
static const char *only(const struct http_response *r, const char *name)
{
	int at = -1;
	const char *value = http_header(r, name, &at);

	return value && !http_header(r, name, &at) ? value : NULL;
}

static bool is_right(const char *value, const char *expected)
{
	return value && strcasecmp(value, expected) == 0;
}

/* RFC 6455 section 4.2.2 */
static const char *check_upgrade(const struct http_response *r, const char *key)
{
	char nonce[25], accept[29];
	const char *value = only(r, "Sec-WebSocket-Accept");

	snprintf(nonce, sizeof(nonce), "%s", key);
	ws_accept(nonce, accept);
	scratch_reset();
	if (!value || strcmp(value, accept) != 0)
		return "the accept key is wrong";
	if (!is_right(only(r, "Upgrade"), "websocket"))
		return "Upgrade is not websocket";
	if (!is_right(only(r, "Connection"), "Upgrade"))
		return "Connection is not Upgrade";
	if (http_header(r, "Sec-WebSocket-Protocol", NULL))
		return "a subprotocol is confirmed";
	if (http_header(r, "Content-Length", NULL) || http_header(r, "Transfer-Encoding", NULL))
		return "the upgrade has a body";
	return NULL;
}

static const char *check_status(const struct opening *o, const struct http_response *r)
{
	static char said[80];
	size_t i = 0;

	while (i < STATUSES_MAX && o->statuses[i] && o->statuses[i] != (unsigned)r->status)
		i++;
	if (i < STATUSES_MAX && o->statuses[i])
		return NULL;
	if (!o->statuses[0] && r->status != 101)
		return NULL;
	snprintf(said, sizeof(said), "expected status %u, got %d",
	    o->statuses[0] ? o->statuses[0] : 400, r->status);
	return said;
}

static const char *check_response(const struct opening *o, const struct http_response *r)
{
	const char *wrong = check_status(o, r);

	if (wrong)
		return wrong;
	if (r->status == 101)
		return check_upgrade(r, o->key);
	if (r->status == 426 && !is_right(only(r, "Sec-WebSocket-Version"), "13"))
		return "426 that does not tell of version 13";
	if (r->status == 405 && !only(r, "Allow"))
		return "405 that does not tell what is allowed";
	return NULL;
}

static char *join_extensions(const struct http_response *r)
{
	struct octets o = { 0 };
	const char *value;
	int at = -1;

	while ((value = http_header(r, "Sec-WebSocket-Extensions", &at))) {
		if (o.n)
			octets_add(&o, ", ", 2);
		octets_add(&o, value, strlen(value));
	}
	if (o.p)
		octets_add(&o, "", 1);
	return (char *)o.p;
}

static const char *read_response(struct opened *w, const struct opening *o, int patience)
{
	bool head = o->request.n > 5 && memcmp(o->request.p, "HEAD ", 5) == 0;
	struct http_response r = { 0 };
	const char *wrong = http_read_head(&r, &w->conn, head, now_ms() + patience);
	bool ended = wrong == http_closed || wrong == http_reset;

	if (ended && !o->statuses[0]) /* whatever is no upgrade is right */
		wrong = NULL;
	else if (!wrong)
		wrong = check_response(o, &r);
	w->status = (unsigned)r.status;
	w->extensions = join_extensions(&r);
	http_free(&r);
	return wrong;
}

const char *wire_open(struct opened *w, const struct address *to, const struct opening *opening,
    enum cut cut, uint32_t seed, int patience)
{
	struct cutter cutter = { .cut = cut, .seed = seed };

	*w = (struct opened){ 0 };
	conn_init(&w->conn);
	if (conn_open(&w->conn, to, now_ms() + patience) < 0)
		return "cannot connect";
	send_all(&w->conn, &opening->request, &cutter, patience);
	return read_response(w, opening, patience);
}

void wire_close(struct opened *w)
{
	conn_close(&w->conn);
	free(w->conn.in);
	free(w->extensions);
}

/* --- the conversation -------------------------------------------------------------- */

void wire_play(struct outcome *o, struct opened *w, const struct script *s, enum cut cut,
    uint32_t seed, int patience)
{
	struct cutter cutter = { .cut = cut, .seed = seed };
	struct conn *c = &w->conn;
	int n;

	*o = (struct outcome){ .end = STILL_OPEN };
	send_all(c, &s->sent, &cutter, patience);
	if (s->ending == BREAKS)
		conn_shutdown(c);
	while ((n = conn_fill(c, now_ms() + patience)) > 0)
		continue;
	o->end = n == 0 ? ENDED : n == -ETIMEDOUT ? SILENT : RESET;
	octets_add(&o->got, conn_bytes(c), c->len);
}
