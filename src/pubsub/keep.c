/*
 * pubsub/keep.c - the broker's store, while it runs; see keep.h.
 *
 * What comes in one turn of a reactor is one write at its end (turn.h). Who waits for it is called
 * when the journal says that it is written, or durable, as the option journal_sync has it.
 *
 * When the disk fails nothing more is kept: who wants to is refused, and the rest goes on.
 */
#include "pubsub/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define LEAST_BYTES   65536 /* of a journal */
#define SEGMENT_MOST  (16u << 20)
#define PENDING_BYTES ((size_t)16 << 20)
#define SLACK         (UINT64_C(1) << 20) /* beyond what messages may take: for starts and moves */
#define COST_OF_WAIT  300                 /* nanoseconds */

uint64_t keep_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct published *published_of(struct broker_message *m)
{
	return container_of(m, struct published, base);
}

static struct keep_part *part_of(void *keeper, const struct broker_message *m)
{
	return &((struct keeper *)keeper)->parts[m->owner];
}

/* --- records ---------------------------------------------------------------------- */

/* `body` stands behind what is in the scratch. */
static int put(struct keep_part *part, struct bytes body, struct journal_record *record)
{
	const struct iovec pieces[] = { { buf_data(&part->scratch), buf_len(&part->scratch) },
		{ (void *)(uintptr_t)body.p, body.n } };

	return journal_put(part->journal, record, pieces, 2);
}

int keep_put_message(struct keep_part *part, const struct published *p, enum keep_kind kind,
    uint64_t before, uint64_t at_ms, struct journal_record *record)
{
	struct keep_message m; /* not initialised as a whole: it is large */

	m.lasts = p->base.lasts;
	m.sequence = p->base.sequence;
	m.before = before;
	m.at_ms = at_ms;
	m.destination = p->base.destination;
	m.body = p->body;
	m.header_count = p->header_count - 1; /* the first is the destination */
	for (size_t i = 0; i < m.header_count; i++)
		m.headers[i] = (struct stomp_header){ bytes_of(p->headers[i + 1].name),
			bytes_of(p->headers[i + 1].value) };
	buf_clear(&part->scratch);
	if (keep_write_message(&part->scratch, kind, &m) < 0)
		return -ENOMEM;
	return put(part, p->body, record);
}

int keep_put_count(
    struct keep_part *part, uint64_t sequence, unsigned deliveries, struct journal_record *record)
{
	const struct keep_count count = { sequence, deliveries };

	buf_clear(&part->scratch);
	if (keep_write_count(&part->scratch, &count) < 0)
		return -ENOMEM;
	return put(part, (struct bytes){ 0 }, record);
}

/* Not 0: it may come again. */
static void drop_record(struct keep_part *part, struct journal_record *record)
{
	part->errors += journal_drop(part->journal, record) < 0;
}

int keep_put_run(struct keep_part *part, uint64_t reserved, bool in_order)
{
	struct keeper *k = part->keeper;
	struct keep_run run = { k->identity, reserved, { 0 }, in_order, k->is_durable };
	struct journal_record *record = mem_alloc(sizeof(*record));
	int err;

	memcpy(run.boot, k->boot, KEEP_BOOT);
	buf_clear(&part->scratch);
	err = record ? keep_write_run(&part->scratch, &run) : -ENOMEM;
	if (err == 0)
		err = put(part, (struct bytes){ 0 }, record);
	if (err < 0) {
		mem_free(record);
		return err;
	}
	if (part->run)
		drop_record(part, part->run);
	mem_free(part->run);
	part->run = record;
	part->reserved = reserved;
	return 0;
}

/* --- what the broker asks --------------------------------------------------------- */

/* Of a full journal, which is not a full queue; and of a disk that has failed, whatever it said. */
static int verdict_of(const struct keep_part *part, int err)
{
	if (journal_error(part->journal, NULL))
		return -EIO;
	return err == -ENOSPC ? -EDQUOT : err;
}

/* Room for compaction and drops is always kept (journal.c), and ours besides: a journal that is
 * full of messages must open. */
static bool is_full(const struct keep_part *part)
{
	const struct journal_counters *n = journal_counters(part->journal);

	return n->file_bytes + part->keeper->options.segment_bytes +
	           (n->live_records + 1) * sizeof(struct journal_record) >
	       part->keeper->room;
}

