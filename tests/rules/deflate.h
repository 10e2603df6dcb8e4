/*
 * tests/rules/deflate.h - permessage-deflate (RFC 7692) as a peer of the code under
 * test does it: with zlib, strictly when it inflates, in every style when it deflates.
 */
#ifndef RULES_DEFLATE_H
#define RULES_DEFLATE_H

#include <stdbool.h>

#include "rules/octets.h"

/* What a response has settled. */
struct agreed {
	bool server_no_context_takeover, client_no_context_takeover;
	bool has_server_bits, has_client_bits; /* stood in the response */
	unsigned server_bits, client_bits;     /* of the windows; 15 unless they stood there */
};

/* Reads the value of Sec-WebSocket-Extensions of a response. NULL, or what is wrong with it by
 * itself (RFC 6455 section 9.1, RFC 7692 section 7.1); whether it fits the offer is not asked. */
const char *agreed_parse(struct agreed *a, const char *header);

/* --- compressing: what we send ----------------------------------------------- */

/* How a message is compressed. Zeros: one block by the default strategy, ended by an empty stored
 * block whose last four octets are cut off (section 7.2.1). */
struct style {
	int strategy; /* of zlib: Z_FIXED, ... */
	bool stores;  /* no compression at all */
	size_t block; /* octets of the message in a block; 0: all */
	enum {
		BLOCKS_FLUSHED, /* behind each but the last stand its 00 00 ff ff */
		BLOCKS_JOINED,  /* they follow one another within an octet */
		BLOCKS_FORGET,  /* flushed, and none refers to an earlier one */
		BLOCKS_FINAL,   /* each is the last of a stream, in terms of RFC 1951 */
	} blocks;
	bool keeps_tail; /* the four octets stay where they are */
};

struct squeezer *squeezer_new(unsigned bits, bool forgets);
void squeezer_free(struct squeezer *q);
/* Appends the payload of a compressed message. */
void squeeze(
    struct squeezer *q, struct octets *out, const void *p, size_t n, const struct style *style);

/* --- decompressing: what we receive -------------------------------------------- */

struct inflater *inflater_new(unsigned bits, bool forgets);
void inflater_free(struct inflater *i);
/* Appends the message, up to `max` octets; NULL, or what is wrong. */
const char *inflater_take(
    struct inflater *i, struct octets *out, const void *p, size_t n, size_t max);

#endif
