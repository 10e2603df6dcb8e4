/*
 * http/http_known.h - heads that both readers have read before (http_frame.h, http_parse.h).
 *
 * Browsers of one kind send the same head over and over, but for the target, the length of the
 * body, the key of a WebSocket, and what a proxy says of each client. In these places (gaps) only
 * characters are let through that mean nothing to any reader of a head. Of the rest a keyed hash is
 * kept once the second reader has agreed; it need not be asked about such a head again.
 */
#ifndef HTTP_KNOWN_H
#define HTTP_KNOWN_H

#include "http/http_frame.h"
#include "http/http_memo.h"

#define HTTP_KNOWN_HEADS 512 /* a power of two; a new one may take the place of another */

struct http_known {
	uint64_t heads[HTTP_KNOWN_HEADS][2];
};

/* The hash of a head without its gaps. False: it is not for recognising, for it is long, or has
 * something in a gap that is more than plain. */
bool http_known_hash(const struct http_memo_key *key, const char *head,
    const struct http_frame *frame, const struct http_field *fields, uint64_t hash[2]);
bool http_known_has(const struct http_known *k, const uint64_t hash[2]);
void http_known_add(struct http_known *k, const uint64_t hash[2]);

#endif
