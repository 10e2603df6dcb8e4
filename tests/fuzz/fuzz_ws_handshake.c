/*
 * tests/fuzz/fuzz_ws_handshake.c - requests of every kind against the opening
 * handshake, which must give one of its answers, a whole one, and the same if a
 * list is spread over more lines or headers of no concern stand in between.
 *
 * Input: one octet of settings, then lines "name: value\n".
 */
#include "ws/ws_handshake.h"
#include "tests/fuzz/must.h"

#include <stdlib.h>
#include <string.h>

enum { HTTP_1_0 = 1, POST = 2 }; /* bits of the settings */
enum { HEADERS_MAX = 32 };

struct request {
	struct ws_request req;
	struct ws_request_header headers[2 * HEADERS_MAX];
};

static struct ws_request_header read_line(const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	size_t name = colon ? (size_t)(colon - p) : n;

	if (!colon)
		return (struct ws_request_header){ { p, n }, { NULL, 0 } };
	return (struct ws_request_header){ { p, name }, { colon + 1, n - name - 1 } };
}

static void read_request(struct request *r, unsigned settings, const char *p, size_t n)
{
	memset(r, 0, sizeof(*r));
	r->req.method = settings & POST ? BYTES("POST") : BYTES("GET");
	r->req.http_1_1 = !(settings & HTTP_1_0);
	r->req.headers = r->headers;
	while (n > 0 && r->req.header_count < HEADERS_MAX) {
		const char *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		r->headers[r->req.header_count++] = read_line(p, len);
		len += end != NULL;
		p += len;
		n -= len;
	}
}

/* The same request with a stranger between each two headers, and lists cut at their first comma. */
static void spread(struct request *to, const struct request *from)
{
	to->req = from->req;
	to->req.headers = to->headers;
	to->req.header_count = 0;
	for (size_t i = 0; i < from->req.header_count; i++) {
		struct ws_request_header h = from->headers[i], rest = { BYTES("X"), BYTES("13") };
		const char *comma = h.value.n > 0 ? memchr(h.value.p, ',', h.value.n) : NULL;
		bool is_list = bytes_equal_nocase(h.name, BYTES("Upgrade")) ||
		               bytes_equal_nocase(h.name, BYTES("Connection")) ||
		               bytes_equal_nocase(h.name, BYTES("Sec-WebSocket-Protocol"));

		if (is_list && comma) {
			size_t first = (size_t)(comma - h.value.p);

			rest = (struct ws_request_header){ h.name, { comma, h.value.n - first } };
			h.value.n = first;
		}
		to->headers[to->req.header_count++] = h;
		to->headers[to->req.header_count++] = rest;
	}
}

static void check_tokens(const struct ws_subprotocols *offers)
{
	for (size_t i = 0; i < offers->count; i++) {
		struct bytes token = offers->tokens[i];

		must(token.n > 0 && !memchr(token.p, ',', token.n) &&
		     !memchr(token.p, ' ', token.n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct request request, again;
	struct ws_verdict v, w;
	struct ws_subprotocols offers, offers_again;

	if (n < 1)
		return 0;
	read_request(&request, p[0], (const char *)p + 1, n - 1);
	spread(&again, &request);
	v = ws_handshake_check(&request.req, &offers);
	w = ws_handshake_check(&again.req, &offers_again);
	must(v.status == w.status && v.sentence == w.sentence && strcmp(v.accept, w.accept) == 0);
	must(v.status == 101 || v.status == 400 || v.status == 405 || v.status == 426);
	must((v.status == 101) == (v.sentence == NULL));
	must(strlen(v.accept) == (v.status == 101 ? WS_ACCEPT_LEN : 0));
	must(v.status != 101 ||
	     (request.req.http_1_1 && bytes_equal(request.req.method, BYTES("GET"))));
	must(ws_subprotocols_read(&request.req, &offers) ==
	     ws_subprotocols_read(&again.req, &offers_again));
	must(offers.count == offers_again.count);
	check_tokens(&offers);
	return 0;
}
