/*
 * tests/fuzz/fuzz_journal.c - any files as a journal: it opens or says why, with and without
 * repair; and what has opened once opens again and tells the same.
 *
 * The input is a recipe, for no fuzzer guesses checksums: the first octet says whether headers are
 * made whole and what the second opening does, then come entries, a segment's end, or plain octets.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "journal/journal.h"
#include "journal/journal_format.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 4, FILE_SIZE_MAX = 4096, RECORDS_MAX = 4096 };

enum { PLAIN_HEADERS = 1, REPAIR = 2 };

static char directory[64], file[FILE_SIZE_MAX];
static size_t file_size, previous;
static uint64_t sequence;
static struct journal_record records[RECORDS_MAX];
static uint64_t told[RECORDS_MAX], last;
static size_t told_count;
static bool dropped[256];

static void remove_files(void)
{
	char path[128];

	for (uint64_t i = 1; i < 64; i++) {
		snprintf(
		    path, sizeof(path), "%s/%016llx.segment", directory, (unsigned long long)i);
		unlink(path);
	}
}

static void remove_directory(void)
{
	char path[128];

	remove_files();
	snprintf(path, sizeof(path), "%s/lock", directory);
	unlink(path);
	rmdir(directory);
}

static void make_directory(void)
{
	if (directory[0])
		return;
	snprintf(directory, sizeof(directory), "%s/fuzz_journal.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(directory));
	atexit(remove_directory);
	log_set_level(LOG_SILENT);
}

/* --- files ------------------------------------------------------------------------ */

static void add(const void *p, size_t n)
{
	if (n > FILE_SIZE_MAX - file_size)
		n = FILE_SIZE_MAX - file_size;
	if (n > 0)
		memcpy(file + file_size, p, n);
	file_size += n;
}

static void begin_file(uint8_t flags, uint8_t oldest)
{
	struct journal_header h = { ++sequence, 7, 0, 1, previous };
	char header[JOURNAL_HEADER];

	h.oldest = oldest % (sequence + 1);
	file_size = 0;
	if (flags & PLAIN_HEADERS)
		return;
	journal_header_write(header, &h);
	add(header, sizeof(header));
}

static void end_file(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%016llx.segment", directory, (unsigned long long)sequence);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, file, file_size) == (ssize_t)file_size);
	close(fd);
	previous = file_size;
}

static void add_entry(uint8_t type, uint64_t number, const uint8_t *body, uint8_t length)
{
	struct journal_entry e = { type, length, 0, number };
	char entry[JOURNAL_HEAD + 256] = { 0 };
	size_t n = (size_t)journal_entry_size(length);

	if (length > 0)
		memcpy(entry + JOURNAL_HEAD, body, length);
	e.body_crc = crc32c(0, entry + JOURNAL_HEAD, n - JOURNAL_HEAD);
	journal_head_write(entry, 7, file_size, &e);
	add(entry, n);
}

/* One step of the recipe; how many octets it took. */
static size_t cook(const uint8_t *p, size_t n, uint8_t flags)
{
	uint8_t kind = p[0] % 8, argument = n > 1 ? p[1] : 0, length = n > 2 ? p[2] : 0;
	size_t rest = n > 3 ? n - 3 : 0;

	if (length > rest)
		length = (uint8_t)rest;
	if (kind == 0 && sequence < FILES_MAX) {
		end_file();
		begin_file(flags, argument);
		return 2;
	}
	if (kind == 7) {
		add(p + 3, length);
		return 3 + (size_t)length;
	}
	if (kind != JOURNAL_PUT && kind != JOURNAL_COPY)
		length = 0;
	else if (dropped[argument])
		return 3; /* what is dropped is never written again */
	dropped[argument] |= kind == JOURNAL_DROP;
	add_entry(
	    kind, kind == JOURNAL_MARK ? argument * 8u : argument, length ? p + 3 : NULL, length);
	return 3 + (size_t)length;
}

static void cook_all(const uint8_t *data, size_t size, uint8_t flags)
{
	size_t at = 0;

	sequence = previous = 0;
	memset(dropped, 0, sizeof(dropped));
	begin_file(flags, 0);
	while (at < size)
		at += cook(data + at, size - at, flags);
	end_file();
}

/* --- the journal -------------------------------------------------------------------- */

static int on_recovered(
    void *arg, uint64_t number, struct bytes body, struct journal_record **record)
{
	(void)arg;
	must(number > last || told_count == 0);
	must(body.n <= FILE_SIZE_MAX && told_count < RECORDS_MAX);
	last = number;
	*record = &records[told_count];
	told[told_count++] = number;
	return 0;
}

/* How many records there are; -1: it does not open. */
static int count(bool repair)
{
	const struct journal_options options = {
		.segment_bytes = 1024, .blocking = true, .repair = repair, .recovered = on_recovered
	};
	struct journal *j;
	char why[256] = "";

	told_count = 0;
	last = 0;
	if (journal_open(&j, directory, &options, why, sizeof(why)) < 0) {
		must(strlen(why) > 0);
		return -1;
	}
	must(journal_counters(j)->live_records == told_count);
	must(journal_close(j) == 0);
	return (int)told_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t flags = size > 0 ? data[0] : 0;
	int first, second;

	make_directory();
	remove_files();
	cook_all(data + (size > 0), size - (size > 0), flags);
	first = count(false);
	if (first < 0 && (flags & REPAIR))
		first = count(true);
	if (first >= 0) {
		second = count(false);
		must(first == second);
	}
	return 0;
}
