/*
 * base/log.h - structured log lines on standard error.
 *
 * A line is one event: a level, a short message that never varies, and fields.
 *
 *	log_info("session closed", LOG_U64("id", s->id), LOG_U32("code", code), LOG_STR("reason", r));
 *
 * text: 2026-01-31T12:00:00.123Z info  session closed id=17 code=3000 reason="Go away!"
 * json: {"time":"...","level":"info","message":"session closed","id":17,"code":3000,...}
 *
 * Strings are escaped, so nothing from the network can forge a line. Levels
 * below the one set cost a comparison. Thread-safe: one write(2) per line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_SILENT };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *key; /* NULL ends the list */
	const char *str; /* a string, or NULL for a number */
	long long num;
};

#define LOG_STR(k, v) ((struct log_field){ (k), (v) ? (v) : "", 0 })
#define LOG_INT(k, v) ((struct log_field){ (k), NULL, (long long)(v) })
/* An errno value (positive or negative), spelt out. */
#define LOG_ERR(v) log_errno_field(v)

extern enum log_level log_threshold;

/* A program embedding the library may take the lines over; NULL gives them back to standard
 * error. `line` is one formatted line without its newline. Called on any thread. */
typedef void (*log_sink_fn)(enum log_level level, const char *line, void *arg);

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
void log_set_sink(log_sink_fn sink, void *arg);
/* The level or format named by a word; -1 if there is none. */
int log_level_by_name(const char *name);
int log_format_by_name(const char *name);
const char *log_level_name(enum log_level level);

struct log_field log_errno_field(int err);
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define log_at(level, ...) \
	do { \
		if (__builtin_expect((level) >= log_threshold, 0)) \
			log_event(level, __VA_ARGS__); \
	} while (0)
#define log_event(level, message, ...) \
	log_write(level, message, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ) { 0 } })

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
