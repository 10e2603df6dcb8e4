/*
 * tests/handover/later.c - see later.h. All wait equally long, so they are called in their order.
 */
#include "handover/later.h"

#include <stdio.h>
#include <stdlib.h>

#include "soak/peer.h"
#include "wire/conn.h"

struct job {
	int64_t due;
	void (*fn)(void *of, const char *text);
	void *of;
	char text[LATER_TEXT];
};

/* A ring, of a power of two. */
static struct job *jobs;
static unsigned first, count, size;

static void grow(void)
{
	unsigned more = size ? 2 * size : 256;
	struct job *ring = must_have(calloc(more, sizeof(*ring)));

	for (unsigned i = 0; i < count; i++)
		ring[i] = jobs[(first + i) & (size - 1)];
	free(jobs);
	jobs = ring;
	first = 0;
	size = more;
}

void later(void (*fn)(void *of, const char *text), void *of, const char *text)
{
	struct job *job;

	if (count == size)
		grow();
	job = &jobs[(first + count++) & (size - 1)];
	*job = (struct job){ .due = now_ms() + LATER_MS, .fn = fn, .of = of };
	snprintf(job->text, sizeof(job->text), "%s", text);
}

void later_turn(int64_t now)
{
	while (count > 0 && jobs[first].due <= now) {
		struct job job = jobs[first];

		first = (first + 1) & (size - 1);
		count--;
		job.fn(job.of, job.text);
	}
}

unsigned later_count(void)
{
	return count;
}
