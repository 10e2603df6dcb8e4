/*
 * session/sockjs_frame.c - encoding of SockJS frames and their wrappings; see
 * sockjs_frame.h.
 *
 * There are four alphabets: message text into a JSON string, and a whole frame
 * into an event, a script string or a jsonp string. In the last three what has to be escaped
 * is ASCII, and an escape_fn says how; transcode() and measure() run any of them,
 * inlined for each. Message text has more to it, and its own functions.
 *
 * Every octet is read once: runs of plain octets are copied while they are searched, and what
 * is long goes into a buffer slice by slice rather than being measured before.
 *
 * Owns nothing, allocates only in *_add().
 */
#include "session/sockjs_frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/utf8.h"

#define GUESS_MAX 65536 /* up to here *_add() reserves the worst case at once */
#define SLICE     4096  /* beyond, it writes at most so many octets at a time, */
#define SLICE_MIN 128   /* and preferably no fewer than these */

/* --- running an alphabet ------------------------------------------------ */

/* What stands for an octet that cannot stand for itself. Eight octets are written, whatever `n`
 * says, where there is room. */
struct escape {
	char text[7];
	uint8_t n;
};

/* The escape for the octet c. No escape is shorter than what it stands for. */
typedef struct escape (*escape_fn)(uint8_t c);

static inline __attribute__((always_inline)) char *put_escape(
    char *out, struct escape e, bool has_room)
{
	if (has_room)
		memcpy(out, &e, sizeof(e));
	else
		memcpy(out, e.text, e.n);
	return out + e.n;
}

/* Copies octets up to the first that is marked, or all of them, and moves both pointers behind.
 * What is written is no shorter than what was read: so as long as WIDE octets are left to read
 * there is room for as many, and what a block writes too much is overwritten by what follows. */
WIDE_INLINE char *copy_plain(char *out, const char **from, const char *end, struct text_stops stops)
{
	const char *p = *from;
	wide_mark marks;
	size_t n;

	for (; end - p >= 4 * WIDE; p += 4 * WIDE, out += 4 * WIDE) {
		wide a = wide_load(p), b = wide_load(p + WIDE), c = wide_load(p + 2 * WIDE),
		     d = wide_load(p + 3 * WIDE);

		if (!text_is_plain4(a, b, c, d, stops))
			break;
		wide_store(out, a);
		wide_store(out + WIDE, b);
		wide_store(out + 2 * WIDE, c);
		wide_store(out + 3 * WIDE, d);
	}
	for (; end - p >= WIDE; p += WIDE, out += WIDE) {
		wide v = wide_load(p);

		marks = text_marks(v, stops);
		wide_store(out, v);
		if (marks) {
			n = wide_first(marks);
			*from = p + n;
			return out + n;
		}
	}
	n = text_plain_few(p, (size_t)(end - p), stops);
	wide_copy_few(out, p, n);
	*from = p + n;
	return out + n;
}

WIDE_INLINE char *transcode(
    char *out, const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;

	while (p < end) {
		out = copy_plain(out, &p, end, stops);
		for (; p < end && !text_is_plain(*p, stops); p++)
			out = put_escape(
			    out, escape((uint8_t)*p), end - p >= (ptrdiff_t)sizeof(struct escape));
	}
	return out;
}

WIDE_INLINE size_t measure(const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;
	size_t len = n;

	while (p < end) {
		p += text_plain(p, (size_t)(end - p), stops);
		for (; p < end && !text_is_plain(*p, stops); p++)
			len += escape((uint8_t)*p).n - 1u;
	}
	return len;
}

/* --- what JSON itself wants escaped --------------------------------------- */

#define HEX(high, low)                                                                             \
	{                                                                                          \
		"\\u00" high low, 6                                                                \
	}
#define BRIEF(c)                                                                                   \
	{                                                                                          \
		"\\" c, 2                                                                          \
	}
#define SELF(c)                                                                                    \
	{                                                                                          \
		{ (c) }, 1                                                                         \
	}
#define SELF2(c)  SELF(c), SELF((c) + 1)
#define SELF4(c)  SELF2(c), SELF2((c) + 2)
#define SELF8(c)  SELF4(c), SELF4((c) + 4)
#define SELF16(c) SELF8(c), SELF8((c) + 8)

