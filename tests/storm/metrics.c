/*
 * tests/storm/metrics.c - what a server says of itself at /metrics.
 */
#include "storm/metrics.h"

#include <stdlib.h>
#include <string.h>

long metric_sum(const struct address *internal, const char *name)
{
	static const char request[] =
	    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	int64_t deadline = now_ms() + 5000;
	struct conn c;
	long sum = -1;
	size_t n = strlen(name);

	conn_init(&c);
	if (conn_open(&c, internal, deadline) == 0 &&
	    conn_send(&c, request, sizeof(request) - 1, deadline) == 0)
		while (conn_fill(&c, deadline) > 0)
			;
	for (const char *at = (const char *)conn_bytes(&c), *end = at + c.len, *line;
	     c.len > 0 && (line = memmem(at, (size_t)(end - at), name, n)); at = line + n)
		if (line[-1] == '\n' && (line[n] == ' ' || line[n] == '{'))
			sum = (sum < 0 ? 0 : sum) + atol(strchr(line, ' ') + 1);
	free(c.in);
	conn_close(&c);
	return sum;
}
