/*
 * ws/ws_handshake.h - the opening handshake (RFC 6455 section 4), without I/O:
 * decides on a request's headers, names the status code of a refusal, computes
 * the accept key, picks a subprotocol.
 */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define WS_ACCEPT_LEN 28

/* The headers that matter. Each may have come on several lines. */
struct ws_request_header {
	struct bytes name;
	struct bytes value;
};

struct ws_request {
	struct bytes method;
	bool http_1_1; /* HTTP/1.1 or later */
	const struct ws_request_header *headers;
	size_t header_count;
};

/* The next line named `name` at or after *i, which moves behind it; its value without the blanks
 * around it. False at the end. Begin with *i = 0. */
bool ws_request_next(
    const struct ws_request *req, struct bytes name, size_t *i, struct bytes *value);
/* The value of a header that may stand only once. Lines found: 0, 1, or 2 for more. */
int ws_request_only(const struct ws_request *req, struct bytes name, struct bytes *value);
/* Whether `token` stands, in any case, in the comma-separated list of all lines named `name`. */
bool ws_request_has(const struct ws_request *req, struct bytes name, struct bytes token);
/* How many octets at the beginning of b are those of a token (RFC 9110 section 5.6.2). */
size_t ws_token_length(struct bytes b);

#define WS_SUBPROTOCOLS_MAX 64

/* What all Sec-WebSocket-Protocol lines together name, in their order. */
struct ws_subprotocols {
	struct bytes tokens[WS_SUBPROTOCOLS_MAX];
	size_t count;
};

struct ws_verdict {
	unsigned status;      /* 101, or the refusal: 400, 405 (+ Allow: GET),
	                       * 426 (+ Sec-WebSocket-Version: 13), 500 (out of memory) */
	const char *sentence; /* what is wrong; NULL for 101 */
	char accept[WS_ACCEPT_LEN + 1];
};

/* Order of checks: method (405), HTTP version and Host (400), Upgrade and Connection tokens (400),
 * version (426; also when missing or empty, but 400 if it stands twice with different values), key
 * (400), subprotocol list (400, also for more than there is room for). Token lists may be spread
 * over lines, in any case, with empty elements. */
struct ws_verdict ws_handshake_check(
    const struct ws_request *req, struct ws_subprotocols *subprotocols);

/* The accept key for a Sec-WebSocket-Key (section 4.2.2); `out` gets WS_ACCEPT_LEN characters and
 * NUL. 0, -EINVAL if the key has not 24 characters, -ENOMEM if the hash is not to be had. */
int ws_accept_key(char out[WS_ACCEPT_LEN + 1], struct bytes key);

/* Reads them. 0; -EPROTO if a list is malformed; -E2BIG if they are too many. */
int ws_subprotocols_read(const struct ws_request *req, struct ws_subprotocols *out);

#endif
