/*
 * bench/load/websocket.h - the client's side of RFC 6455, as far as it is needed.
 */
#ifndef LOAD_WEBSOCKET_H
#define LOAD_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WS_TEXT = 1, WS_BINARY, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10, WS_HEAD_MAX = 14 };

/* In base64, with their NULs. */
enum { WS_KEY_BYTES = 25, WS_ACCEPT_BYTES = 29 };

/* The key of a handshake, out of 16 octets, and what has to be answered to it. */
void ws_key(char key[WS_KEY_BYTES], const void *octets);
void ws_accept(char accept[WS_ACCEPT_BYTES], const char key[WS_KEY_BYTES]);

struct ws_frame {
	unsigned opcode;
	char *payload;
	size_t len;
};

/* One frame: the bytes it took, 0 if it is not all there, -1 for what a server must not send. */
long ws_read(struct ws_frame *frame, char *data, size_t len);

/*
 * Writes the head for LEN bytes of payload, and masks the payload, which stands
 * WS_HEAD_MAX bytes behind OUT, where it is. Returns where the frame begins.
 */
char *ws_wrap(char *out, unsigned opcode, size_t len);

#endif
