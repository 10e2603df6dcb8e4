/*
 * base/log_file.c - two buffers, of which one is filled while the other is written; see log_file.h.
 */
#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define EVERY_S 1   /* what waits is written at the latest */
#define LOOK_MS 200 /* whether it is over, while a pipe is full */

struct lines {
	char *text;
	size_t n;
	uint64_t count;
};

struct log_file {
	atomic_uint refs;
	char *path; /* NULL: standard error */
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of `filling` */
	struct lines filling, writing;
	sem_t something;      /* to be done before the second is over */
	atomic_bool is_asked; /* it has been said */
	atomic_bool is_over;
	bool is_left; /* nobody waits for the end: the thread frees it */
	unsigned generation; /* of log_reopen() */
	bool is_torn;        /* the last line is not whole */
	bool has_failed;     /* and it was said */
	atomic_uint_fast64_t written, dropped;
	uint64_t told; /* of these */
};

/* A signal handler asks, so there is no list of files to walk: each looks once a second. */
static atomic_uint generation;

void log_reopen(void)
{
	atomic_fetch_add(&generation, 1);
}

/* --- adding ----------------------------------------------------------------------- */

static void ask_writer(struct log_file *f)
{
	if (!atomic_exchange(&f->is_asked, true))
		sem_post(&f->something);
}

void log_file_add(struct log_file *f, const char *line, size_t n)
{
	bool is_half_full;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	if (f->filling.n + n > LOG_FILE_BUFFER) {
		pthread_mutex_unlock(&f->lock);
		atomic_fetch_add(&f->dropped, 1);
		return;
	}
	memcpy(f->filling.text + f->filling.n, line, n);
	f->filling.n += n;
	f->filling.count++;
	is_half_full = f->filling.n > LOG_FILE_BUFFER / 2;
	pthread_mutex_unlock(&f->lock);
	if (is_half_full)
		ask_writer(f);
}

/* --- writing ---------------------------------------------------------------------- */

/* A pipe, too: one without a reader is an error, and one whose reader is slow is waited for, but not
 * beyond the end. */
static int open_file(const char *path)
{
	int fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	return fd < 0 ? -errno : fd;
}

static void reopen(struct log_file *f)
{
	int fd;

	f->generation = atomic_load(&generation);
	if (!f->path)
		return;
	fd = open_file(f->path);
	if (fd < 0) {
		log_error("a log cannot be opened anew: it goes on in the old file",
		    LOG_STR("file", f->path), LOG_ERR(fd));
		return;
	}
	close(f->fd);
	f->fd = fd;
	f->is_torn = false;
	log_info("a log was opened anew", LOG_STR("file", f->path));
}

static const char *name_of(const struct log_file *f)
{
	return f->path ? f->path : "standard error";
}

static void say_failure(struct log_file *f, int err)
{
	if (f->has_failed)
		return;
	f->has_failed = true;
	log_error("a log cannot be written: its lines are lost", LOG_STR("file", name_of(f)),
	    LOG_ERR(err));
}

/* What did not fit into the buffer was lost as well. */
static void say_losses(struct log_file *f, bool works)
{
	uint64_t dropped = atomic_load(&f->dropped);

	if (!works || dropped == f->told)
		return;
	log_warn(f->has_failed ? "a log can be written again"
	                       : "lines of a log were lost: the disk is too slow",
	    LOG_STR("file", name_of(f)), LOG_INT("lost", dropped - f->told));
	f->told = dropped;
	f->has_failed = false;
}

/* Whether it is worth trying again. */
static bool waits_for_room(const struct log_file *f)
{
	struct pollfd room = { .fd = f->fd, .events = POLLOUT };

	while (!atomic_load(&f->is_over))
		if (poll(&room, 1, LOOK_MS) > 0)
			return true;
	return false;
}

/* How many octets could be written; *err says why not more. */
static size_t write_all(const struct log_file *f, const char *p, size_t n, int *err)
{
	size_t done = 0;

	*err = 0;
	while (done < n && *err == 0) {
		ssize_t k = write(f->fd, p + done, n - done);

		if (k >= 0)
			done += (size_t)k;
		else if (errno != EINTR && (errno != EAGAIN || !waits_for_room(f)))
			*err = errno;
	}
	return done;
}

