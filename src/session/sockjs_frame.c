/*
 * session/sockjs_frame.c - encoding of SockJS frames and their wrappings; see
 * sockjs_frame.h.
 *
 * What is long goes into a buffer slice by slice rather than being measured before.
 *
 * Owns nothing, allocates only in *_add().
 */
#include "session/sockjs_frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "session/sockjs_escape.h"

#define GUESS_MAX 65536 /* up to here *_add() reserves the worst case at once */
#define SLICE     4096  /* beyond, it writes at most so many octets at a time, */
#define SLICE_MIN 128   /* and preferably no fewer than these */

static char *put(char *out, const char *text, size_t n)
{
	memcpy(out, text, n);
	return out + n;
}

/* --- into a buffer -------------------------------------------------------- */

struct alphabet {
	unsigned worst; /* octets for one */
	char *(*write)(char *out, const char *p, size_t n);
	size_t (*len)(const char *p, size_t n);
};

/* `most` of n octets, or a few less so that no character is cut, if there are any. */
static size_t slice(const char *p, size_t n, size_t most)
{
	size_t at = most;

	if (n <= most)
		return n;
	while (at > most - 4 && text_is_continuation(p[at]))
		at--;
	return at;
}

/* As much at a time as there is room for, whatever becomes of it. Only when that is too little to
 * be worth it, which is towards the end, the text is measured. When memory is out something may
 * have been added. */
static int add(struct buf *b, const struct alphabet *a, const char *p, size_t n)
{
	size_t here, room;
	char *out;

	if (!buf_reserve(b, n))
		return -ENOMEM;
	for (; n > 0; p += here, n -= here) {
		room = b->cap - b->end;
		if (room / a->worst >= SLICE_MIN || room / a->worst >= n) {
			here = slice(p, n, room / a->worst < SLICE ? room / a->worst : SLICE);
		} else {
			here = slice(p, n, SLICE);
			room = a->len(p, here);
		}
		out = buf_reserve(b, room);
		if (!out)
			return -ENOMEM;
		buf_commit(b, (size_t)(a->write(out, p, here) - out));
	}
	return 0;
}

/* Takes what was added since `len` away again, if `err`. */
static int all_or_nothing(struct buf *b, size_t len, int err)
{
	if (err < 0)
		b->end = b->start + len;
	return err;
}

static int add_around(struct buf *b, const struct alphabet *a, struct bytes head, const char *p,
    size_t n, struct bytes tail)
{
	size_t len = buf_len(b);
	int err = buf_add(b, head.p, head.n);

	if (err == 0)
		err = add(b, a, p, n);
	if (err == 0)
		err = buf_add(b, tail.p, tail.n);
	return all_or_nothing(b, len, err);
}

/* --- frames ------------------------------------------------------------- */

size_t sockjs_frame_quote_len(const char *text, size_t n)
{
	return sockjs_escape_text_len(text, n) + 2;
}

char *sockjs_frame_quote(char *out, const char *text, size_t n)
{
	*out++ = '"';
	out = sockjs_escape_text(out, text, n);
	*out++ = '"';
	return out;
}

size_t sockjs_frame_array_max(struct message *const *messages, size_t count)
{
	size_t max = sizeof("a[]") - 1;

	for (size_t i = 0; i < count; i++)
		max += sockjs_frame_quote_max(messages[i]->len) + 1;
	return max;
}

size_t sockjs_frame_array_len(struct message *const *messages, size_t count)
{
	size_t len = sizeof("a[]") - 1 + (count ? count - 1 : 0);

	for (size_t i = 0; i < count; i++)
		len += sockjs_frame_quote_len(messages[i]->data, messages[i]->len);
	return len;
}

char *sockjs_frame_array(char *out, struct message *const *messages, size_t count)
{
	*out++ = 'a';
	*out++ = '[';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*out++ = ',';
		out = sockjs_frame_quote(out, messages[i]->data, messages[i]->len);
	}
	*out++ = ']';
	return out;
}

static const struct alphabet quoted = { 6, sockjs_escape_text, sockjs_escape_text_len };

