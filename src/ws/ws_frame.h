/*
 * ws/ws_frame.h - the WebSocket frame header and masking (RFC 6455 section 5.2,
 * 5.3), nothing else. No I/O, no state.
 */
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xA,
};

enum { WS_RSV1 = 0x40, WS_RSV2 = 0x20, WS_RSV3 = 0x10 };

#define WS_HEADER_MAX 14

struct ws_frame {
	bool fin;
	uint8_t rsv; /* WS_RSV* bits */
	uint8_t opcode;
	bool masked;
	uint8_t mask[4];
	uint64_t length; /* of the payload */
};

/* Reads a header from the n bytes at p. Bytes consumed, 0: need more, -EPROTO: a length that is
 * not minimal or has its top bit set. Rules of sequence and role are ws_conn's. */
ssize_t ws_frame_parse(struct ws_frame *f, const void *p, size_t n);

/* Writes a header (2 to 14 bytes); its length. `mask` NULL: unmasked, as a server must. */
size_t ws_frame_header(char out[WS_HEADER_MAX], bool fin, uint8_t rsv, enum ws_opcode opcode,
    uint64_t length, const uint8_t mask[4]);

/* XORs n bytes in place with the masking key, beginning at octet `offset` of the payload. */
void ws_mask(void *p, size_t n, const uint8_t mask[4], size_t offset);

#endif
