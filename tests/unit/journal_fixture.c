/*
 * tests/unit/journal_fixture.c - see journal_fixture.h.
 */
#include "journal_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

char directory[64], why[256];
struct journal *journal;
struct journal_options options;
struct journal_record records[NUMBERS_MAX];
uint32_t length_most;
struct op ops[OPS_MAX];
size_t op_count;
uint64_t told[NUMBERS_MAX];
size_t told_count;
uint64_t unsure;

static uint64_t live[NUMBERS_MAX]; /* numbers, in no order */
static size_t place[NUMBERS_MAX];  /* of a number there, from 1 on */
static size_t live_count;

/* --- records ---------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

uint64_t next_random(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(mix(*state));
}

uint32_t length_of_number(uint64_t number)
{
	return (uint32_t)(mix(number) % (length_most + 1));
}

static char octet(uint64_t number, size_t i)
{
	return (char)(number * 31 + i * 7 + (i >> 8));
}

static void check_body(uint64_t number, struct bytes body)
{
	must(body.n == length_of_number(number));
	for (size_t i = 0; i < body.n; i++)
		if (body.p[i] != octet(number, i))
			ck_abort_msg("record %lu has other octets", (unsigned long)number);
}

static void add_live(uint64_t number)
{
	live[live_count++] = number;
	place[number] = live_count;
}

static void remove_live(uint64_t number)
{
	uint64_t last = live[--live_count];

	live[place[number] - 1] = last;
	place[last] = place[number];
	place[number] = 0;
}

bool is_live(uint64_t number)
{
	return place[number] > 0;
}

uint64_t any_live(uint64_t random)
{
	return live_count ? live[random % live_count] : 0;
}

static void note(bool is_drop, uint64_t number)
{
	const struct journal_segment *tail = journal_tail(journal);

	must(op_count < OPS_MAX);
	ops[op_count++] =
	    (struct op){ is_drop, number, tail->sequence, tail->size, journal_mark(journal) };
}

int try_put(void)
{
	static char body[1 << 20];
	uint64_t number = journal->next;
	uint32_t n = length_of_number(number), half = n / 3;
	const struct iovec pieces[] = { { body, half }, { NULL, 0 }, { body + half, n - half } };
	int err;

	must(number < NUMBERS_MAX);
	for (uint32_t i = 0; i < n; i++)
		body[i] = octet(number, i);
	if ((err = journal_put(journal, &records[number], pieces, 3)) < 0)
		return err;
	must(records[number].number == number);
	add_live(number);
	note(false, number);
	return 0;
}

void put(void)
{
	must(try_put() == 0);
}

int try_drop(uint64_t number)
{
	int err = journal_drop(journal, &records[number]);

	remove_live(number);
	if (err == 0)
		note(true, number);
	else
		unsure = number;
	return err;
}

void drop(uint64_t number)
{
	must(is_live(number));
	must(try_drop(number) == 0);
}

void random_steps(uint64_t *state, unsigned steps, unsigned live_about)
{
	for (unsigned i = 0; i < steps && !journal->err; i++) {
		uint64_t random = next_random(state);

		if (random % 7 == 0)
			journal_flush(journal);
		else if (random % 11 == 0)
			journal_poll(journal);
		else if (random / 128 % (2 * live_about) >= live_count)
			try_put();
		else
			try_drop(any_live(random >> 32));
	}
}

/* --- the journal -------------------------------------------------------------------- */

static int on_recovered(
    void *arg, uint64_t number, struct bytes body, struct journal_record **record)
{
	(void)arg;
	must(number < NUMBERS_MAX);
	if (told_count > 0)
		must(number > told[told_count - 1]);
	check_body(number, body);
	told[told_count++] = number;
	add_live(number);
	*record = &records[number];
	return 0;
}

static void forget(void)
{
	while (live_count > 0)
		place[live[--live_count]] = 0;
	told_count = 0;
}

int try_open(void)
{
	forget();
	why[0] = '\0';
	journal = NULL;
	return journal_open(&journal, directory, &options, why, sizeof(why));
}

void must_open(void)
{
	int err = try_open();

	if (err < 0)
		ck_abort_msg("%d: %s", err, why);
}

