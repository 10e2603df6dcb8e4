/*
 * stomp/stomp_heart_beat.c - two numbers of milliseconds; see stomp_heart_beat.h.
 */
#include "stomp/stomp_heart_beat.h"

#include <string.h>

#include "stomp/stomp_list.h"

/* -1: it is none. */
static int64_t read_ms(struct bytes b)
{
	uint64_t ms = 0;

	if (b.n == 0)
		return -1;
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < '0' || b.p[i] > '9')
			return -1;
		ms = ms * 10 + (uint64_t)(b.p[i] - '0');
		if (ms > STOMP_HEART_BEAT_MOST)
			ms = STOMP_HEART_BEAT_MOST;
	}
	return (int64_t)ms;
}

bool stomp_heart_beat_read(struct bytes value, struct stomp_heart_beat *out)
{
	struct bytes rest = value;
	int64_t x, y;

	if (!value.p)
		return true;
	x = read_ms(stomp_list_next(&rest));
	y = rest.n > 0 ? read_ms(stomp_list_next(&rest)) : -1;
	if (x < 0 || y < 0 || rest.n > 0)
		return false;
	*out = (struct stomp_heart_beat){ (uint32_t)x, (uint32_t)y };
	return true;
}
