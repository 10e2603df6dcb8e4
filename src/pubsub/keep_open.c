/*
 * pubsub/keep_open.c - journals that are opened: what is in them goes back to the broker; see
 * keep.h.
 *
 * There may have been more parts when it was kept, or fewer. So all journals that there are are
 * read, and what belongs to another part now is put there, and dropped where it was when that is
 * durable. A crash in between leaves it twice, under one sequence, by which it is recognised.
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
#include "pubsub/keep.h"

#define JOURNALS_MOST 1024 /* as there are threads at most */
#define PATH_BYTES    4096

/* A message, or a count, that some journal has. */
struct found {
	uint64_t sequence;
	unsigned journal;
	bool is_count;
	bool is_queued;
	struct published *message; /* NULL: a count */
	struct keep_entry *entry;  /* of the message */
	struct journal_record *record;
	uint64_t before, at_ms;
	uint32_t deliveries;
};

/* A broker that has run. */
struct former {
	struct journal_record *record;
	unsigned journal;
	struct keep_run run;
};

/* What is to be dropped once all else is durable. */
struct leftover {
	unsigned journal;
	struct journal_record *record;
	struct keep_entry *entry; /* that it is in; NULL: it stands for itself */
};

struct opening {
	struct keeper *keeper;
	struct journal *journals[JOURNALS_MOST]; /* NULL: there is none */
	unsigned at;                             /* that is being read */
	bool was_intact;
	uint64_t now_ms, last; /* the highest sequence */
	struct buf found, formers, leftovers, scratch;
	struct keep_record record; /* scratch too: it is large */
	char *why;
	size_t size;
};

static int refuse(struct opening *o, int err, const char *key, const char *what)
{
	snprintf(o->why, o->size, "stomp.%s: %s/%u: %s", key, o->keeper->directory, o->at, what);
	return err;
}

static int no_memory(struct opening *o)
{
	return refuse(o, -ENOMEM, "journal", "out of memory");
}

/* --- reading ---------------------------------------------------------------------------- */

static int find_run(struct opening *o, const struct keep_run *run, struct journal_record **record)
{
	struct former f = { mem_alloc(sizeof(*f.record)), o->at, *run };

	if (!f.record || buf_add(&o->formers, &f, sizeof(f)) < 0) {
		mem_free(f.record);
		return -ENOMEM;
	}
	*record = f.record;
	return 0;
}

static int find_count(
    struct opening *o, const struct keep_count *count, struct journal_record **record)
{
	struct found f = { .sequence = count->sequence,
		.journal = o->at,
		.is_count = true,
		.deliveries = count->deliveries };

	f.record = mem_alloc(sizeof(*f.record));
	if (!f.record || buf_add(&o->found, &f, sizeof(f)) < 0) {
		mem_free(f.record);
		return -ENOMEM;
	}
	*record = f.record;
	return 0;
}

static int find_message(
    struct opening *o, bool is_queued, const struct keep_message *m, struct journal_record **record)
{
	struct found f = { .sequence = m->sequence,
		.journal = o->at,
		.is_queued = is_queued,
		.before = m->before,
		.at_ms = m->at_ms };

	f.entry = mem_zalloc(sizeof(*f.entry));
	f.message =
	    published_new(&o->scratch, m->destination, m->headers, m->header_count, m->body);
	if (!f.entry || !f.message || buf_add(&o->found, &f, sizeof(f)) < 0) {
		if (f.message)
			broker_message_unref(&f.message->base);
		mem_free(f.entry);
		return -ENOMEM;
	}
	f.message->entry = f.entry;
	f.message->base.sequence = m->sequence;
	f.message->base.lasts = m->lasts;
	if (m->sequence > o->last)
		o->last = m->sequence;
	*record = &f.entry->message;
	return 0;
}