static int on_put(void *keeper, struct broker_message *m, uint64_t before, struct broker_wait *w)
{
	struct keep_part *part = part_of(keeper, m);
	bool is_queued = broker_is_queue(part->keeper->broker->topics, m->destination);
	struct keep_entry *entry = mem_alloc(sizeof(*entry));
	int err = is_full(part) ? -ENOSPC : -ENOMEM;

	if (entry && err != -ENOSPC)
		err =
		    keep_put_message(part, published_of(m), is_queued ? KEEP_QUEUED : KEEP_HISTORY,
		        before, keep_wall_ms(), &entry->message);
	if (err < 0) {
		part->errors++;
		mem_free(entry);
		return verdict_of(part, err);
	}
	entry->count = NULL;
	published_of(m)->entry = entry;
	if (w) {
		w->mark = journal_mark(part->journal);
		list_append(&part->waiting, &w->node);
	}
	return 0;
}

static void on_follow(void *keeper, struct broker_wait *w)
{
	struct keep_part *part = part_of(keeper, w->message);

	if (list_empty(&part->waiting)) {
		w->then(w, 0);
		return;
	}
	w->mark = 0; /* those before it have rising ones */
	list_append(&part->waiting, &w->node);
}

static void on_count(void *keeper, struct broker_message *m, unsigned deliveries)
{
	struct keep_part *part = part_of(keeper, m);
	struct keep_entry *entry = published_of(m)->entry;
	struct journal_record *record = entry ? mem_alloc(sizeof(*record)) : NULL;

	if (!record || is_full(part) || keep_put_count(part, m->sequence, deliveries, record) < 0) {
		part->errors += entry != NULL;
		mem_free(record);
		return;
	}
	if (entry->count)
		drop_record(part, entry->count);
	mem_free(entry->count);
	entry->count = record;
}

static void on_drop(void *keeper, struct broker_message *m)
{
	struct keep_part *part = part_of(keeper, m);
	struct keep_entry *entry = published_of(m)->entry;

	if (!entry || !part->journal)
		return;
	if (entry->count)
		drop_record(part, entry->count);
	drop_record(part, &entry->message);
	keep_entry_free(entry);
	published_of(m)->entry = NULL;
}

static void on_reserve(void *keeper, unsigned index, uint64_t end)
{
	struct keep_part *part = &((struct keeper *)keeper)->parts[index];

	part->errors += keep_put_run(part, end, false) < 0;
}

void keep_use(struct keeper *k, uint64_t first)
{
	const struct broker_store store = { on_put, on_follow, on_count, on_drop, on_reserve, k,
		KEEP_BLOCK };

	broker_use_store(k->broker->topics, &store, &k->identity, first);
}

void keep_entry_free(struct keep_entry *entry)
{
	if (entry)
		mem_free(entry->count);
	mem_free(entry);
}

void keep_drop(struct sockjs_broker *b, struct broker_message *m)
{
	if (b->keeper)
		on_drop(b->keeper, m);
}

/* --- the turn of a reactor ------------------------------------------------------------ */

/* What is read after a restart may lack what was said since: so nobody's id of before is to be
 * believed then. To remove a name is the most that a full disk may do. */
static void on_failure(struct keep_part *part)
{
	part->has_failed = true;
	if (unlinkat(part->keeper->directory_fd, KEEP_INTACT, 0) < 0 && errno != ENOENT)
		log_error("a journal that has failed cannot be marked",
		    LOG_STR("directory", part->keeper->directory), LOG_ERR(-errno));
}

/* How far it is as safe as was promised. */
static uint64_t mark_of(const struct keep_part *part)
{
	return part->keeper->is_durable ? journal_durable(part->journal)
	                                : journal_written(part->journal);
}

/* False: there are more, for another turn. */
static bool answer(struct keep_part *part)
{
	int verdict = part->has_failed ? -EIO : 0;
	uint64_t mark = part->has_failed ? UINT64_MAX : mark_of(part);
	struct list *first;

	while ((first = list_first(&part->waiting)) != NULL) {
		struct broker_wait *w = container_of(first, struct broker_wait, node);

		if (w->mark > mark)
			break;
		if (sockjs_is_late())
			return false;
		sockjs_spend(COST_OF_WAIT);
		list_remove(first);
		w->then(w, verdict);
	}
	return true;
}

static uint64_t on_turn(struct server_turn *t)
{
	struct keep_part *part = container_of(t, struct keep_part, turn);
	struct journal *j = part->journal;
	uint64_t due;

	if (!part->has_begun) { /* no timer runs before its reactor does */
		broker_begin(pubsub_here(part->keeper->broker)->topics);
		part->has_begun = true;
	}
	if (t->is_readable)
		journal_poll(j);
	due = journal_due_ms(j);
	if (due == 0 || (due != UINT64_MAX && due <= clock_now()))
		journal_flush(j);
	if (journal_error(j, NULL) && !part->has_failed)
		on_failure(part);
	return answer(part) ? journal_due_ms(j) : 0;
}

/* --- life ------------------------------------------------------------------------------- */

