/*
 * stomp/stomp_errors.h - why a STOMP frame is refused, in one table: the enum, the headers `code`
 * and `message` of the ERROR frame, the code with which the connection closes and the counter's
 * name all come from these rows.
 */
#ifndef STOMP_STOMP_ERRORS_H
#define STOMP_STOMP_ERRORS_H

/* X(name, code, message, counter). Codes are of the range that RFC 6455 section 7.4.2 leaves to
 * applications; session/close_codes.h has 4500 and up. */
#define STOMP_ERRORS(X)                                                                            \
	X(MALFORMED, 4600, "Malformed frame", "malformed")                                         \
	X(TOO_LARGE, 4601, "Frame too large", "too_large")                                         \
	X(NOT_CONNECTED, 4602, "Not connected", "not_connected")                                   \
	X(ALREADY_CONNECTED, 4603, "Already connected", "already_connected")                       \
	X(VERSION, 4604, "No common version", "version")                                           \
	X(UNKNOWN_COMMAND, 4605, "Unknown command", "unknown_command")                             \
	X(MISSING_HEADER, 4606, "Header missing", "missing_header")                                \
	X(BAD_HEADER, 4607, "Bad header", "bad_header")                                            \
	X(UNEXPECTED_BODY, 4608, "Unexpected body", "unexpected_body")                             \
	X(MISSING_NUL, 4609, "Frame without NUL", "missing_nul")                                   \
	X(BINARY_AS_TEXT, 4610, "Binary needs WebSocket", "binary_as_text")                        \
	X(NO_HEART_BEAT, 4611, "No heart-beat", "no_heart_beat")                                   \
	X(UNAUTHENTICATED, 4620, "Not authenticated", "unauthenticated")                           \
	X(EXPIRED, 4621, "Token expired", "expired")                                               \
	X(TOO_MANY_FAILURES, 4622, "Too many failures", "too_many_failures")                       \
	X(REPLACED, 4623, "Replaced by a newer connection", "replaced")                            \
	X(DISCONNECTED, 4624, "Disconnected by the operator", "disconnected")                      \
	X(FORBIDDEN, 4630, "Access denied", "forbidden")                                           \
	X(VETOED, 4631, "Refused by the application", "vetoed")                                    \
	X(NO_DESTINATION, 4632, "No such destination", "no_destination")                           \
	X(BAD_DESTINATION, 4633, "Bad destination", "bad_destination")                             \
	X(DUPLICATE_ID, 4634, "Duplicate id", "duplicate_id")                                      \
	X(NO_SUBSCRIPTION, 4635, "No such subscription", "no_subscription")                        \
	X(NO_TRANSACTION, 4636, "No such transaction", "no_transaction")                           \
	X(NO_MESSAGE, 4637, "No such message", "no_message")                                       \
	X(UNSUPPORTED, 4638, "Not supported", "unsupported")                                       \
	X(LIMIT, 4640, "Limit reached", "limit")                                                   \
	X(BUSY, 4641, "Busy", "busy")                                                              \
	X(INTERNAL, 4642, "Internal error", "internal")                                            \
	X(BACKEND, 4643, "Backend failed", "backend")                                              \
	X(BROKER, 4644, "Broker unavailable", "broker")

/* STOMP_OK is none of them. */
enum stomp_error {
	STOMP_OK,
#define X(name, code, message, counter) STOMP_E_##name,
	STOMP_ERRORS(X)
#undef X
	    STOMP_ERROR_ROWS
};

unsigned stomp_error_code(enum stomp_error e);
const char *stomp_error_message(enum stomp_error e);
const char *stomp_error_counter(enum stomp_error e);

#endif
