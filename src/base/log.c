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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define STRING_MAX_BYTES 1024 /* of a value, escaped */
#define FIELDS_MAX       16   /* of a limited line */

atomic_int log_threshold = LOG_INFO;
static atomic_int format = LOG_TEXT;
static log_sink_fn sink;
static void *sink_arg;
static bool is_journal;

static const char *const level_names[] = { "debug", "info", "warn", "error", "silent" };
static const char *const format_names[] = { "text", "json" };

static void put(struct log_line *l, const char *s, size_t n)
{
	size_t room =
	    sizeof(l->text) - 2 - l->len; /* keep room for a brace, and a newline or NUL */

	if (n > room) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void put_str(struct log_line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Writes the character at p as it may stand in a line of either format: without control characters,
 * among them those of ISO 6429 (U+0080 to U+009f), and valid UTF-8. The octets it took. */
static size_t put_char(struct log_line *l, const char *p, size_t n)
{
	unsigned char c = (unsigned char)*p;
	uint32_t cp = c;
	unsigned len = c < 0x80 ? 1 : text_char(p, n, &cp);
	char esc[8];

	if (len == 0 || text_is_surrogate(cp))
		cp = 0xfffd;
	if (cp == '"' || cp == '\\') {
		put(l, "\\", 1);
		put(l, p, 1);
	} else if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0xfffd) {
		put(l, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)cp));
	} else {
		put(l, p, len);
	}
	return len ? len : 1;
}

static void put_quoted(struct log_line *l, const char *s, size_t n)
{
	size_t start = l->len, i = 0;

	put(l, "\"", 1);
	while (i < n && l->len - start < STRING_MAX_BYTES && !l->full)
		i += put_char(l, s + i, n - i);
	if (i < n)
		put_str(l, "...");
	put(l, "\"", 1);
}

static void put_time(struct log_line *l)
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

static void put_value(struct log_line *l, const struct log_field *f)
{
	char num[32];

	if (f->str) {
		put_quoted(l, f->str, (size_t)f->num);
	} else {
		put(l, num, (size_t)snprintf(num, sizeof(num), "%lld", f->num));
	}
}

static void put_text_field(struct log_line *l, const struct log_field *f)
{
	put(l, " ", 1);
	put_str(l, f->key);
	put(l, "=", 1);
	put_value(l, f);
}

static void put_json_field(struct log_line *l, const struct log_field *f)
{
	put(l, ",", 1);
	put_quoted(l, f->key, strlen(f->key));
	put(l, ":", 1);
	put_value(l, f);
}

static void put_fields(struct log_line *l, const struct log_field *f,
    void (*put_field)(struct log_line *, const struct log_field *))
{
	for (; f->key; f++) {
		size_t before = l->len;

		put_field(l, f);
		if (l->full) {
			l->len = before;
			return;
		}
	}
}

static void format_text(
    struct log_line *l, enum log_level level, const char *message, const struct log_field *fields)
{
	char word[16];

	put_time(l);
	put(l, word, (size_t)snprintf(word, sizeof(word), " %-5s ", level_names[level]));
	put_str(l, message);
	put_fields(l, fields, put_text_field);
}

static void format_json(
    struct log_line *l, enum log_level level, const char *message, const struct log_field *fields)
{
	put_str(l, "{\"time\":\"");
	put_time(l);
	put_str(l, "\",\"level\":\"");
	put_str(l, level_names[level]);
	put_str(l, "\",\"message\":");
	put_quoted(l, message, strlen(message));
	put_fields(l, fields, put_json_field);
	l->text[l->len++] = '}';
}

static void format_line(struct log_line *l, enum log_format how, enum log_level level,
    const char *message, const struct log_field *fields)
{
	l->len = 0;
	l->full = false;
	if (how == LOG_JSON)
		format_json(l, level, message, fields);
	else
		format_text(l, level, message, fields);
}

void log_line_print(struct log_line *l, enum log_format how, enum log_level level,
    const char *message, const struct log_field *fields)
{
	format_line(l, how, level, message, fields);
	l->text[l->len++] = '\n';
}