static int on_recovered(
    void *opening, uint64_t number, struct bytes body, struct journal_record **record)
{
	struct opening *o = opening;
	const char *wrong = keep_read(body, &o->record);
	char text[160];

	if (wrong) {
		snprintf(text, sizeof(text), "record %llu: %s", (unsigned long long)number, wrong);
		return refuse(o, -EBADMSG, "journal", text);
	}
	switch (o->record.kind) {
	case KEEP_RUN:
		return find_run(o, &o->record.run, record);
	case KEEP_COUNT:
		return find_count(o, &o->record.count, record);
	default:
		return find_message(o, o->record.kind == KEEP_QUEUED, &o->record.message, record);
	}
}

static int open_journal(struct opening *o)
{
	struct journal_options options = o->keeper->options;
	char path[PATH_BYTES], why[512];
	int err;

	snprintf(path, sizeof(path), "%s/%u", o->keeper->directory, o->at);
	options.recovered = on_recovered;
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
		return refuse(o, -errno, "journal", strerror(errno));
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

/* --- who the broker is -------------------------------------------------------------------- */

static const struct former *formers(const struct opening *o, size_t *count)
{
	*count = buf_len(&o->formers) / sizeof(struct former);
	return (const void *)buf_data(&o->formers);
}

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
	const struct former *f = formers(o, &count);
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
	const struct former *f = formers(o, &count);
	uint64_t first = o->last + 1;

	for (size_t i = 0; i < count; i++)
		if (f[i].run.reserved > first)
			first = f[i].run.reserved;
	return first < KEEP_BLOCK ? KEEP_BLOCK : first;
}

/* --- moving -------------------------------------------------------------------------------- */

static int leave_behind(
    struct opening *o, unsigned journal, struct journal_record *record, struct keep_entry *entry)
{
	struct leftover l = { journal, record, entry };

	return buf_add(&o->leftovers, &l, sizeof(l));
}

static int wait_for_all(struct opening *o)
{
	int err = 0;

	for (o->at = 0; o->at < JOURNALS_MOST && err == 0; o->at++)
		if (o->journals[o->at] && (err = journal_wait(o->journals[o->at])) < 0)
			return refuse(o, err, "journal", strerror(-err));
	return 0;
}

/* A put that has to wait for the disk does so here. */
static int put_again(struct opening *o, struct found *f, struct journal_record *record)
{
	struct keep_part *to = &o->keeper->parts[f->message->base.owner];
	int err;

	do {
		err = f->is_count ? keep_put_count(to, f->sequence, f->deliveries, record)
		                  : keep_put_message(to, f->message,
		                        f->is_queued ? KEEP_QUEUED : KEEP_HISTORY, f->before,
		                        f->at_ms, record);
	} while (err == -EAGAIN && journal_wait(to->journal) == 0);
	if (err == 0)
		return 0;
	o->at = f->message->base.owner;
	return err == -ENOSPC ? refuse(o, err, "journal_max_bytes",
	                            "has no room for what belongs to this thread now")
	                      : refuse(o, err, "journal", strerror(-err));
}

static int move_message(struct opening *o, struct found *f)
{
	struct keep_entry *entry = mem_zalloc(sizeof(*entry));
	int err = entry ? put_again(o, f, &entry->message) : no_memory(o);

	if (err == 0 && leave_behind(o, f->journal, &f->entry->message, f->entry) < 0)
		err = no_memory(o);
	if (err < 0) {
		mem_free(entry); /* its journal will be closed before it is looked at */
		return err;
	}
	f->message->entry = f->entry = entry;
	return 0;
}

/* Of the message before it; in its journal, if it is there already. */
static int move_count(struct opening *o, struct found *count, struct found *of)
{
	struct journal_record *record = count->record;
	int err = 0;

	count->message = of->message;
	if (count->journal != of->message->base.owner) {
		if (!(record = mem_alloc(sizeof(*record))))
			return no_memory(o);
		err = put_again(o, count, record);
		if (err == 0 && leave_behind(o, count->journal, count->record, NULL) < 0)
			err = no_memory(o);
	}
	if (err < 0) {
		mem_free(record);
		return err;
	}
	of->deliveries = count->deliveries;
	of->entry->count = record;
	count->record = NULL;
	return 0;
}