static void read_boot(char boot[KEEP_BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, boot, KEEP_BOOT - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		memset(boot, 0, KEEP_BOOT);
}

static void read_options(struct keeper *k, const struct stomp_options *o)
{
	uint64_t share = o->journal_max_bytes / k->count;

	if (share < LEAST_BYTES)
		share = LEAST_BYTES;
	k->room = share;
	k->options = (struct journal_options){
		.interval_ms = (uint32_t)o->journal_interval_ms,
		.segment_bytes = share / 8 < SEGMENT_MOST ? (uint32_t)(share / 8) : SEGMENT_MOST,
		.max_bytes = share + SLACK,
		/* What publishers may have under way (pace.c) has room, from all reactors */
		.max_pending_bytes = PENDING_BYTES * (1 + k->count),
		.blocking = server_avoids_io_uring(k->broker->server),
		.repair = o->journal_repair,
	};
	if (strcmp(o->journal_sync, "always") == 0)
		k->options.sync = JOURNAL_SYNC_ALWAYS;
	else if (strcmp(o->journal_sync, "never") == 0)
		k->options.sync = JOURNAL_SYNC_NEVER;
	else
		k->options.sync = JOURNAL_SYNC_INTERVAL;
	k->is_durable = k->options.sync == JOURNAL_SYNC_ALWAYS;
}

int keep_new(struct keeper **out, struct sockjs_broker *b, const struct stomp_options *o)
{
	size_t size = sizeof(struct keeper) + b->part_count * sizeof(struct keep_part);
	struct keeper *k;

	if (!o->journal)
		return 0;
	if (!(k = mem_zalloc(size)))
		return -ENOMEM;
	k->broker = b;
	k->count = b->part_count;
	k->directory_fd = -1;
	k->identity = broker_identity(b->topics);
	for (unsigned i = 0; i < k->count; i++) {
		struct keep_part *part = &k->parts[i];

		part->keeper = k;
		list_init(&part->waiting);
		list_init(&part->turn.node);
		part->turn.fn = on_turn;
	}
	*out = k;
	read_options(k, o);
	read_boot(k->boot);
	k->directory = mem_strdup(o->journal);
	return k->directory ? 0 : -ENOMEM;
}

/* Those who wait are told nothing: their sessions have ended. */
static void end_waits(struct keep_part *part)
{
	struct list *first;

	while ((first = list_first(&part->waiting)) != NULL) {
		struct broker_wait *w = container_of(first, struct broker_wait, node);

		list_remove(first);
		w->then(w, -EPIPE);
	}
}

static void part_close(struct keep_part *part)
{
	int err;

	server_remove_turn(&part->turn);
	if (part->keeper->is_open)
		keep_put_run(part, part->reserved, true);
	err = journal_close(part->journal);
	if (err < 0)
		log_error("the journal has not become durable",
		    LOG_STR("directory", part->keeper->directory),
		    LOG_INT("part", part - part->keeper->parts), LOG_ERR(err));
	part->journal = NULL;
	end_waits(part); /* it does not look at their messages any more */
	mem_free(part->run);
	part->run = NULL;
	buf_fini(&part->scratch);
}

void keep_close(struct keeper *k)
{
	if (!k)
		return;
	for (unsigned i = 0; i < k->count; i++)
		part_close(&k->parts[i]);
	if (k->directory_fd >= 0)
		close(k->directory_fd);
	k->directory_fd = -1;
	k->is_open = false;
}

void keep_free(struct keeper *k)
{
	if (k)
		mem_free(k->directory);
	mem_free(k);
}

void keep_metrics(struct sockjs_metrics *m, const struct pubsub_part *part)
{
	const struct keeper *k = part->broker->keeper;
	const struct keep_part *own;
	const struct journal_counters *n;

	if (!k)
		return;
	own = &k->parts[part - part->broker->parts];
	n = journal_counters(own->journal);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_journal_bytes",
	    "Octets of the journal's files.", NULL, NULL, n->file_bytes);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_journal_records",
	    "Records that would be read after a restart.", NULL, NULL, n->live_records);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_journal_writes_total",
	    "Writes to the journal, each of all that came in a turn.", NULL, NULL, n->writes);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_journal_syncs_total",
	    "Writes that were made durable.", NULL, NULL, n->syncs);
	sockjs_metric(m, SOCKJS_COUNTER, "sockjs_stomp_journal_errors_total",
	    "Messages, or ends of messages, that were not written: the journal is full, or the "
	    "disk has failed.",
	    NULL, NULL, own->errors);
	sockjs_metric(m, SOCKJS_GAUGE, "sockjs_stomp_journal_failed",
	    "Threads whose disk has failed, until a restart.", NULL, NULL, own->has_failed);
}
