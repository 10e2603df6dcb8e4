/*
 * tests/fuzz/fuzz_proxy_header.c - the PROXY protocol (net/proxy_header.h).
 *
 * Input: what a proxy sends. However it comes, the same is found, and nothing behind it is taken.
 */
#include <string.h>

#include "net/proxy_header.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was taken of it, in pieces. */
static size_t take(struct bytes in, size_t piece, struct proxy_header *h,
    enum proxy_header_result *result)
{
	size_t taken = 0, there = 0;

	*result = PROXY_HEADER_MORE;
	while (*result == PROXY_HEADER_MORE && there < in.n) {
		there = there + piece < in.n ? there + piece : in.n;
		while (*result == PROXY_HEADER_MORE && taken < there) {
			size_t more = proxy_header_take((struct bytes){ in.p, taken },
			    (struct bytes){ in.p + taken, there - taken });

			must(more <= there - taken);
			if (more == 0) {
				*result = PROXY_HEADER_BAD;
				break;
			}
			taken += more;
			must(taken <= PROXY_HEADER_MAX);
			*result = proxy_header_read((struct bytes){ in.p, taken }, h);
		}
	}
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n < PROXY_HEADER_MAX ? n : PROXY_HEADER_MAX };
	struct proxy_header slow, fast;
	enum proxy_header_result slowly, at_once;
	size_t n_slow = take(in, 1, &slow, &slowly), n_fast = take(in, in.n, &fast, &at_once);

	must((slowly == PROXY_HEADER_WHOLE) == (at_once == PROXY_HEADER_WHOLE));
	if (slowly != PROXY_HEADER_WHOLE)
		return 0;
	must(n_slow == n_fast && n_slow <= in.n);
	must(memcmp(&slow.client, &fast.client, sizeof(slow.client)) == 0);
	must(slow.client.family == 0 || slow.client.family == AF_INET ||
	     slow.client.family == AF_INET6);
	return 0;
}