/* What '"', '\\' and control characters turn into; other ASCII stands for itself. */
static const struct escape escapes[128] = {
	HEX("0", "0"),
	HEX("0", "1"),
	HEX("0", "2"),
	HEX("0", "3"),
	HEX("0", "4"),
	HEX("0", "5"),
	HEX("0", "6"),
	HEX("0", "7"),
	BRIEF("b"),
	BRIEF("t"),
	BRIEF("n"),
	HEX("0", "b"),
	BRIEF("f"),
	BRIEF("r"),
	HEX("0", "e"),
	HEX("0", "f"),
	HEX("1", "0"),
	HEX("1", "1"),
	HEX("1", "2"),
	HEX("1", "3"),
	HEX("1", "4"),
	HEX("1", "5"),
	HEX("1", "6"),
	HEX("1", "7"),
	HEX("1", "8"),
	HEX("1", "9"),
	HEX("1", "a"),
	HEX("1", "b"),
	HEX("1", "c"),
	HEX("1", "d"),
	HEX("1", "e"),
	HEX("1", "f"),
	SELF2(' '),
	BRIEF("\""),
	SELF('#'),
	SELF4('$'),
	SELF8('('),
	SELF16('0'),
	SELF16('@'),
	SELF8('P'),
	SELF4('X'),
	BRIEF("\\"),
	SELF(']'),
	SELF2('^'),
	SELF16('`'),
	SELF16('p'),
};

static inline struct escape escape_ascii(uint8_t c)
{
	return escapes[c & 0x7f];
}

static inline char *quote_ascii(char *out, const char **from, const char *end)
{
	const char *p = (*from)++;

	return put_escape(
	    out, escape_ascii((uint8_t)*p), end - p >= (ptrdiff_t)sizeof(struct escape));
}

enum { GROUP = 4, ESCAPE_SIZE = sizeof(struct escape) };

static inline bool group_is_ascii(const char *p)
{
	uint32_t four;

	memcpy(&four, p, sizeof(four));
	return (four & 0x80808080) == 0;
}

/* Escapes tend to come close together: from one on, octets are taken singly, without a question
 * for each, as long as there is an escape in every GROUP. */
static char *quote_dense(char *out, const char **from, const char *end)
{
	const char *p = *from, *before;

	do {
		if (end - p < GROUP + ESCAPE_SIZE || !group_is_ascii(p)) {
			while (p < end && !text_is_plain(*p, TEXT_UTF8_STOPS))
				out = quote_ascii(out, &p, end);
			break;
		}
		before = out;
		for (int i = 0; i < GROUP; i++)
			out = put_escape(out, escapes[(uint8_t)*p++], true);
	} while (out - before > GROUP);
	*from = p;
	return out;
}

static char *put(char *out, const char *text, size_t n)
{
	memcpy(out, text, n);
	return out + n;
}

/* The digit for each of eight half octets. */
static inline uint64_t hex_digits(uint64_t halves)
{
	uint64_t letters = (halves + 6 * WIDE_EACH) >> 4 & WIDE_EACH;

	return halves + '0' * WIDE_EACH + letters * ('a' - '0' - 10);
}

/* \uXXXX\uYYYY, for a pair of surrogates. */
static inline char *put_hex4_twice(char *out, uint32_t first, uint32_t second)
{
	/* To one octet each, the first digit lowest */
	uint64_t v = (uint64_t)second << 32 | first;

	v = (v >> 8 & 0x000000ff000000ff) | (v & 0x000000ff000000ff) << 16;
	v = (v >> 4 & 0x000f000f000f000f) | (v & 0x000f000f000f000f) << 8;
	v = htole64(hex_digits(v));
	memcpy(out, "\\u", 2);
	memcpy(out + 2, &v, 4);
	memcpy(out + 6, "\\u", 2);
	memcpy(out + 8, (char *)&v + 4, 4);
	return out + 12;
}

static inline char *put_hex4(char *out, uint32_t unit)
{
	uint64_t v = unit >> 8 | (unit & 0xff) << 16;

	v = (v >> 4 & 0x000f000f) | (v & 0x000f000f) << 8;
	v = htole64(hex_digits(v));
	memcpy(out, "\\u", 2);
	memcpy(out + 2, &v, 4);
	return out + 6;
}

/* --- message text into a JSON string ------------------------------------ */

/* Characters of the BMP beyond ASCII that the protocol wants escaped. Of the blocks of 4096 all but
 * two are out of the question at once. */
static inline bool must_escape(uint32_t cp)
{
	switch (cp >> 12) {
	case 0x2:
		return (cp >= 0x200c && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202f) ||
		       (cp >= 0x2060 && cp <= 0x206f);
	case 0xd:
		return cp >= 0xd800;
	case 0xf:
		return cp >= 0xfff0;
	default:
		return false;
	}
}

/* A character beyond ASCII, or an octet that is part of none. */
static inline char *quote_char(char *out, const char **from, const char *end)
{
	const char *p = *from;
	uint32_t cp;
	unsigned len = text_char(p, (size_t)(end - p), &cp);

	*from = p + (len ? len : 1);
	if (len == 0)
		return put_hex4(out, 0xfffd);
	if (cp >= 0x10000)
		return put_hex4_twice(out, 0xd7c0 + (cp >> 10), 0xdc00 | (cp & 0x3ff));
	if (must_escape(cp))
		return put_hex4(out, cp);
	*out++ = *p++;
	*out++ = *p++;
	if (len == 3)
		*out++ = *p;
	return out;
}

