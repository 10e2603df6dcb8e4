/*
 * ws/ws_conn_control.c - control frames, from the peer and to it, and the closing
 * handshake (RFC 6455 sections 5.5 and 7).
 */
#include <string.h>

#include "base/random.h"
#include "ws/ws_conn_private.h"

static const struct {
	unsigned code;
	const char *reason;
} failures[] = {
	[BAD_LENGTH] = { WS_CLOSE_PROTOCOL_ERROR, "frame length is not minimal or too large" },
	[BAD_RSV] = { WS_CLOSE_PROTOCOL_ERROR, "reserved bit set without an extension" },
	[BAD_OPCODE] = { WS_CLOSE_PROTOCOL_ERROR, "unknown opcode" },
	[NOT_MASKED] = { WS_CLOSE_PROTOCOL_ERROR, "frame from a client is not masked" },
	[MASKED] = { WS_CLOSE_PROTOCOL_ERROR, "frame from a server is masked" },
	[CONTROL_FRAGMENTED] = { WS_CLOSE_PROTOCOL_ERROR, "control frame is fragmented" },
	[CONTROL_TOO_LONG] = { WS_CLOSE_PROTOCOL_ERROR, "control frame is over 125 octets" },
	[NOTHING_TO_CONTINUE] = { WS_CLOSE_PROTOCOL_ERROR, "continuation without a message" },
	[MESSAGE_UNFINISHED] = { WS_CLOSE_PROTOCOL_ERROR, "message begun within another" },
	[TOO_MANY_FRAGMENTS] = { WS_CLOSE_TOO_BIG, "message has too many fragments" },
	[TOO_BIG] = { WS_CLOSE_TOO_BIG, "message is too big" },
	[INFLATES_TOO_MUCH] = { WS_CLOSE_TOO_BIG, "message was compressed too much" },
	[BAD_TEXT] = { WS_CLOSE_INVALID_DATA, "text is not UTF-8" },
	[BAD_DEFLATE] = { WS_CLOSE_INVALID_DATA, "compressed message is damaged" },
	[CLOSE_TOO_SHORT] = { WS_CLOSE_PROTOCOL_ERROR, "close frame of one octet" },
	[BAD_CLOSE_CODE] = { WS_CLOSE_PROTOCOL_ERROR, "invalid close code" },
	[BAD_CLOSE_REASON] = { WS_CLOSE_INVALID_DATA, "close reason is not UTF-8" },
	[NO_MEMORY] = { WS_CLOSE_INTERNAL_ERROR, "out of memory" },
};

/* --- sending ---------------------------------------------------------------- */

size_t ws_conn_data_header(struct ws_conn *c, char out[WS_HEADER_MAX], uint8_t rsv,
    enum ws_opcode opcode, char *data, size_t n)
{
	uint8_t key[4];

	if (c->role == WS_SERVER)
		return ws_frame_header(out, true, rsv, opcode, n, NULL);
	random_bytes(key, sizeof(key));
	ws_mask(data, n, key, 0);
	return ws_frame_header(out, true, rsv, opcode, n, key);
}

void ws_conn_send_control(struct ws_conn *c, enum ws_opcode opcode, const void *data, size_t n)
{
	char frame[WS_HEADER_MAX + CONTROL_MAX], *payload = frame + WS_HEADER_MAX;
	char header[WS_HEADER_MAX];
	size_t header_len;

	if (n > 0)
		memcpy(payload, data, n);
	header_len = ws_conn_data_header(c, header, 0, opcode, payload, n);
	memcpy(payload - header_len, header, header_len);
	c->ops->write(c, payload - header_len, header_len + n);
}

void ws_conn_ping(struct ws_conn *c, const void *data, size_t n)
{
	if (!c->close_sent)
		ws_conn_send_control(c, WS_PING, data, n < CONTROL_MAX ? n : CONTROL_MAX);
}

bool ws_close_code_is_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

/* The longest beginning of a reason that is UTF-8 and fits into a Close frame. */
static size_t reason_prefix(const char *reason, size_t n)
{
	utf8_state state = UTF8_START;
	size_t good = 0;

	for (size_t i = 0; i < n && i < WS_REASON_MAX; i++) {
		state = utf8_check(state, reason + i, 1);
		if (state == UTF8_INVALID)
			break;
		if (state == UTF8_START)
			good = i + 1;
	}
	return good;
}

void ws_conn_close(struct ws_conn *c, unsigned code, const char *reason, size_t n)
{
	char payload[CONTROL_MAX];

	if (c->close_sent)
		return;
	c->close_sent = true;
	if (code == WS_CLOSE_NO_STATUS) {
		ws_conn_send_control(c, WS_CLOSE, NULL, 0);
		return;
	}
	if (!ws_close_code_is_valid(code))
		code = WS_CLOSE_NORMAL;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	n = reason_prefix(reason, n);
	if (n > 0)
		memcpy(payload + 2, reason, n);
	ws_conn_send_control(c, WS_CLOSE, payload, 2 + n);
}

/* --- the end ---------------------------------------------------------------- */

/* Here, and nowhere else, input ends. */
static void end_input(struct ws_conn *c, unsigned code, const char *reason, size_t n, bool failed)
{
	c->close_received = true;
	ws_partial_drop(c);
	c->ops->close(c, code, reason, n, failed);
}

void ws_conn_fail(struct ws_conn *c, enum ws_failure why)
{
	const char *reason = failures[why].reason;

	ws_conn_close(c, failures[why].code, reason, strlen(reason));
	end_input(c, failures[why].code, reason, strlen(reason), true);
}

/* --- from the peer ----------------------------------------------------------- */

/* At most so many pongs in a call; then the last ping speaks for all. */
static void on_ping(struct ws_conn *c, struct ws_feed *in, const char *p, size_t n)
{
	if (in->pings++ < WS_PINGS_ANSWERED) {
		ws_conn_send_control(c, WS_PONG, p, n); /* also while closing: section 5.5.2 */
		return;
	}
	if (n > 0)
		memcpy(in->last_ping, p, n);
	in->last_ping_len = (uint8_t)n;
}

static int on_close(struct ws_conn *c, struct ws_feed *in, const char *p, size_t n)
{
	unsigned code;

	ws_conn_answer_last_ping(c, in);
	if (n == 0) {
		ws_conn_close(c, WS_CLOSE_NO_STATUS, NULL, 0);
		end_input(c, WS_CLOSE_NO_STATUS, "", 0, false);
		return 0;
	}
	if (n == 1)
		return -CLOSE_TOO_SHORT;
	code = (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
	if (!ws_close_code_is_valid(code))
		return -BAD_CLOSE_CODE;
	if (!utf8_is_valid(p + 2, n - 2))
		return -BAD_CLOSE_REASON;
	ws_conn_close(c, code, NULL, 0);
	end_input(c, code, p + 2, n - 2, false);
	return 0;
}

int ws_conn_take_control(
    struct ws_conn *c, struct ws_feed *in, uint8_t opcode, const char *p, size_t n)
{
	switch (opcode) {
	case WS_CLOSE:
		return on_close(c, in, p, n);
	case WS_PING:
		on_ping(c, in, p, n);
		return 0;
	default:
		if (c->ops->pong)
			c->ops->pong(c, p, n);
		return 0;
	}
}
