/*
 * stomp/stomp_errors.c - looking up the table of stomp_errors.h.
 */
#include "stomp/stomp_errors.h"

static const struct {
	unsigned code;
	const char *message, *counter;
} rows[STOMP_ERROR_ROWS] = { { 1000, "", "" },
#define X(name, code, message, counter) { code, message, counter },
	STOMP_ERRORS(X)
#undef X
};

unsigned stomp_error_code(enum stomp_error e)
{
	return rows[e].code;
}

const char *stomp_error_message(enum stomp_error e)
{
	return rows[e].message;
}

const char *stomp_error_counter(enum stomp_error e)
{
	return rows[e].counter;
}
