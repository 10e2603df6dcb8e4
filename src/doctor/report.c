/*
 * doctor/report.c - reads a report; see report.h. doc/doctor.md says what may stand in one.
 *
 * A table for each kind of object says which members it has. What is made is new: nothing of what
 * was said gets through that a table does not know.
 */
#include "doctor/report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LIST_CAUSES     4
#define LIST_TRANSPORTS 12
#define MOST_MS         3600000
#define MOST_OCTETS     1073741824
#define TEXT_MOST       128

enum kind { WORD, WORDS, NUMBER, TRUTH, TEXT, OBJECT, OBJECTS };

struct known {
	const char *name;
	enum kind kind;
	const char *const *words;    /* that it may be */
	const struct known *members; /* of an object */
	json_int_t most;             /* a number, or so many in a list */
	bool is_needed;
};

static const char *const causes[] = { "ok", "unreachable", "info_unreachable", "upgrade_refused",
	"upgrade_hangs", "websocket_silent", "websocket_one_way", "websocket_black", "streams_held",
	"streams_late", "idle_cut", "idle_silent", "cut_by_age", "cut_by_octets", "post_refused",
	"origin_rewritten", "far", "sessions_lost", "streams_refused", "unclear", NULL };
static const char *const clients[] = { "browser", "terminal", NULL };
static const char *const transports[] = { "websocket", "raw-websocket", "xhr-streaming",
	"eventsource", "iframe-eventsource", "htmlfile", "iframe-htmlfile", "xhr-polling",
	"iframe-xhr-polling", "jsonp-polling", NULL };
static const char *const states[] = { "works", "slow", "failed", "untried", NULL };
static const char *const holds[] = { "no", "end", "octets", NULL };

static const struct known of_transport[] = {
	{ "name", WORD, transports, NULL, 0, true },
	{ "state", WORD, states, NULL, 0, true },
	{ "open_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ "held", WORD, holds, NULL, 0, false },
	{ "held_bytes", NUMBER, NULL, NULL, MOST_OCTETS, false },
	{ "late_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ "sends", TRUTH, NULL, NULL, 0, false },
	{ "echo_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ NULL },
};
static const struct known of_idle[] = {
	{ "survived_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ "cut_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ "noticed", TRUTH, NULL, NULL, 0, false },
	{ NULL },
};
static const struct known of_report[] = {
	{ "cause", WORD, causes, NULL, 0, true },
	{ "causes", WORDS, causes, NULL, LIST_CAUSES, false },
	{ "client", WORD, clients, NULL, 0, false },
	{ "round_trip_ms", NUMBER, NULL, NULL, MOST_MS, false },
	{ "transports", OBJECTS, NULL, of_transport, LIST_TRANSPORTS, false },
	{ "idle", OBJECT, NULL, of_idle, 0, false },
	{ "via", TEXT, NULL, NULL, TEXT_MOST, false },
	{ NULL },
};

struct reading {
	char *why;
	size_t size;
};

static json_t *fail(const struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static json_t *fail(const struct reading *r, const char *format, ...)
{
	va_list ap;

	if (r->why[0])
		return NULL;
	va_start(ap, format);
	vsnprintf(r->why, r->size, format, ap);
	va_end(ap);
	return NULL;
}

/* --- single values ------------------------------------------------------------------------ */

static bool is_word(const char *const *words, const char *text)
{
	while (text && *words && strcmp(*words, text) != 0)
		words++;
	return text && *words;
}

bool report_is_cause(const char *word)
{
	return is_word(causes, word);
}

static json_t *read_word(const struct reading *r, const struct known *k, const json_t *said)
{
	if (is_word(k->words, json_string_value(said)))
		return json_string(json_string_value(said));
	return fail(r, "%s must be one of the words that it may be.", k->name);
}

static json_t *read_number(const struct reading *r, const struct known *k, const json_t *said)
{
	json_int_t n = json_integer_value(said);

	if (json_is_integer(said) && n >= 0 && n <= k->most)
		return json_integer(n);
	return fail(r, "%s must be a whole number from 0 to %" JSON_INTEGER_FORMAT ".", k->name,
	    k->most);
}

/* No control characters: somebody will look at it in a terminal. */
static json_t *read_text(const struct reading *r, const struct known *k, const json_t *said)
{
	const char *text = json_string_value(said);
	bool is_well = text && json_string_length(said) <= (size_t)k->most;

	for (const char *p = text; is_well && *p; p++)
		is_well = (unsigned char)*p >= ' ' && *p != 0x7f;
	if (is_well)
		return json_string(text);
	return fail(r, "%s must be a text of at most %" JSON_INTEGER_FORMAT
	               " octets without control characters.",
	    k->name, k->most);
}

/* --- objects and lists ----------------------------------------------------------------------- */

static json_t *read_object(const struct reading *r, const struct known *members, const json_t *said);

static json_t *read_item(const struct reading *r, const struct known *k, const json_t *said)
{
	return k->kind == WORDS ? read_word(r, k, said) : read_object(r, k->members, said);
}

static json_t *read_list(const struct reading *r, const struct known *k, const json_t *said)
{
	json_t *list, *item;
	size_t i;

	if (!json_is_array(said) || json_array_size(said) > (size_t)k->most)
		return fail(r, "%s must be a list of at most %" JSON_INTEGER_FORMAT ".", k->name, k->most);
	list = json_array();
	json_array_foreach (said, i, item) {
		if (json_array_append_new(list, read_item(r, k, item)) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *read_value(const struct reading *r, const struct known *k, const json_t *said)
{
	switch (k->kind) {
	case WORD:
		return read_word(r, k, said);
	case NUMBER:
		return read_number(r, k, said);
	case TEXT:
		return read_text(r, k, said);
	case TRUTH:
		return json_is_boolean(said) ? json_boolean(json_is_true(said))
		                             : fail(r, "%s must be true or false.", k->name);
	case OBJECT:
		return read_object(r, k->members, said);
	case WORDS:
	case OBJECTS:
		break;
	}
	return read_list(r, k, said);
}

static bool has_only(const struct reading *r, const struct known *members, const json_t *said)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)said, name, value) {
		const struct known *k = members;

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (!k->name) {
			fail(r, "A report has no member \"%.40s\".", name);
			return false;
		}
	}
	return true;
}

static json_t *read_object(const struct reading *r, const struct known *members, const json_t *said)
{
	json_t *made;

	if (!json_is_object(said))
		return fail(r, "This must be an object.");
	if (!has_only(r, members, said))
		return NULL;
	made = json_object();
	for (const struct known *k = members; k->name; k++) {
		const json_t *value = json_object_get(said, k->name);

		if (!value && k->is_needed)
			fail(r, "%s is missing.", k->name);
		if ((!value && !k->is_needed) ||
		    (value && json_object_set_new(made, k->name, read_value(r, k, value)) == 0))
			continue;
		json_decref(made);
		return NULL;
	}
	return made;
}

json_t *report_read(const json_t *said, char *why, size_t size)
{
	const struct reading r = { why, size };

	why[0] = '\0';
	return read_object(&r, of_report, said);
}
