/*
 * http/http_memo.h - recognises a request whose head was read before.
 *
 * Of a head that was read and has passed all checks, its length and a keyed hash are kept.
 * Another head is the same if it is byte for byte the same, but for two gaps: the query
 * (sockjs-client puts the time there), and the digits of Content-Length.
 */
#ifndef HTTP_MEMO_H
#define HTTP_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A secret: who knows it could make two heads that are taken for one. */
struct http_memo_key {
	uint64_t k0, k1;
};

struct http_memo {
	uint64_t hash[2];
	uint16_t octets; /* of the head without its gaps; 0: nothing is remembered */
	uint16_t query;  /* where the query stood; 0: there was no question mark */
	uint16_t length; /* where the digits of Content-Length stood, the query left out; or 0 */
};

#define HTTP_MEMO_MAX 4096 /* octets of a head worth remembering */

/* Where the gaps of a head are. Offset 0: there is no such gap. */
struct http_shape {
	uint32_t head; /* octets, with the gaps */
	uint32_t query_at, query_n;
	uint32_t digits_at, digits_n;
};

/* False: this head is not for remembering (it is long, or there is more in its query than
 * a plain parameter has). */
bool http_memo_make(struct http_memo *m, const struct http_memo_key *key, const char *head,
    const struct http_shape *shape);
/* Whether the bytes are one whole request, nothing more, with the head that is remembered. */
bool http_memo_matches(const struct http_memo *m, const struct http_memo_key *key, struct bytes raw,
    struct bytes *query, struct bytes *body);

/* SipHash-2-4 with 128 bits. */
void http_memo_hash(const struct http_memo_key *key, struct bytes text, uint64_t hash[2]);

#endif
