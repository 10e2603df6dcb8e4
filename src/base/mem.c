/*
 * base/mem.c - malloc with a switch for tests; see mem.h.
 */
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned long fail_countdown; /* 0: never fail */
static int failed;

static int must_fail(void)
{
	if (__builtin_expect(fail_countdown == 0, 1) || --fail_countdown > 0)
		return 0;
	failed = 1;
	errno = ENOMEM;
	return 1;
}

void *mem_alloc(size_t size)
{
	return must_fail() ? NULL : malloc(size);
}

void *mem_zalloc(size_t size)
{
	return must_fail() ? NULL : calloc(1, size);
}

void *mem_realloc(void *p, size_t size)
{
	return must_fail() ? NULL : realloc(p, size);
}

void mem_free(void *p)
{
	free(p);
}

char *mem_strndup(const char *s, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (copy) {
		memcpy(copy, s, n);
		copy[n] = '\0';
	}
	return copy;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

void mem_fail_at(unsigned long nth)
{
	fail_countdown = nth;
	failed = 0;
}

int mem_failed(void)
{
	return failed;
}
