/*
 * session/close_codes.c - look-ups in the table of closes; see close_codes.h.
 */
#include "session/close_codes.h"

static const struct {
	unsigned code;
	const char *reason;
	const char *counter;
} rows[] = {
#define X(name, code, reason, counter) { code, reason, counter },
	CLOSE_CODES(X)
#undef X
	    { 0, "", "other" },
};

unsigned close_code_row(unsigned code)
{
	unsigned row = 0;

	while (row < CLOSE_CODE_OTHER && rows[row].code != code)
		row++;
	return row;
}

const char *close_reason(unsigned code)
{
	return rows[close_code_row(code)].reason;
}

const char *close_code_counter_name(unsigned row)
{
	return rows[row].counter;
}

unsigned close_code_of_row(unsigned row)
{
	return rows[row].code;
}
