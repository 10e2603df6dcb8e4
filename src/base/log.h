/*
 * base/log.h - structured log lines on standard error.
 *
 * A line is one event: a level, a short message that never varies, and fields.
 *
 *	log_info("session closed", LOG_INT("id", s->id), LOG_STR("reason", r));
 *
 * text: 2026-01-31T12:00:00.123Z info  session closed id=17 reason="Go away!"
 * json: {"time":"...","level":"info","message":"session closed","id":17,...}
 *
 * Strings are escaped, so nothing from the network can forge a line or reach a
 * terminal; octets that are not UTF-8 become \ufffd. A long string is cut ("...")
 * and fields for which the line has no room are left out, so a line is always
 * whole. Levels below the one set cost a comparison. Thread-safe: one write(2)
 * per line. errno is left alone.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_SILENT };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *key; /* NULL ends the list */
	const char *str; /* a string, or NULL for a number */
	long long num;   /* the number, or the length of the string */
};

/* Strings may be NULL; they are borrowed for the call. */
#define LOG_STR(k, v)   log_bytes_field((k), bytes_of(v))
#define LOG_BYTES(k, v) log_bytes_field((k), (v))
#define LOG_INT(k, v)   ((struct log_field){ (k), NULL, (long long)(v) })
/* An errno value (positive or negative), spelt out. */
#define LOG_ERR(v) log_errno_field(v)

static inline struct log_field log_bytes_field(const char *key, struct bytes v)
{
	return (struct log_field){ key, v.p ? v.p : "", (long long)v.n };
}

extern atomic_int log_threshold; /* an enum log_level */

/* A program embedding the library may take the lines over; NULL gives them back to standard
 * error. `line` is one formatted line without its newline. Called on any thread; to be set before
 * there are several. Level and format may change at any time. */
typedef void (*log_sink_fn)(enum log_level level, const char *line, void *arg);

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
void log_set_sink(log_sink_fn sink, void *arg);
/* Whether standard error is the journal of systemd ($JOURNAL_STREAM): then lines on it begin with
 * their priority ("<4>"), which the journal takes off. To be asked before there are threads. */
bool log_find_journal(void);
/* The level or format named by a word; -1 if there is none. */
int log_level_by_name(const char *name);
int log_format_by_name(const char *name);
const char *log_level_name(enum log_level level);

struct log_field log_errno_field(int err);

/* A log must not be a way to fill a disk, and a pipe takes a write up to PIPE_BUF (4096) octets
 * whole. */
#define LOG_LINE_MAX 4096

/* A line as log_write() writes it, for logs of their own (base/log_file.h). */
struct log_line {
	size_t len;
	bool full; /* something did not fit */
	char text[LOG_LINE_MAX];
};
/* With a newline at its end. */
void log_line_print(struct log_line *l, enum log_format format, enum log_level level,
    const char *message, const struct log_field *fields);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

static inline int log_get_threshold(void)
{
	return atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if (__builtin_expect((int)(level) >= log_get_threshold(), 0))                      \
			log_event(level, __VA_ARGS__);                                             \
	} while (0)
#define log_event(level, message, ...)                                                             \
	log_write(level, message, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })

/* Lines that strangers can cause, as often as they like: LOG_LIMIT_LINES a second from each place
 * in the code, then silence. What was left out is counted, and told as suppressed=N by the next
 * line from there, or by a line of its own (log_tell_suppressed()). */
#define LOG_LIMIT_LINES 10

struct log_limit {
	atomic_uint_fast64_t second; /* the one that `lines` are of */
	atomic_uint_fast64_t suppressed;
	atomic_uint lines;
	atomic_flag listed;
	atomic_int level;            /* of the last one left out, */
	const char *_Atomic message; /* which is a literal */
	struct log_limit *next;
};

/* As log_write(), within a limit that lasts as long as the program (zeroed at first). */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *message,
    const struct log_field *fields);
/* Says what was left out wherever the second is over, or (`all`) everywhere. False: some of it
 * still has to wait. */
bool log_tell_suppressed(bool all);
/* Called when a line was left out where none was before: somebody should call log_tell_suppressed()
 * in a second or two, in the thread of the line. */
typedef void (*log_hook_fn)(void);
void log_set_suppressed_hook(log_hook_fn fn);

#define log_limited_at(level, message, ...)                                                        \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
                                                                                                   \
		if (__builtin_expect((int)(level) >= log_get_threshold(), 0))                      \
			log_write_limited(&limit_, level, message,                                 \
			    (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } });        \
	} while (0)

#define log_info_limited(...) log_limited_at(LOG_INFO, __VA_ARGS__)
#define log_warn_limited(...) log_limited_at(LOG_WARN, __VA_ARGS__)

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
