/*
 * tests/wire/websocket.h - the client's side of RFC 6455; see websocket.c.
 */
#ifndef WIRE_WEBSOCKET_H
#define WIRE_WEBSOCKET_H

#include <stdbool.h>

#include "wire/conn.h"
#include "wire/text.h"

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

struct ws_message {
	enum ws_opcode opcode;
	struct text data; /* scratch */
};

struct ws_frame {
	unsigned fin, rsv, opcode; /* rsv: 4, 2, 1 */
	bool masked;
	int width; /* octets of the length: 0 shortest, else 2 or 8 */
	struct text data;
};

/* 24 characters of base64 and a NUL. */
void ws_random_key(char key[25]);

/* What the server must answer to KEY: 28 characters and a NUL. */
void ws_accept(const char *key, char accept[29]);

/* Appends one frame; the mask is random. */
void ws_put_frame(struct text *out, const struct ws_frame *frame);

/*
 * The next whole message or control frame. NULL, or what is wrong, as in http.h.
 * PARTIAL keeps an unfinished message between calls and begins zeroed; malloc'd.
 */
struct ws_partial {
	enum ws_opcode opcode;
	char *p;
	size_t n;
};
const char *ws_read(
    struct conn *c, struct ws_partial *partial, struct ws_message *message, int64_t deadline);

#endif