void must_close(void)
{
	must(journal_close(journal) == 0);
	journal = NULL;
}

void crash(void)
{
	int result;

	disk_ended(journal->disk, true, &result);
	journal->err = -EINTR; /* so nothing more is written */
	journal->flight = FLIGHT_NONE;
	journal_close(journal);
	journal = NULL;
}

void clean(void)
{
	char path[384];
	struct dirent *entry;
	DIR *dir = opendir(directory);

	while (dir && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (dir)
		closedir(dir);
}

void journal_setup(void)
{
	snprintf(directory, sizeof(directory), "%s/test_journal.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(directory));
	options = (struct journal_options){
		.segment_bytes = 1024, .blocking = true, .recovered = on_recovered
	};
	length_most = 100;
	op_count = 0;
	unsure = 0;
	log_set_level(LOG_SILENT);
	forget();
}

void journal_teardown(void)
{
	disk_fail_at(0, 0);
	journal_close(journal);
	journal = NULL;
	clean();
	rmdir(directory);
}

/* --- states --------------------------------------------------------------------------- */

static unsigned char model[NUMBERS_MAX]; /* whether it is live, while ops are gone through */
static size_t model_count;

static void model_step(const struct op *op)
{
	model[op->number] = !op->is_drop;
	model_count += op->is_drop ? -1 : 1;
}

/* Numbers are told rising, and no two are the same; so as many, all of them live, are all. */
static bool told_is_model(void)
{
	if (told_count != model_count)
		return false;
	for (size_t i = 0; i < told_count; i++)
		if (!model[told[i]])
			return false;
	return true;
}

static void model_begin(size_t count)
{
	memset(model, 0, sizeof(model));
	model_count = 0;
	for (size_t i = 0; i < count; i++)
		model_step(&ops[i]);
}

bool told_is_state_after(size_t count)
{
	model_begin(count);
	return told_is_model();
}

bool told_is_state_after_at_least(size_t count)
{
	model_begin(count);
	while (!told_is_model()) {
		if (count == op_count)
			return false;
		model_step(&ops[count++]);
	}
	op_count = count;
	return true;
}

size_t ops_before(uint64_t sequence, uint64_t end)
{
	size_t count = 0;

	while (count < op_count && (ops[count].sequence < sequence ||
	                               (ops[count].sequence == sequence && ops[count].end <= end)))
		count++;
	return count;
}

/* --- images ----------------------------------------------------------------------------- */

static void path_of(uint64_t sequence, char path[128])
{
	char name[JOURNAL_NAME];

	journal_name(sequence, name);
	snprintf(path, 128, "%s/%s", directory, name);
}

static bool take_file(struct image *image, uint64_t sequence)
{
	char path[128];
	struct stat st;
	int fd;

	path_of(sequence, path);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	must(fstat(fd, &st) == 0);
	must(image->count < IMAGE_MAX);
	image->files[image->count].sequence = sequence;
	image->files[image->count].n = (size_t)st.st_size;
	image->files[image->count].p = malloc((size_t)st.st_size + 1);
	must(read(fd, image->files[image->count].p, (size_t)st.st_size) == (int)st.st_size);
	image->count++;
	close(fd);
	return true;
}

void take_image(struct image *image)
{
	char path[384];
	struct dirent *entry;
	DIR *dir = opendir(directory);
	uint64_t first = UINT64_MAX, last = 0, sequence;

	image->count = 0;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s", entry->d_name);
		sequence = strtoull(path, NULL, 16);
		if (!strstr(path, ".segment"))
			continue;
		first = sequence < first ? sequence : first;
		last = sequence > last ? sequence : last;
	}
	closedir(dir);
	for (sequence = first; sequence <= last; sequence++)
		take_file(image, sequence);
}

void restore_image(const struct image *image, unsigned last, size_t cut)
{
	char path[128];

	clean();
	for (unsigned i = 0; i <= last; i++) {
		size_t n = i == last ? cut : image->files[i].n;
		int fd;

		path_of(image->files[i].sequence, path);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		must(fd >= 0);
		must(write(fd, image->files[i].p, n) == (int)n);
		close(fd);
	}
}

void free_image(struct image *image)
{
	while (image->count > 0)
		free(image->files[--image->count].p);
}
