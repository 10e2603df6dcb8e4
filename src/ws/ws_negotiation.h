/*
 * ws/ws_negotiation.h - Sec-WebSocket-Extensions: which extension, with which
 * parameters (RFC 6455 section 9.1, RFC 7692 sections 5 and 7.1). Both roles, no I/O.
 */
#ifndef WS_NEGOTIATION_H
#define WS_NEGOTIATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/ws_handshake.h"

/* What we want of permessage-deflate. */
struct ws_deflate_config {
	bool enabled;
	bool context_takeover; /* a message may refer to those before: denser, and each connection
	                        * needs memory of its own in both directions */
	uint8_t window_bits;   /* 9 to 15: for what we send; with takeover for both directions */
	uint8_t level;         /* of compression, 1 to 9 */
	size_t min_bytes;      /* shorter messages go as they are */
};

/* What was agreed (RFC 7692 section 7.1). */
struct ws_deflate_params {
	bool agreed;
	bool server_no_context_takeover;
	bool client_no_context_takeover;
	uint8_t server_max_window_bits; /* 8 to 15 */
	uint8_t client_max_window_bits;
	bool says_server_bits; /* whether the response names them */
	bool says_client_bits;
};

#define WS_EXTENSIONS_MAX 160 /* longest text of an offer or a response, with its NUL */

/* Server: takes the first acceptable offer of permessage-deflate of all that the request makes;
 * offers that are not, and other extensions, are passed over. 0, also if nothing was agreed;
 * -EPROTO: a Sec-WebSocket-Extensions header is malformed (answer 400). */
int ws_deflate_negotiate(const struct ws_request *req, const struct ws_deflate_config *config,
    struct ws_deflate_params *params);
/* The value of the response's header; params->agreed. */
void ws_deflate_response(const struct ws_deflate_params *params, char out[WS_EXTENSIONS_MAX]);

/* Client: the value of the request's header. */
void ws_deflate_offer(const struct ws_deflate_config *config, char out[WS_EXTENSIONS_MAX]);
/* Reads the response to that offer. 0, also if the server agreed to nothing; -EPROTO: it answered
 * what was not offered, and the connection has to be failed. */
int ws_deflate_accept(const struct ws_request *response, const struct ws_deflate_config *config,
    struct ws_deflate_params *params);

#endif