/* Others write to standard error, too: a line is one write, so that they do not mix. */
static size_t write_lines(const struct log_file *f, const char *p, size_t n, int *err)
{
	size_t done = 0;

	*err = 0;
	while (done < n && *err == 0) {
		size_t len =
		    f->path ? n - done
		            : (size_t)((char *)memchr(p + done, '\n', n - done) + 1 - (p + done));

		done += write_all(f, p + done, len, err);
	}
	return done;
}

static uint64_t count_lines(const char *p, size_t n)
{
	uint64_t count = 0;
	const char *end = p + n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		count++;
		p++;
	}
	return count;
}

static void write_out(struct log_file *f)
{
	struct lines *l = &f->writing;
	size_t done = 0;
	uint64_t whole;
	int err = 0;

	if (f->is_torn && write_all(f, "\n", 1, &err) == 1)
		f->is_torn = false;
	if (err == 0)
		done = write_lines(f, l->text, l->n, &err);
	whole = done == l->n ? l->count : count_lines(l->text, done);
	if (done > 0)
		f->is_torn = l->text[done - 1] != '\n';
	atomic_fetch_add(&f->written, whole);
	atomic_fetch_add(&f->dropped, l->count - whole);
	if (err)
		say_failure(f, err);
	say_losses(f, err == 0 && l->n > 0);
	l->n = 0;
	l->count = 0;
}

static void swap(struct log_file *f)
{
	struct lines full;

	pthread_mutex_lock(&f->lock);
	full = f->filling;
	f->filling = f->writing;
	f->writing = full;
	pthread_mutex_unlock(&f->lock);
}

/* Until the second is over, or somebody asks. */
static void wait_for_something(struct log_file *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EVERY_S;
	while (sem_timedwait(&f->something, &until) < 0 && errno == EINTR)
		;
	atomic_store(&f->is_asked, false);
}

static void release(struct log_file *f)
{
	if (f->path && f->fd >= 0)
		close(f->fd);
	pthread_mutex_destroy(&f->lock);
	sem_destroy(&f->something);
	mem_free(f->filling.text);
	mem_free(f->writing.text);
	mem_free(f->path);
	mem_free(f);
}

static void *run(void *arg)
{
	struct log_file *f = arg;
	bool is_over;

	do {
		wait_for_something(f);
		is_over = atomic_load(&f->is_over);
		swap(f);
		write_out(f);
		if (f->generation != atomic_load(&generation))
			reopen(f);
	} while (!is_over);
	if (f->is_left)
		release(f);
	return NULL;
}

/* --- life --------------------------------------------------------------------------- */

/* Signals are for the threads that expect them. */
static int start(struct log_file *f)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = -pthread_create(&f->thread, NULL, run, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int log_file_open(struct log_file **out, const char *path)
{
	struct log_file *f = mem_zalloc(sizeof(*f));
	int err = 0;

	if (!f)
		return -ENOMEM;
	atomic_init(&f->refs, 1);
	pthread_mutex_init(&f->lock, NULL);
	sem_init(&f->something, 0, 0);
	f->fd = STDERR_FILENO;
	f->generation = atomic_load(&generation);
	f->filling.text = mem_alloc(LOG_FILE_BUFFER);
	f->writing.text = mem_alloc(LOG_FILE_BUFFER);
	if (strcmp(path, "-") != 0) {
		f->path = mem_strdup(path);
		f->fd = f->path ? open_file(path) : -ENOMEM;
	}
	if (f->fd < 0)
		err = f->fd;
	else
		err = f->filling.text && f->writing.text ? start(f) : -ENOMEM;
	if (err < 0) {
		release(f);
		return err;
	}
	*out = f;
	return 0;
}

struct log_file *log_file_ref(struct log_file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

const char *log_file_path(const struct log_file *f)
{
	return f->path ? f->path : "-";
}

static bool is_last(struct log_file *f)
{
	return f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1;
}

void log_file_close(struct log_file *f)
{
	if (!is_last(f))
		return;
	atomic_store(&f->is_over, true);
	ask_writer(f);
	pthread_join(f->thread, NULL);
	release(f);
}

void log_file_leave(struct log_file *f)
{
	if (!is_last(f))
		return;
	f->is_left = true;
	pthread_detach(f->thread);
	atomic_store(&f->is_over, true); /* the last that is done with it here: it may be gone */
}

struct log_file_counts log_file_counts(const struct log_file *f)
{
	if (!f)
		return (struct log_file_counts){ 0 };
	return (struct log_file_counts){ atomic_load(&f->written), atomic_load(&f->dropped) };
}
