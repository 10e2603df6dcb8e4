/*
 * pubsub/keep_open.c - journals that are opened: what is in them goes back to the broker; see
 * keep.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "pubsub/keep_opening.h"

#define PATH_BYTES 4096

int opening_refuse(struct opening *o, int err, const char *key, const char *what)
{
	snprintf(o->why, o->size, "stomp.%s: %s/%u: %s", key, o->keeper->directory, o->at, what);
	return err;
}

int opening_no_memory(struct opening *o)
{
	return opening_refuse(o, -ENOMEM, "journal", "out of memory");
}

/* --- the directory, first of all ----------------------------------------------------------- */

static int open_journal(struct opening *o)
{
	struct journal_options options = o->keeper->options;
	char path[PATH_BYTES], why[512];
	int err;

	snprintf(path, sizeof(path), "%s/%u", o->keeper->directory, o->at);
	options.recovered = opening_on_recovered;
	options.arg = o;
	o->why[0] = '\0';
	err = journal_open(&o->journals[o->at], path, &options, why, sizeof(why));
	if (err < 0 && !o->why[0]) /* nothing better is known */
		snprintf(o->why, o->size, "stomp.journal: %s", why);
	return err;
}

/* The number that a name is, and nothing else; -1: none. */
static int number_of(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);
	char text[16];

	if (*end || n < 0 || n >= JOURNALS_MOST)
		return -1;
	snprintf(text, sizeof(text), "%ld", n);
	return strcmp(text, name) == 0 ? (int)n : -1;
}

static int open_those_there_are(struct opening *o)
{
	bool there[JOURNALS_MOST] = { false };
	DIR *directory = opendir(o->keeper->directory);
	struct dirent *entry;
	int err = 0;

	if (!directory)
		return opening_refuse(o, -errno, "journal", strerror(errno));
	while ((entry = readdir(directory)) != NULL)
		if (number_of(entry->d_name) >= 0)
			there[number_of(entry->d_name)] = true;
	closedir(directory);
	/* The first one, which every broker has, is the lock of all */
	for (o->at = 0; o->at < JOURNALS_MOST && err == 0; o->at++)
		if (o->at < o->keeper->count || there[o->at])
			err = open_journal(o);
	return err;
}

static int wait_for_all(struct opening *o)
{
	int err = 0;

	for (o->at = 0; o->at < JOURNALS_MOST && err == 0; o->at++)
		if (o->journals[o->at] && (err = journal_wait(o->journals[o->at])) < 0)
			return opening_refuse(o, err, "journal", strerror(-err));
	return 0;
}

/* --- who the broker is -------------------------------------------------------------------- */

/* Whether nothing can be missing of what this one's clients have got. */
static bool is_whole(const struct keeper *k, const struct keep_run *run)
{
	return run->in_order || run->is_durable ||
	       (k->boot[0] && memcmp(run->boot, k->boot, KEEP_BOOT) == 0);
}

/* Else it is a new one, whose clients know nothing; only who owns what stays. */
static void decide_identity(struct opening *o)
{
	struct keeper *k = o->keeper;
	size_t count;
	const struct former *f = opening_formers(o, &count);
	bool same = count > 0 && o->was_intact;

	for (size_t i = 0; i < count; i++)
		same = same && is_whole(k, &f[i].run) &&
		       f[i].run.identity.epoch == f[0].run.identity.epoch;
	if (count > 0)
		k->identity = f[0].run.identity;
	if (!same)
		k->identity.epoch = random_u64();
	if (count > 0 && !same)
		log_warn("the end of histories may be missing: ids of messages of before are not "
		         "known any more",
		    LOG_STR("directory", k->directory));
}

/* A number that nobody has given, nor may have. */
static uint64_t first_number(const struct opening *o)
{
	size_t count;
	const struct former *f = opening_formers(o, &count);
	uint64_t first = o->last + 1;

	for (size_t i = 0; i < count; i++)
		if (f[i].run.reserved > first)
			first = f[i].run.reserved;
	return first < KEEP_BLOCK ? KEEP_BLOCK : first;
}

static int begin_runs(struct opening *o)
{
	struct keeper *k = o->keeper;
	int err = 0;

	for (o->at = 0; o->at < k->count && err == 0; o->at++) {
		struct broker_part *part = broker_part(k->broker->topics, o->at);

		err = keep_put_run(&k->parts[o->at], broker_reserved(part), false);
		if (err < 0)
			return err == -ENOSPC ? opening_refuse(o, err, "journal_max_bytes",
			                            "is less than what is there")
			                      : opening_refuse(o, err, "journal", strerror(-err));
	}
	return 0;
}

/* --- back to the broker ---------------------------------------------------------------------- */

static int restore(struct opening *o, struct found *f)
{
	struct broker_kept kept = { .message = &f->message->base,
		.is_queued = f->is_queued,
		.before = f->before,
		.age_ms = o->now_ms > f->at_ms ? o->now_ms - f->at_ms : 0,
		.deliveries = f->deliveries };
	int err = broker_restore(o->keeper->broker->topics, &kept);

	o->at = f->message->base.owner;
	if (err == -ENOTSUP)
		return opening_refuse(
		    o, -EINVAL, "queues", "has messages of queues, which \"topics\" would forget");
	if (err == -ENOENT)
		keep_drop(o->keeper->broker, &f->message->base);
	else if (err < 0)
		return opening_no_memory(o);
	broker_message_unref(&f->message->base);
	f->message = NULL;
	return 0;
}

