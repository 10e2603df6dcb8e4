/*
 * server/json_text.c - the one place that knows how jansson complains; see json_text.h.
 */
#include "server/json_text.h"

#include <errno.h>
#include <stdio.h>

#include "base/snapshot.h"

const char *json_text_complaint(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a NUL character (\\u0000) is not allowed";
	case json_error_stack_overflow:
		return "objects and lists are nested too deeply";
	case json_error_invalid_utf8:
		return "this is not UTF-8";
	default:
		return error->text;
	}
}

struct dump {
	struct buf *out;
	bool failed; /* once: jansson goes on where the name of a member did not go out */
};

static int append(const char *p, size_t n, void *arg)
{
	struct dump *d = arg;

	d->failed = d->failed || buf_add(d->out, p, n) < 0;
	return d->failed ? -1 : 0;
}

int json_text_dump(const json_t *value, size_t flags, struct buf *out)
{
	struct dump d = { out, false };

	return json_dump_callback(value, append, &d, flags) == 0 && !d.failed ? 0 : -ENOMEM;
}

int json_text_check(const char *text, bool *is_null, char *why, size_t size)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	*is_null = json_is_null(value);
	if (value) {
		json_decref(value);
		return 0;
	}
	if (error.text[0] == '\0')
		return -ENOMEM;
	snprintf(why, size, "line %d, column %d: %s", error.line, error.column,
	    json_text_complaint(&error));
	return -EINVAL;
}

json_t *json_text_value(const char *text)
{
	return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

json_t *json_text_snapshot(json_t *value, struct snapshot *s)
{
	struct buf out = BUF_INIT;
	struct bytes text;

	if (!s->is_reading && value && json_text_dump(value, JSON_COMPACT, &out) < 0)
		snapshot_fail(s, -ENOMEM);
	text = snapshot_bytes(s, (struct bytes){ buf_data(&out), buf_len(&out) });
	buf_fini(&out);
	if (!s->is_reading)
		return value;
	value = text.p ? json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL) : NULL;
	snapshot_check(s, value || !text.p);
	return value;
}
