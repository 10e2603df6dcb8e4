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
	return must_fail() ? NULL : malloc(size ? size : 1);
}

void *mem_zalloc(size_t size)
{
	return must_fail() ? NULL : calloc(1, size ? size : 1);
}

void *mem_realloc(void *p, size_t size)
{
	return must_fail() ? NULL : realloc(p, size ? size : 1);
}

void *mem_realloc_array(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return mem_realloc(p, bytes);
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
