/*
 * bench/journal.c - how many records a second a journal takes, by policy, and how long it takes to
 * read them again.
 *
 *	bench/journal DIRECTORY     which must not exist; on the disk that is meant
 *
 * A turn puts some records and flushes; the next one begins when all of them are durable, so that
 * puts wait as the publishers do who wait for a receipt. "in flight" does not wait.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "journal/journal.h"

enum { OCTETS = 256, RECOVERED = 100000, RUN_MS = 2000, PUTS_MAX = 4000000 };

static const char *directory;
static struct journal_record *records;
static uint64_t next;

static void die(const char *what)
{
	fprintf(stderr, "journal: %s\n", what);
	exit(1);
}

static int on_recovered(
    void *arg, uint64_t number, struct bytes body, struct journal_record **record)
{
	(void)arg, (void)number, (void)body;
	*record = &records[next++];
	return 0;
}

static struct journal *open_journal(enum journal_sync sync, bool blocking)
{
	const struct journal_options options = {
		.sync = sync, .blocking = blocking, .recovered = on_recovered
	};
	struct journal *j;
	char why[256];

	next = 0;
	if (journal_open(&j, directory, &options, why, sizeof(why)) < 0)
		die(why);
	return j;
}

/* As a loop does it. */
static void poll_once(struct journal *j)
{
	struct pollfd p = { journal_fd(j), POLLIN, 0 };

	if (p.fd >= 0)
		poll(&p, 1, 100);
	if (journal_poll(j) < 0)
		die("the disk has failed");
}

static void put(struct journal *j)
{
	static char body[OCTETS];
	const struct iovec piece = { body, sizeof(body) };

	while (journal_put(j, &records[next], &piece, 1) == -EAGAIN)
		poll_once(j);
	next++;
}

static void drop_all(struct journal *j)
{
	for (uint64_t i = 0; i < next; i++)
		journal_drop(j, &records[i]);
	next = 0;
	while (journal_flush(j) == 0 && journal_wait(j) == 0 && journal_due_ms(j) == 0)
		;
}

/* Records a second in turns of so many. */
static double measure(enum journal_sync sync, bool blocking, unsigned turn, bool wait)
{
	struct journal *j = open_journal(sync, blocking);
	uint64_t begin = clock_ns(), now = begin, puts = 0;

	while (now - begin < RUN_MS * UINT64_C(1000000) && next + turn < PUTS_MAX) {
		for (unsigned i = 0; i < turn; i++)
			put(j);
		puts += turn;
		journal_flush(j);
		while (wait && journal_written(j) < journal_mark(j))
			poll_once(j);
		if (!wait)
			journal_poll(j);
		now = clock_ns();
	}
	journal_wait(j);
	now = clock_ns();
	drop_all(j);
	journal_close(j);
	return (double)puts * 1e9 / (double)(now - begin);
}

static void measure_policy(const char *name, enum journal_sync sync)
{
	static const unsigned turns[] = { 1, 16, 256 };

	for (int blocking = 0; blocking < 2; blocking++) {
		printf("%-9s %-9s", name, blocking ? "blocking" : "io_uring");
		for (size_t i = 0; i < 3; i++)
			printf(" %10.0f", measure(sync, blocking, turns[i], true));
		printf(" %10.0f\n", measure(sync, blocking, 16, false));
		fflush(stdout);
	}
}

static void measure_recovery(void)
{
	struct journal *j = open_journal(JOURNAL_SYNC_NEVER, true);
	uint64_t begin;

	for (unsigned i = 0; i < RECOVERED; i++) {
		put(j);
		if (i % 1000 == 999)
			journal_flush(j);
	}
	journal_close(j);
	begin = clock_ns();
	j = open_journal(JOURNAL_SYNC_NEVER, true);
	printf("recovery of %d records: %.0f ms\n", (int)next, (double)(clock_ns() - begin) / 1e6);
	drop_all(j);
	journal_close(j);
}

/* A queue in which a message stays for a while. */
static void measure_queue(void)
{
	struct journal *j = open_journal(JOURNAL_SYNC_NEVER, false);
	const struct journal_counters *c = journal_counters(j);
	uint64_t begin, depth = 20000;

	while (next < depth)
		put(j);
	begin = clock_ns();
	for (unsigned i = 0; i < 1000000; i++) {
		put(j);
		journal_drop(j, &records[next - 1 - depth]);
		if (i % 16 == 15)
			journal_flush(j);
		if (i % 64 == 63)
			journal_poll(j);
	}
	printf("put and drop at a depth of %d: %.0f a second; files %.1f times what is live\n",
	    (int)depth, 1e6 * 1e9 / (double)(clock_ns() - begin),
	    (double)c->file_bytes / (double)c->live_bytes);
	journal_wait(j);
	journal_close(j);
}

int main(int argc, char **argv)
{
	double load[3] = { 0 };

	if (argc != 2)
		die("usage: bench/journal DIRECTORY");
	directory = argv[1];
	records = mem_realloc_array(NULL, PUTS_MAX, sizeof(*records));
	if (!records)
		die("no memory");
	getloadavg(load, 3);
	printf("load %.1f; records of %d octets a second, in turns of\n", load[0], OCTETS);
	printf("%-19s %10s %10s %10s %10s\n", "", "1", "16", "256", "in flight");
	measure_policy("always", JOURNAL_SYNC_ALWAYS);
	measure_policy("interval", JOURNAL_SYNC_INTERVAL);
	measure_policy("never", JOURNAL_SYNC_NEVER);
	measure_recovery();
	measure_queue();
	mem_free(records);
	return 0;
}