/* As transcode(), one character beyond ASCII after the other. */
static char *quote_any(char *out, const char *p, const char *end)
{
	while (p < end) {
		out = copy_plain(out, &p, end, TEXT_STRING_STOPS);
		while (p < end && !text_is_plain(*p, TEXT_STRING_STOPS)) {
			if ((uint8_t)*p >= 0x80)
				out = quote_char(out, &p, end);
			else
				out = quote_ascii(out, &p, end);
		}
	}
	return out;
}

/* Marks in UTF-8 what may have to be escaped, at its first octet: E2 80 and E2 81 (of which most
 * have not), EF BF, F0 and above. `next` is one octet further. */
WIDE_INLINE wide_mark utf8_marks(wide v, wide next)
{
	wide hit = wide_or(wide_or(wide_is(v, '"'), wide_is(v, '\\')),
	    wide_or(wide_under(v, 0x20), wide_from(v, 0xf0)));

	hit = wide_or(hit, wide_and(wide_is(v, 0xe2), wide_under(next, 0x82)));
	return wide_marks(wide_or(hit, wide_and(wide_is(v, 0xef), wide_is(next, 0xbf))));
}

/* A character beyond the BMP. */
static inline char *quote_pair(char *out, const char *p)
{
	uint32_t cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	              (uint32_t)(p[2] & 0x3f) << 6 | (uint32_t)(p[3] & 0x3f);

	return put_hex4_twice(out, 0xd7c0 + (cp >> 10), 0xdc00 | (cp & 0x3ff));
}

/* What was marked, and what follows if that is to be escaped, too. */
static inline char *utf8_stops(char *out, const char **from, const char *end)
{
	const char *p = *from;

	do {
		if ((uint8_t)*p >= 0xf0) {
			out = quote_pair(out, p);
			p += 4;
		} else if ((uint8_t)*p >= 0x80) {
			out = quote_char(out, &p, end);
		} else {
			out = quote_dense(out, &p, end);
		}
	} while (p < end && ((uint8_t)*p >= 0xf0 || !text_is_plain(*p, TEXT_UTF8_STOPS)));
	*from = p;
	return out;
}

/* What is known to be UTF-8. */
static char *quote_utf8(char *out, const char *p, const char *end)
{
	while (p < end) {
		size_t left = (size_t)(end - p), n = WIDE;
		wide_mark marks;

		if (left > WIDE) {
			wide v = wide_load(p);

			marks = utf8_marks(v, wide_load(p + 1));
			wide_store(out, v);
			if (marks)
				n = wide_first(marks);
		} else {
			marks = utf8_marks(text_load_few(p, left), text_load_few(p + 1, left - 1));
			n = marks ? wide_first(marks) : left;
			wide_copy_few(out, p, n);
		}
		out += n;
		p += n;
		if (p < end && marks)
			out = utf8_stops(out, &p, end);
	}
	return out;
}

/* Text without its quotes. */
static char *quote_text(char *out, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		out = copy_plain(out, &p, end, TEXT_STRING_STOPS);
		if (p == end)
			break;
		if ((uint8_t)*p >= 0x80)
			return utf8_is_valid(p, (size_t)(end - p)) ? quote_utf8(out, p, end)
			                                           : quote_any(out, p, end);
		out = quote_dense(out, &p, end);
	}
	return out;
}

static size_t quote_text_len(const char *p, size_t n)
{
	const char *end = p + n, *from;
	char scratch[16];
	size_t len = 0, run;

	while (p < end) {
		run = text_plain(p, (size_t)(end - p), TEXT_STRING_STOPS);
		len += run;
		p += run;
		for (; p < end && !text_is_plain(*p, TEXT_STRING_STOPS); p = from) {
			from = p;
			len += (size_t)(((uint8_t)*p >= 0x80 ? quote_char(scratch, &from, end)
			                                     : quote_ascii(scratch, &from, end)) -
			                scratch);
		}
	}
	return len;
}

size_t sockjs_frame_quote_len(const char *text, size_t n)
{
	return quote_text_len(text, n) + 2;
}

char *sockjs_frame_quote(char *out, const char *text, size_t n)
{
	*out++ = '"';
	out = quote_text(out, text, n);
	*out++ = '"';
	return out;
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

static const struct alphabet quoted = { 6, quote_text, quote_text_len };

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
	return transcode(out, p, n, EVENT_STOPS, escape_event);
}

static size_t event_text_len(const char *p, size_t n)
{
	return measure(p, n, EVENT_STOPS, escape_event);
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
	return c == '<' ? (struct escape)HEX("3", "c") : escape_ascii(c);
}

static char *script_text(char *out, const char *p, size_t n)
{
	return transcode(out, p, n, SCRIPT_STOPS, escape_script);
}

static size_t script_text_len(const char *p, size_t n)
{
	return measure(p, n, SCRIPT_STOPS, escape_script);
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
	return transcode(out, p, n, JSONP_STOPS, escape_ascii);
}

static size_t jsonp_text_len(const char *p, size_t n)
{
	return measure(p, n, JSONP_STOPS, escape_ascii);
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
