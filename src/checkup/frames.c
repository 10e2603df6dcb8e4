/*
 * checkup/frames.c - lines, events, scripts and calls, unwrapped; see frames.h.
 *
 * Each wrapping ends each frame with a line end, so there are lines first. What is none of ours (a
 * prelude, a comment, the lines of a page) is passed over.
 */
#include "checkup/frames.h"

#include <errno.h>
#include <jansson.h>

#include "base/percent.h"

void frames_fini(struct frames *f)
{
	buf_fini(&f->line);
	buf_fini(&f->frame);
}

void frames_reset(struct frames *f)
{
	buf_clear(&f->line);
	f->seen = 0;
}

int frames_feed(struct frames *f, struct bytes data)
{
	if (buf_len(&f->line) + data.n > FRAMES_LINE_MAX)
		return -E2BIG;
	return buf_add(&f->line, data.p, data.n);
}

/* --- one line ------------------------------------------------------------------------------ */

static bool keep(struct frames *f, struct bytes frame)
{
	buf_clear(&f->frame);
	return frame.n > 0 && buf_add(&f->frame, frame.p, frame.n) == 0;
}

/* sockjs-client has decodeURI() there. */
static bool unwrap_event(struct frames *f, struct bytes line)
{
	ssize_t n;

	if (!bytes_begin(line, "data: ") || !keep(f, (struct bytes){ line.p + 6, line.n - 6 }))
		return false;
	n = percent_decode((struct bytes){ buf_data(&f->frame), buf_len(&f->frame) }, false,
	    buf_data(&f->frame), buf_len(&f->frame));
	if (n > 0)
		buf_cut(&f->frame, (size_t)n);
	return n > 0;
}

/* NAME("...");, where the text is a string of JSON. */
static bool unwrap_call(struct frames *f, struct bytes line, const char *name)
{
	size_t n = strlen(name);
	json_t *text;
	bool ok;

	if (!bytes_begin(line, name) || line.n < n + 3 || line.p[n] != '(' ||
	    memcmp(line.p + line.n - 2, ");", 2) != 0)
		return false;
	text = json_loadb(line.p + n + 1, line.n - n - 3, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	ok = json_is_string(text) &&
	     keep(f, (struct bytes){ json_string_value(text), json_string_length(text) });
	json_decref(text);
	return ok;
}

static bool unwrap(struct frames *f, struct bytes line)
{
	switch (f->wrapping) {
	case WRAPPED_EVENTS:
		return unwrap_event(f, line);
	case WRAPPED_SCRIPTS:
		return unwrap_call(f, line, "p");
	case WRAPPED_CALLS:
		if (bytes_begin(line, "/**/"))
			line.p += 4, line.n -= 4;
		return unwrap_call(f, line, "c");
	default:
		return line.n < 2 || line.p[1] != 'h' ? keep(f, line) : false;
	}
}

/* The first line, without its end; taken off by its owner. */
static bool next_line(struct frames *f, struct bytes *line)
{
	size_t n = buf_len(&f->line);
	const char *lf =
	    n > f->seen ? memchr(buf_data(&f->line) + f->seen, '\n', n - f->seen) : NULL;

	f->seen = lf ? 0 : n;
	if (!lf)
		return false;
	*line = (struct bytes){ buf_data(&f->line), (size_t)(lf - buf_data(&f->line)) };
	return true;
}

bool frames_next(struct frames *f, struct bytes *frame)
{
	struct bytes line;

	while (next_line(f, &line)) {
		size_t whole = line.n + 1;
		bool ok;

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		ok = unwrap(f, line);
		buf_consume(&f->line, whole);
		if (!ok)
			continue;
		*frame = (struct bytes){ buf_data(&f->frame), buf_len(&f->frame) };
		return true;
	}
	return false;
}