/* As syslog(3) numbers them. */
static void begin_for_journal(struct log_line *l, enum log_level level)
{
	static const char *const priorities[] = { "<7>", "<6>", "<4>", "<3>" };

	memmove(l->text + 3, l->text, l->len);
	memcpy(l->text, priorities[level], 3);
	l->len += 3;
}

static void to_stderr(struct log_line *l, enum log_level level)
{
	ssize_t ignored;

	if (is_journal && l->len + 4 <= sizeof(l->text))
		begin_for_journal(l, level);

	l->text[l->len++] = '\n';
	ignored = write(STDERR_FILENO, l->text, l->len); /* nowhere to report a failed log line */
	(void)ignored;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	struct log_line l;
	int saved = errno;

	if ((int)level < log_get_threshold() || level >= LOG_SILENT)
		return;
	format_line(&l, (enum log_format)atomic_load_explicit(&format, memory_order_relaxed), level,
	    message, fields);
	if (sink) {
		l.text[l.len] = '\0';
		sink(level, l.text, sink_arg);
	} else {
		to_stderr(&l, level);
	}
	errno = saved;
}

/* --- limits ------------------------------------------------------------- */

/* Every limit that has ever left something out. They last as long as the program. */
static struct log_limit *_Atomic limits;
static _Atomic log_hook_fn suppressed_hook;

static void list_limit(struct log_limit *limit)
{
	if (atomic_flag_test_and_set(&limit->listed))
		return;
	limit->next = atomic_load(&limits);
	while (!atomic_compare_exchange_weak(&limits, &limit->next, limit))
		;
}

/* Whether there is room in this second for one more line. */
static bool has_room(struct log_limit *limit)
{
	uint_fast64_t now = clock_now() / 1000, second = atomic_load(&limit->second);

	if (second != now && atomic_compare_exchange_strong(&limit->second, &second, now))
		atomic_store(&limit->lines, 0);
	return atomic_fetch_add(&limit->lines, 1) < LOG_LIMIT_LINES;
}

static void leave_out(struct log_limit *limit, enum log_level level, const char *message)
{
	log_hook_fn hook;

	atomic_store(&limit->level, (int)level);
	atomic_store(&limit->message, message);
	if (atomic_fetch_add(&limit->suppressed, 1) > 0)
		return;
	list_limit(limit);
	hook = atomic_load(&suppressed_hook);
	if (hook)
		hook();
}

static void write_with_count(enum log_level level, const char *message,
    const struct log_field *fields, uint_fast64_t suppressed)
{
	struct log_field all[FIELDS_MAX + 2] = { 0 };
	unsigned n = 0;

	for (; n < FIELDS_MAX && fields[n].key; n++)
		all[n] = fields[n];
	all[n] = LOG_INT("suppressed", suppressed);
	log_write(level, message, all);
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *message,
    const struct log_field *fields)
{
	uint_fast64_t suppressed;

	if ((int)level < log_get_threshold())
		return;
	if (!has_room(limit)) {
		leave_out(limit, level, message);
		return;
	}
	suppressed = atomic_exchange(&limit->suppressed, 0);
	if (suppressed)
		write_with_count(level, message, fields, suppressed);
	else
		log_write(level, message, fields);
}

bool log_tell_suppressed(bool all)
{
	static const struct log_field none;
	uint_fast64_t now = clock_now() / 1000;
	bool done = true;

	for (struct log_limit *l = atomic_load(&limits); l; l = l->next) {
		uint_fast64_t suppressed = 0;

		if (all || atomic_load(&l->second) != now)
			suppressed = atomic_exchange(&l->suppressed, 0);
		else
			done = done && atomic_load(&l->suppressed) == 0;
		if (suppressed)
			write_with_count((enum log_level)atomic_load(&l->level),
			    atomic_load(&l->message), &none, suppressed);
	}
	return done;
}

void log_set_suppressed_hook(log_hook_fn fn)
{
	atomic_store(&suppressed_hook, fn);
}

/* --- names -------------------------------------------------------------- */

struct log_field log_errno_field(int err)
{
	return LOG_STR("error", strerror(abs(err)));
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed);
}

void log_set_format(enum log_format f)
{
	atomic_store_explicit(&format, (int)f, memory_order_relaxed);
}

void log_set_sink(log_sink_fn fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

bool log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	is_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	             fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
	return is_journal;
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
