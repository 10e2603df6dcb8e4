/*
 * base/log.c - formats an event as text or JSON and writes it in one piece;
 * see log.h.
 */
#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* longer lines are cut: a log must not be a way to fill a disk */

enum log_level log_threshold = LOG_INFO;
static enum log_format format = LOG_TEXT;
static log_sink_fn sink;
static void *sink_arg;

static const char *const level_names[] = { "debug", "info", "warn", "error", "silent" };
static const char *const format_names[] = { "text", "json" };

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void put(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->text) - 2 - l->len; /* keep room for a newline and NUL */

	if (n > room)
		n = room;
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* A quoted string that is valid in both formats: control characters and quotes are escaped. */
static void put_quoted(struct line *l, const char *s)
{
	char esc[8];

	put(l, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			esc[0] = '\\';
			esc[1] = (char)c;
			put(l, esc, 2);
		} else if (c < 0x20 || c == 0x7f) {
			put(l, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", c));
		} else {
			put(l, s, 1);
		}
	}
	put(l, "\"", 1);
}

static void put_time(struct line *l)
{
	struct timespec ts;
	struct tm tm;
	char text[40];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03ldZ", ts.tv_nsec / 1000000);
	put(l, text, n);
}

static void put_field(struct line *l, const struct log_field *f)
{
	char num[32];

	if (f->str) {
		put_quoted(l, f->str);
	} else {
		put(l, num, (size_t)snprintf(num, sizeof(num), "%lld", f->num));
	}
}

static void format_text(struct line *l, enum log_level level, const char *message,
    const struct log_field *f)
{
	char word[16];

	put_time(l);
	put(l, word, (size_t)snprintf(word, sizeof(word), " %-5s ", level_names[level]));
	put_str(l, message);
	for (; f->key; f++) {
		put(l, " ", 1);
		put_str(l, f->key);
		put(l, "=", 1);
		put_field(l, f);
	}
}

static void format_json(struct line *l, enum log_level level, const char *message,
    const struct log_field *f)
{
	put_str(l, "{\"time\":\"");
	put_time(l);
	put_str(l, "\",\"level\":\"");
	put_str(l, level_names[level]);
	put_str(l, "\",\"message\":");
	put_quoted(l, message);
	for (; f->key; f++) {
		put(l, ",", 1);
		put_quoted(l, f->key);
		put(l, ":", 1);
		put_field(l, f);
	}
	put(l, "}", 1);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	struct line l;
	ssize_t ignored;

	if (level < log_threshold || level >= LOG_SILENT)
		return;
	l.len = 0;
	if (format == LOG_JSON)
		format_json(&l, level, message, fields);
	else
		format_text(&l, level, message, fields);
	if (sink) {
		l.text[l.len] = '\0';
		sink(level, l.text, sink_arg);
		return;
	}
	l.text[l.len++] = '\n';
	ignored = write(STDERR_FILENO, l.text, l.len); /* nowhere to report a failed log line */
	(void)ignored;
}

struct log_field log_errno_field(int err)
{
	return LOG_STR("error", strerror(abs(err)));
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

void log_set_format(enum log_format f)
{
	format = f;
}

void log_set_sink(log_sink_fn fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

static int index_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return (int)i;
	return -1;
}

int log_level_by_name(const char *name)
{
	return index_of(name, level_names, sizeof(level_names) / sizeof(*level_names));
}

int log_format_by_name(const char *name)
{
	return index_of(name, format_names, sizeof(format_names) / sizeof(*format_names));
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}