static int restore_all(struct opening *o)
{
	size_t count, messages = 0;
	struct found *f = opening_found(o, &count);
	int err = 0;

	o->now_ms = keep_wall_ms();
	for (size_t i = 0; i < count && err == 0; i++)
		if (!f[i].is_count && f[i].message) {
			err = restore(o, &f[i]);
			messages++;
		}
	if (err == 0 && messages > 0)
		log_info("messages of before are there again",
		    LOG_STR("directory", o->keeper->directory), LOG_INT("messages", messages));
	return err;
}

/* --- the directory ------------------------------------------------------------------------------
 */

static int open_directory(struct opening *o)
{
	struct keeper *k = o->keeper;
	struct stat st;

	if (mkdir(k->directory, 0700) < 0 && errno != EEXIST)
		goto failed;
	k->directory_fd = open(k->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->directory_fd < 0 || faccessat(k->directory_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		goto failed;
	o->was_intact = fstatat(k->directory_fd, KEEP_INTACT, &st, 0) == 0;
	return 0;
failed:
	snprintf(o->why, o->size, "stomp.journal: %s: %s", k->directory, strerror(errno));
	return -errno;
}

static int mark_intact(struct opening *o)
{
	int fd = openat(o->keeper->directory_fd, KEEP_INTACT,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		int err = -errno;

		snprintf(o->why, o->size, "stomp.journal: %s/" KEEP_INTACT ": %s",
		    o->keeper->directory, strerror(-err));
		return err;
	}
	close(fd);
	return 0;
}

/* Of a part that is no more: all that was in it has moved. */
static void remove_journal(struct opening *o, unsigned i)
{
	char name[16];
	int fd;
	DIR *directory;
	struct dirent *entry;

	snprintf(name, sizeof(name), "%u", i);
	fd = openat(o->keeper->directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return;
	while ((entry = readdir(directory)) != NULL) {
		const char *dot = strchr(entry->d_name, '.');

		if ((dot && strcmp(dot, ".segment") == 0) || strcmp(entry->d_name, "lock") == 0)
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(directory);
	if (unlinkat(o->keeper->directory_fd, name, AT_REMOVEDIR) < 0)
		log_warn("an empty journal cannot be removed",
		    LOG_STR("directory", o->keeper->directory), LOG_INT("part", i),
		    LOG_ERR(-errno));
}

static void close_those_that_are_over(struct opening *o, bool remove)
{
	for (unsigned i = o->keeper->count; i < JOURNALS_MOST; i++) {
		bool is_empty =
		    o->journals[i] && journal_counters(o->journals[i])->live_records == 0;

		journal_close(o->journals[i]);
		if (remove && is_empty)
			remove_journal(o, i);
	}
}

/* --- all of it
 * ------------------------------------------------------------------------------------ */

static void hand_over_journals(struct opening *o)
{
	for (unsigned i = 0; i < o->keeper->count; i++) {
		o->keeper->parts[i].journal = o->journals[i];
		o->keeper->parts[i].turn.fd = o->journals[i] ? journal_fd(o->journals[i]) : -1;
	}
}

/* What is new is durable before what is old goes. */
static int carry_over(struct opening *o)
{
	int err;

	decide_identity(o);
	keep_use(o->keeper, first_number(o));
	if ((err = begin_runs(o)) < 0 || (err = opening_move(o)) < 0 || (err = wait_for_all(o)) < 0)
		return err;
	opening_drop_leftovers(o);
	if ((err = restore_all(o)) < 0 || (err = mark_intact(o)) < 0)
		return err;
	return wait_for_all(o);
}

static void free_all(struct opening *o)
{
	size_t count, former_count, left = buf_len(&o->leftovers) / sizeof(struct leftover);
	const struct leftover *l = (const void *)buf_data(&o->leftovers);
	struct found *f = opening_found(o, &count);
	const struct former *former = opening_formers(o, &former_count);

	for (size_t i = 0; i < count; i++) {
		if (!f[i].is_count && f[i].message)
			broker_message_unref(&f[i].message->base);
		mem_free(f[i].record);
	}
	for (size_t i = 0; i < former_count; i++)
		mem_free(former[i].record);
	for (size_t i = 0; i < left; i++)
		mem_free(l[i].entry ? (void *)l[i].entry : l[i].record);
	buf_fini(&o->found);
	buf_fini(&o->formers);
	buf_fini(&o->leftovers);
	buf_fini(&o->scratch);
	mem_free(o);
}

int keep_open(struct keeper *k, char *why, size_t size)
{
	struct opening *o = mem_zalloc(sizeof(*o));
	int err;

	if (!o) {
		snprintf(why, size, "stomp.journal: out of memory");
		return -ENOMEM;
	}
	o->keeper = k;
	o->why = why;
	o->size = size;
	err = open_directory(o);
	if (err == 0)
		err = open_those_there_are(o);
	hand_over_journals(o);
	if (err == 0)
		err = carry_over(o);
	close_those_that_are_over(o, err == 0);
	free_all(o);
	k->is_open = err == 0;
	for (unsigned i = 0; i < k->count && err == 0; i++)
		server_add_turn(k->broker->server, i, &k->parts[i].turn);
	return err;
}