static int add_array(struct buf *b, struct message *const *messages, size_t count)
{
	size_t len = buf_len(b);
	int err = buf_add(b, "a[", 2);

	for (size_t i = 0; i < count && err == 0; i++) {
		err = buf_add(b, i ? ",\"" : "\"", i ? 2 : 1);
		if (err == 0)
			err = add(b, &quoted, messages[i]->data, messages[i]->len);
		if (err == 0)
			err = buf_add(b, "\"", 1);
	}
	if (err == 0)
		err = buf_add(b, "]", 1);
	return all_or_nothing(b, len, err);
}

int sockjs_frame_array_add(struct buf *b, struct message *const *messages, size_t count)
{
	size_t room = sockjs_frame_array_max(messages, count);
	char *out;

	if (room > GUESS_MAX)
		return add_array(b, messages, count);
	out = buf_reserve(b, room);
	if (!out)
		return -ENOMEM;
	buf_commit(b, (size_t)(sockjs_frame_array(out, messages, count) - out));
	return 0;
}

size_t sockjs_frame_close_max(size_t reason_len)
{
	return sizeof("c[4294967295,]") - 1 + sockjs_frame_quote_max(reason_len);
}

char *sockjs_frame_close(char *out, unsigned code, const char *reason, size_t reason_len)
{
	char digits[16];

	*out++ = 'c';
	*out++ = '[';
	out = put(out, digits, (size_t)snprintf(digits, sizeof(digits), "%u,", code));
	out = sockjs_frame_quote(out, reason, reason_len);
	*out++ = ']';
	return out;
}

/* --- server-sent events ------------------------------------------------- */

#define EVENT_HEAD  "data: "
#define EVENT_TAIL  "\r\n\r\n"
#define EVENT_FIXED (sizeof(EVENT_HEAD EVENT_TAIL) - 1)
#define EVENT_STOPS ((struct text_stops){ '%', '%', '%', false })

/* Of the control characters only these would break an event, and frames of ours have none at all.
 */
static inline struct escape escape_event(uint8_t c)
{
	switch (c) {
	case '%':
		return (struct escape){ "%25", 3 };
	case '\r':
		return (struct escape){ "%0D", 3 };
	case '\n':
		return (struct escape){ "%0A", 3 };
	case '\0':
		return (struct escape){ "%00", 3 };
	default:
		return (struct escape){ { (char)c }, 1 };
	}
}

static char *event_text(char *out, const char *p, size_t n)
{
	return escape_transcode(out, p, n, EVENT_STOPS, escape_event);
}

static size_t event_text_len(const char *p, size_t n)
{
	return escape_measure(p, n, EVENT_STOPS, escape_event);
}

static const struct alphabet event = { 3, event_text, event_text_len };

size_t sockjs_frame_event_max(size_t frame_len)
{
	return EVENT_FIXED + 3 * frame_len;
}

size_t sockjs_frame_event_len(const char *frame, size_t n)
{
	return EVENT_FIXED + event_text_len(frame, n);
}

char *sockjs_frame_event(char *out, const char *frame, size_t n)
{
	out = put(out, EVENT_HEAD, sizeof(EVENT_HEAD) - 1);
	out = event_text(out, frame, n);
	return put(out, EVENT_TAIL, sizeof(EVENT_TAIL) - 1);
}

int sockjs_frame_event_add(struct buf *b, const char *frame, size_t n)
{
	size_t room = sockjs_frame_event_max(n);
	char *out;

	if (room > GUESS_MAX)
		return add_around(b, &event, BYTES(EVENT_HEAD), frame, n, BYTES(EVENT_TAIL));
	out = buf_reserve(b, room);
	if (!out)
		return -ENOMEM;
	buf_commit(b, (size_t)(sockjs_frame_event(out, frame, n) - out));
	return 0;
}

/* --- htmlfile ----------------------------------------------------------- */

#define SCRIPT_HEAD  "<script>\np(\""
#define SCRIPT_TAIL  "\");\n</script>\r\n"
#define SCRIPT_FIXED (sizeof(SCRIPT_HEAD SCRIPT_TAIL) - 1)
#define SCRIPT_STOPS ((struct text_stops){ '"', '\\', '<', false })

