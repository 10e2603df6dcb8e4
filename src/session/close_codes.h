/*
 * session/close_codes.h - why a session ends, in one table: the enum, the reason
 * the client reads and the counter's name all come from these rows.
 */
#ifndef SESSION_CLOSE_CODES_H
#define SESSION_CLOSE_CODES_H

/* X(name, code, reason, counter) */
#define CLOSE_CODES(X)                                                                             \
	X(NORMAL, 1000, "Normal closure", "normal")                                                \
	X(GOING_AWAY, 1001, "Going away", "going_away")                                            \
	X(INTERRUPTED, 1002, "Connection interrupted", "interrupted")                              \
	X(UNSUPPORTED, 1003, "Unsupported data", "unsupported")                                    \
	X(NO_STATUS, 1005, "No status received", "no_status")                                      \
	X(INVALID_DATA, 1007, "Invalid data", "invalid_data")                                      \
	X(POLICY, 1008, "Policy violation", "policy")                                              \
	X(TOO_BIG, 1009, "Message too big", "too_big")                                             \
	X(INTERNAL_ERROR, 1011, "Internal error", "internal_error")                                \
	X(RESTART, 1012, "Service restart", "restart")                                             \
	X(TRY_AGAIN_LATER, 1013, "Try again later", "try_again_later")                             \
	X(BAD_GATEWAY, 1014, "Bad gateway", "bad_gateway")                                         \
	X(BUSY, 2010, "Another connection still open", "busy")                                     \
	X(GO_AWAY, 3000, "Go away!", "go_away")                                                    \
	X(SLOW, 4500, "The client reads too slowly", "slow")                                       \
	X(SILENT, 4501, "The client never answered", "silent")                                     \
	X(LATE, 4502, "The client sends too slowly", "late")                                       \
	X(TOO_MUCH_HELD, 4503, "Too much is held for this client", "too_much_held")

enum close_code {
#define X(name, code, reason, counter) CLOSE_##name = code,
	CLOSE_CODES(X)
#undef X
};

/* The reason that goes with a code of the table; "" for any other. */
const char *close_reason(unsigned code);
/* The row of a code, for counting; CLOSE_CODE_OTHER for what applications and clients choose. */
enum {
#define X(name, code, reason, counter) CLOSE_ROW_##name,
	CLOSE_CODES(X)
#undef X
	    CLOSE_CODE_OTHER,
	CLOSE_CODE_ROWS
};
unsigned close_code_row(unsigned code);
const char *close_code_counter_name(unsigned row);
/* The code of a row; 0: that of all others. */
unsigned close_code_of_row(unsigned row);

#endif
