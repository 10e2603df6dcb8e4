/*
 * tests/wire/websocket.c - the client's side of RFC 6455.
 *
 * Writes any frame, legal or not; reads strictly: no masks, no reserved
 * bits, shortest lengths, short whole control frames, UTF-8 in texts and in
 * the reasons of Close.
 */
#include "wire/websocket.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http.h"

void ws_random_key(char key[25])
{
	unsigned char nonce[16];

	RAND_bytes(nonce, sizeof(nonce));
	EVP_EncodeBlock((unsigned char *)key, nonce, sizeof(nonce));
}

void ws_accept(const char *key, char accept[29])
{
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct text t = { 0 };

	text_add(&t, key, strlen(key));
	text_add(&t, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	SHA1((const unsigned char *)t.p, t.n, digest);
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
}

static size_t put_length(unsigned char *p, size_t n, int width)
{
	size_t i, octets = 0;

	if (width == 8 || n > 65535)
		octets = 8;
	else if (width == 2 || n > 125)
		octets = 2;
	p[0] = (unsigned char)(octets == 8 ? 127 : octets == 2 ? 126 : n);
	for (i = 0; i < octets; i++)
		p[1 + i] = (unsigned char)(n >> 8 * (octets - 1 - i));
	return 1 + octets;
}

void ws_put_frame(struct text *out, const struct ws_frame *frame)
{
	unsigned char head[14], mask[4] = { 0 };
	size_t i, n = 1, at;

	head[0] = (unsigned char)(frame->fin << 7 | frame->rsv << 4 | frame->opcode);
	n += put_length(head + 1, frame->data.n, frame->width);
	if (frame->masked) {
		head[1] |= 0x80;
		RAND_bytes(mask, sizeof(mask));
		memcpy(head + n, mask, sizeof(mask));
		n += sizeof(mask);
	}
	text_add(out, head, n);
	at = out->n;
	text_add(out, frame->data.p, frame->data.n);
	for (i = 0; i < frame->data.n; i++)
		out->p[at + i] = (char)(out->p[at + i] ^ mask[i & 3]);
}

/* Well-formed UTF-8 (RFC 3629): no surrogates, nothing overlong or above U+10FFFF. */
static bool is_utf8(const unsigned char *p, size_t n)
{
	static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *end = p + n;
	unsigned long c;
	int more, i;

	while (p < end) {
		c = *p++;
		if (c < 0x80)
			continue;
		more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		if (c < 0xc0 || c > 0xf7 || end - p < more)
			return false;
		c &= 0x3fu >> more;
		for (i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < least[more] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
			return false;
	}
	return true;
}

static const char *check_head(const unsigned char *h)
{
	unsigned opcode = h[0] & 15;

	if (h[0] & 0x70)
		return "a frame with a reserved bit";
	if (h[1] & 0x80)
		return "a masked frame from the server";
	if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
		return "a frame with a reserved opcode";
	if (opcode >= WS_CLOSE && (!(h[0] & 0x80) || h[1] > 125))
		return "a control frame that is long or fragmented";
	return NULL;
}

static const char *io_error(int n)
{
	if (n == -ETIMEDOUT)
		return http_timeout;
	return n == -ENODATA ? http_closed : http_reset;
}

/* Leaves the payload at the front of the received bytes, its length in *N. */
static const char *read_head(struct conn *c, unsigned *first, size_t *n, int64_t deadline)
{
	int err = conn_need(c, 2, deadline), i, octets;
	const char *wrong;
	const unsigned char *h;

	if (err)
		return io_error(err);
	wrong = check_head(conn_bytes(c));
	if (wrong)
		return wrong;
	*n = conn_bytes(c)[1];
	octets = *n == 126 ? 2 : *n == 127 ? 8 : 0;
	err = conn_need(c, (size_t)(2 + octets), deadline);
	if (err)
		return io_error(err);
	h = conn_bytes(c);
	*first = h[0];
	for (i = 0, *n = octets ? 0 : *n; i < octets; i++)
		*n = *n << 8 | h[2 + i];
	if ((octets == 2 && *n < 126) || (octets == 8 && *n < 65536))
		return "a length that is not the shortest";
	conn_consume(c, (size_t)(2 + octets));
	err = conn_need(c, *n, deadline);
	return err ? io_error(err) : NULL;
}

static const char *check_message(const struct ws_message *m)
{
	const unsigned char *p = (const unsigned char *)m->data.p;

	if (m->opcode == WS_TEXT && !is_utf8(p, m->data.n))
		return "a text message that is not UTF-8";
	if (m->opcode == WS_CLOSE && m->data.n == 1)
		return "a Close with one octet";
	if (m->opcode == WS_CLOSE && m->data.n && !is_utf8(p + 2, m->data.n - 2))
		return "a Close whose reason is not UTF-8";
	return NULL;
}

static void append(struct ws_partial *partial, const void *bytes, size_t n)
{
	partial->p = realloc(partial->p, partial->n + n + 1);
	if (!partial->p)
		abort();
	memcpy(partial->p + partial->n, bytes, n);
	partial->n += n;
}

const char *ws_read(
    struct conn *c, struct ws_partial *partial, struct ws_message *message, int64_t deadline)
{
	const char *wrong;
	unsigned first, opcode;
	size_t n;

	memset(message, 0, sizeof(*message));
	for (;;) {
		wrong = read_head(c, &first, &n, deadline);
		if (wrong)
			return wrong;
		opcode = first & 15;
		if (opcode >= WS_CLOSE) {
			message->opcode = opcode;
			text_add(&message->data, conn_bytes(c), n);
			conn_consume(c, n);
			return check_message(message);
		}
		if (!opcode == !partial->opcode)
			return "a continuation without a beginning, or the other way round";
		if (opcode)
			partial->opcode = opcode;
		append(partial, conn_bytes(c), n);
		conn_consume(c, n);
		if (first & 0x80)
			break;
	}
	message->opcode = partial->opcode;
	text_add(&message->data, partial->p, partial->n);
	free(partial->p);
	memset(partial, 0, sizeof(*partial));
	return check_message(message);
}