static inline struct escape escape_script(uint8_t c)
{
	return c == '<' ? (struct escape)ESCAPE_HEX("3", "c") : escape_ascii(c);
}

static char *script_text(char *out, const char *p, size_t n)
{
	return escape_transcode(out, p, n, SCRIPT_STOPS, escape_script);
}

static size_t script_text_len(const char *p, size_t n)
{
	return escape_measure(p, n, SCRIPT_STOPS, escape_script);
}

static const struct alphabet script = { 6, script_text, script_text_len };

size_t sockjs_frame_script_max(size_t frame_len)
{
	return SCRIPT_FIXED + 6 * frame_len;
}

size_t sockjs_frame_script_len(const char *frame, size_t n)
{
	return SCRIPT_FIXED + script_text_len(frame, n);
}

char *sockjs_frame_script(char *out, const char *frame, size_t n)
{
	out = put(out, SCRIPT_HEAD, sizeof(SCRIPT_HEAD) - 1);
	out = script_text(out, frame, n);
	return put(out, SCRIPT_TAIL, sizeof(SCRIPT_TAIL) - 1);
}

int sockjs_frame_script_add(struct buf *b, const char *frame, size_t n)
{
	size_t room = sockjs_frame_script_max(n);
	char *out;

	if (room > GUESS_MAX)
		return add_around(b, &script, BYTES(SCRIPT_HEAD), frame, n, BYTES(SCRIPT_TAIL));
	out = buf_reserve(b, room);
	if (!out)
		return -ENOMEM;
	buf_commit(b, (size_t)(sockjs_frame_script(out, frame, n) - out));
	return 0;
}

/* --- jsonp -------------------------------------------------------------- */

/* The comment in front keeps a plug-in from taking the response, which begins with what
 * the client chose, for a file of its own. */
#define JSONP_HEAD  "/**/"
#define JSONP_OPEN  "(\""
#define JSONP_TAIL  "\");\r\n"
#define JSONP_FIXED (sizeof(JSONP_HEAD JSONP_OPEN JSONP_TAIL) - 1)
#define JSONP_STOPS ((struct text_stops){ '"', '\\', '\\', false })

static char *jsonp_text(char *out, const char *p, size_t n)
{
	return escape_transcode(out, p, n, JSONP_STOPS, escape_ascii);
}

static size_t jsonp_text_len(const char *p, size_t n)
{
	return escape_measure(p, n, JSONP_STOPS, escape_ascii);
}

static const struct alphabet jsonp = { 6, jsonp_text, jsonp_text_len };

size_t sockjs_frame_jsonp_max(size_t callback_len, size_t frame_len)
{
	return JSONP_FIXED + callback_len + 6 * frame_len;
}

size_t sockjs_frame_jsonp_len(size_t callback_len, const char *frame, size_t n)
{
	return JSONP_FIXED + callback_len + jsonp_text_len(frame, n);
}

char *sockjs_frame_jsonp(
    char *out, const char *callback, size_t callback_len, const char *frame, size_t n)
{
	out = put(out, JSONP_HEAD, sizeof(JSONP_HEAD) - 1);
	out = put(out, callback, callback_len);
	out = put(out, JSONP_OPEN, sizeof(JSONP_OPEN) - 1);
	out = jsonp_text(out, frame, n);
	return put(out, JSONP_TAIL, sizeof(JSONP_TAIL) - 1);
}

int sockjs_frame_jsonp_add(
    struct buf *b, const char *callback, size_t callback_len, const char *frame, size_t n)
{
	size_t room = sockjs_frame_jsonp_max(callback_len, n), len = buf_len(b);
	char *out;

	if (room > GUESS_MAX) {
		int err = buf_add(b, JSONP_HEAD, sizeof(JSONP_HEAD) - 1);

		if (err == 0)
			err = buf_add(b, callback, callback_len);
		if (err == 0)
			err = add_around(b, &jsonp, BYTES(JSONP_OPEN), frame, n, BYTES(JSONP_TAIL));
		return all_or_nothing(b, len, err);
	}
	out = buf_reserve(b, room);
	if (!out)
		return -ENOMEM;
	buf_commit(b, (size_t)(sockjs_frame_jsonp(out, callback, callback_len, frame, n) - out));
	return 0;
}