/* By sequence; the message before its counts, and that in its owner's journal first. */
static int compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence < y->sequence ? -1 : 1;
	if (x->is_count != y->is_count)
		return x->is_count ? 1 : -1;
	if (x->is_count)
		return (x->deliveries < y->deliveries) - (x->deliveries > y->deliveries);
	return (y->journal == y->message->base.owner) - (x->journal == x->message->base.owner);
}

static struct found *all_found(struct opening *o, size_t *count)
{
	*count = buf_len(&o->found) / sizeof(struct found);
	return (void *)buf_data(&o->found);
}

/* One message, and what else there is under its sequence. */
static int settle_one(struct opening *o, struct found *f, struct found *first)
{
	bool is_new = f == first && !f->is_count;

	if (is_new)
		return f->journal == f->message->base.owner ? 0 : move_message(o, f);
	if (f->is_count && !first->is_count && !first->entry->count)
		return move_count(o, f, first);
	if (leave_behind(o, f->journal, f->is_count ? f->record : &f->entry->message, f->entry) < 0)
		return no_memory(o);
	f->record = NULL;
	if (f->is_count) /* of a message that is gone, or an older one */
		return 0;
	f->message->entry = NULL;
	broker_message_unref(&f->message->base);
	f->message = NULL;
	return 0;
}

static int settle_all(struct opening *o)
{
	size_t count;
	struct found *f = all_found(o, &count), *first = f;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		if (f[i].message)
			f[i].message->base.owner = broker_owner_of(
			    o->keeper->broker->topics, f[i].message->base.destination);
	if (count > 0)
		qsort(f, count, sizeof(*f), compare);
	for (size_t i = 0; i < count && err == 0; i++) {
		if (f[i].sequence != first->sequence)
			first = &f[i];
		err = settle_one(o, &f[i], first);
	}
	return err;
}

static int begin_runs(struct opening *o)
{
	struct keeper *k = o->keeper;
	int err = 0;

	for (o->at = 0; o->at < k->count && err == 0; o->at++) {
		struct broker_part *part = broker_part(k->broker->topics, o->at);

		err = keep_put_run(&k->parts[o->at], broker_reserved(part), false);
		if (err < 0)
			return refuse(o, err, err == -ENOSPC ? "journal_max_bytes" : "journal",
			    strerror(-err));
	}
	return 0;
}

static void drop_leftovers(struct opening *o)
{
	size_t count = buf_len(&o->leftovers) / sizeof(struct leftover), former_count;
	const struct leftover *l = (const void *)buf_data(&o->leftovers);
	const struct former *f = formers(o, &former_count);

	for (size_t i = 0; i < former_count; i++)
		journal_drop(o->journals[f[i].journal], f[i].record);
	for (size_t i = 0; i < count; i++)
		journal_drop(o->journals[l[i].journal], l[i].record);
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
		return refuse(
		    o, -EINVAL, "queues", "has messages of queues, which \"topics\" would forget");
	if (err == -ENOENT)
		keep_drop(o->keeper->broker, &f->message->base);
	else if (err < 0)
		return no_memory(o);
	broker_message_unref(&f->message->base);
	f->message = NULL;
	return 0;
}

static int restore_all(struct opening *o)
{
	size_t count, messages = 0;
	struct found *f = all_found(o, &count);
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
	if ((err = begin_runs(o)) < 0 || (err = settle_all(o)) < 0 || (err = wait_for_all(o)) < 0)
		return err;
	drop_leftovers(o);
	if ((err = restore_all(o)) < 0 || (err = mark_intact(o)) < 0)
		return err;
	return wait_for_all(o);
}

static void free_all(struct opening *o)
{
	size_t count, former_count, left = buf_len(&o->leftovers) / sizeof(struct leftover);
	const struct leftover *l = (const void *)buf_data(&o->leftovers);
	struct found *f = all_found(o, &count);
	const struct former *former = formers(o, &former_count);

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
