/*
 * nats/nats_write.c - the lines of a client; see nats_write.h.
 *
 * Room for all of it is reserved first, so the rest cannot fail.
 */
#include "nats/nats_write.h"

#include <errno.h>

#include "nats/nats_subject.h"

enum { DIGITS = 20 };

#define VERSION  BYTES("NATS/1.0\r\n")
#define LINE_END BYTES("\r\n")

/* --- what may stand in a line ------------------------------------------------------- */

static bool is_name(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == ':' || name.p[i] == 0x7f)
			return false;
	return name.n > 0;
}

static bool is_value(struct bytes value)
{
	return value.n == 0 ||
	       (!memchr(value.p, '\r', value.n) && !memchr(value.p, '\n', value.n) &&
	           !memchr(value.p, '\0', value.n));
}

static bool is_valid(const struct nats_message *m)
{
	if (!nats_subject_is_valid(m->subject) ||
	    (m->reply.n > 0 && !nats_subject_is_valid(m->reply)))
		return false;
	for (size_t i = 0; i < m->header_count; i++)
		if (!is_name(m->headers[i].name) || !is_value(m->headers[i].value))
			return false;
	return true;
}

/* --- putting it together ------------------------------------------------------------ */

static char *put_number(char *at, uint64_t number)
{
	char digits[DIGITS];
	size_t n = DIGITS;

	do {
		digits[--n] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return bytes_put(at, (struct bytes){ digits + n, DIGITS - n });
}

static char *put_blank(char *at)
{
	*at = ' ';
	return at + 1;
}

static size_t headers_size(const struct nats_message *m)
{
	size_t n = VERSION.n + LINE_END.n;

	if (m->header_count == 0)
		return 0;
	for (size_t i = 0; i < m->header_count; i++)
		n += m->headers[i].name.n + 2 + m->headers[i].value.n + LINE_END.n;
	return n;
}

size_t nats_message_size(const struct nats_message *m)
{
	return headers_size(m) + m->payload.n;
}

static char *put_headers(char *at, const struct nats_message *m)
{
	at = bytes_put(at, VERSION);
	for (size_t i = 0; i < m->header_count; i++) {
		at = bytes_put(at, m->headers[i].name);
		at = bytes_put(at, BYTES(": "));
		at = bytes_put(at, m->headers[i].value);
		at = bytes_put(at, LINE_END);
	}
	return bytes_put(at, LINE_END);
}

static char *put_line(char *at, const struct nats_message *m, size_t headers)
{
	at = bytes_put(at, headers ? BYTES("HPUB ") : BYTES("PUB "));
	at = put_blank(bytes_put(at, m->subject));
	if (m->reply.n > 0)
		at = put_blank(bytes_put(at, m->reply));
	if (headers)
		at = put_blank(put_number(at, headers));
	at = put_number(at, headers + m->payload.n);
	return bytes_put(at, LINE_END);
}

static int commit(struct buf *out, const char *end)
{
	buf_commit(out, (size_t)(end - (out->data + out->end)));
	return 0;
}

int nats_write_publish(struct buf *out, const struct nats_message *m)
{
	size_t headers = headers_size(m);
	char *at;

	if (!is_valid(m))
		return -EINVAL;
	at = buf_reserve(out, sizeof("HPUB    \r\n\r\n") + 2 * DIGITS + m->subject.n + m->reply.n +
	                          headers + m->payload.n);
	if (!at)
		return -ENOMEM;
	at = put_line(at, m, headers);
	if (headers)
		at = put_headers(at, m);
	at = bytes_put(at, m->payload);
	return commit(out, bytes_put(at, LINE_END));
}

int nats_write_subscribe(struct buf *out, struct bytes subject, struct bytes queue, uint64_t sid)
{
	char *at;

	if (!nats_pattern_is_valid(subject) || (queue.n > 0 && !nats_subject_is_valid(queue)))
		return -EINVAL;
	at = buf_reserve(out, sizeof("SUB   \r\n") + DIGITS + subject.n + queue.n);
	if (!at)
		return -ENOMEM;
	at = put_blank(bytes_put(bytes_put(at, BYTES("SUB ")), subject));
	if (queue.n > 0)
		at = put_blank(bytes_put(at, queue));
	return commit(out, bytes_put(put_number(at, sid), LINE_END));
}

int nats_write_unsubscribe(struct buf *out, uint64_t sid, uint64_t max)
{
	char *at = buf_reserve(out, sizeof("UNSUB  \r\n") + 2 * DIGITS);

	if (!at)
		return -ENOMEM;
	at = put_number(bytes_put(at, BYTES("UNSUB ")), sid);
	if (max > 0)
		at = put_number(put_blank(at), max);
	return commit(out, bytes_put(at, LINE_END));
}

int nats_write_ping(struct buf *out)
{
	return buf_add_str(out, "PING\r\n");
}

int nats_write_pong(struct buf *out)
{
	return buf_add_str(out, "PONG\r\n");
}

int nats_write_connect(struct buf *out, struct bytes json)
{
	char *at;

	if (!is_value(json))
		return -EINVAL;
	at = buf_reserve(out, sizeof("CONNECT \r\n") + json.n);
	if (!at)
		return -ENOMEM;
	at = bytes_put(bytes_put(at, BYTES("CONNECT ")), json);
	return commit(out, bytes_put(at, LINE_END));
}
