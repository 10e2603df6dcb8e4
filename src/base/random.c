/*
 * base/random.c - getrandom(2), with a small per-thread reserve so that /info
 * does not cost a system call each time; see random.h.
 */
#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static _Thread_local unsigned char reserve[256];
static _Thread_local size_t left;

static void from_kernel(unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

/* In the child of a fork(): it must not hand out what its parent does too. */
static void forget(void)
{
	left = 0;
}

static void watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, forget) != 0)
		abort();
}

static void refill(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	from_kernel(reserve, sizeof(reserve));
	left = sizeof(reserve);
}

void random_bytes(void *p, size_t n)
{
	if (n > sizeof(reserve)) {
		from_kernel(p, n);
		return;
	}
	if (left < n)
		refill();
	left -= n;
	memcpy(p, reserve + left, n);
	memset(reserve + left, 0, n); /* what was handed out must not be found here again */
}

uint32_t random_u32(void)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
