/*
 * tests/fuzz/fuzz_ws_deflate.c - whatever is compressed comes back as it was, with
 * every setting; and whatever is inflated stays within its limit.
 *
 * Input: one octet of window bits and takeover, one of level, one of how the rest
 * is cut into messages; then the rest.
 */
#include "ws/ws_deflate.h"

#include <stdlib.h>
#include <string.h>

#include "ws/ws_negotiation.h"
#include "tests/fuzz/must.h"

enum { LIMIT = 10000, TAKEOVER = 8 };

static void there_and_back(
    const struct ws_deflate_how *how, struct ws_deflate *reader, const char *p, size_t n)
{
	char *out = malloc(n + WS_DEFLATE_ROOM);
	struct ws_inflated back = { 0 };
	ssize_t len = ws_deflate(how, p, n, out);

	must(len >= 0 && (len == 0 || (size_t)len < n));
	if (len > 0) {
		must(
		    ws_inflate(reader, how->takes_over, out, (size_t)len, n, SIZE_MAX, &back) == 0);
		must(back.n == n && memcmp(back.p, p, n) == 0);
		ws_inflated_done(reader, &back);
	}
	free(out);
}

static void inflate_anything(struct ws_deflate *reader, const char *p, size_t n)
{
	struct ws_inflated out = { 0 };

	if (ws_inflate(reader, false, p, n, LIMIT, SIZE_MAX, &out) < 0)
		return;
	must(out.n <= LIMIT);
	ws_inflated_done(reader, &out);
}

/* The header is text: what is agreed on is answered with something a client takes. */
static void negotiate(const char *p, size_t n)
{
	static const struct ws_deflate_config config = { true, true, 12, 1, 1 };
	struct ws_request_header header = { BYTES("Sec-WebSocket-Extensions"), { p, n } };
	struct ws_request req = { .headers = &header, .header_count = 1 };
	struct ws_deflate_params params;
	char answer[WS_EXTENSIONS_MAX];

	if (ws_deflate_negotiate(&req, &config, &params) < 0 || !params.agreed)
		return;
	must(params.server_max_window_bits >= 8 && params.server_max_window_bits <= 12);
	must(params.client_max_window_bits >= 8 && params.client_max_window_bits <= 15);
	ws_deflate_response(&params, answer);
	header.value = bytes_of(answer);
	must(ws_deflate_accept(&req, &config, &params) == 0 ||
	     !strstr(answer, "server_max_window_bits"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data + 3;
	struct ws_deflate *writer, *reader;
	struct ws_deflate_how how;

	if (n < 3)
		return 0;
	n -= 3;
	writer = ws_deflate_new();
	reader = ws_deflate_new();
	how = (struct ws_deflate_how){ writer, (uint8_t)(8 + data[0] % 8),
		(uint8_t)(1 + data[1] % 9), (data[0] & TAKEOVER) && data[0] % 8, 1, NULL };
	for (size_t at = 0, piece; at < n; at += piece) {
		piece = 1 + data[2] * 16u;
		piece = piece < n - at ? piece : n - at;
		there_and_back(&how, reader, p + at, piece);
	}
	inflate_anything(reader, p, n);
	negotiate(p, n);
	ws_deflate_free(writer);
	ws_deflate_free(reader);
	return 0;
}
