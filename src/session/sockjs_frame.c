/*
 * session/sockjs_frame.c - encoding of SockJS frames and their wrappings; see
 * sockjs_frame.h.
 *
 * There are four alphabets: message text into a JSON string, and a whole frame
 * into an event, a script string or a jsonp string. Each is one function that
 * turns the octets at a place where something has to be escaped (an escape_fn), and the
 * set of octets where it is to be called. transcode() and measure() run any of
 * them, inlined for each, so that the exact length cannot differ from what is written.
 *
 * Owns nothing, allocates only in *_add().
 */
#include "session/sockjs_frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ESCAPE_MAX 12   /* \ud83d\ude00 */
#define GUESS_MAX  4096 /* up to here *_add() reserves the worst case rather than measure */

/* --- running an alphabet ------------------------------------------------ */

/* Writes what stands for the character(s) at p, at most ESCAPE_MAX octets; *used tells how many of
 * the n octets that was. No result is shorter than its source. */
typedef char *(*escape_fn)(char *out, const char *p, size_t n, size_t *used);

static inline __attribute__((always_inline)) char *transcode(
    char *out, const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;

	while (p < end) {
		size_t run = text_plain(p, (size_t)(end - p), stops), used;

		/* Runs tend to be short. A block of fixed size is faster to copy, and
		 * what it writes too much is overwritten by what follows: nothing gets shorter. */
		if (run <= 16 && end - p >= 16)
			memcpy(out, p, 16);
		else
			memcpy(out, p, run);
		out += run;
		p += run;
		while (p < end && !text_is_plain(*p, stops)) {
			out = escape(out, p, (size_t)(end - p), &used);
			p += used;
		}
	}
	return out;
}

static inline __attribute__((always_inline)) size_t measure(
    const char *p, size_t n, struct text_stops stops, escape_fn escape)
{
	const char *end = p + n;
	char scratch[ESCAPE_MAX];
	size_t len = 0;

	while (p < end) {
		size_t run = text_plain(p, (size_t)(end - p), stops), used;

		len += run;
		p += run;
		while (p < end && !text_is_plain(*p, stops)) {
			len += (size_t)(escape(scratch, p, (size_t)(end - p), &used) - scratch);
			p += used;
		}
	}
	return len;
}

/* --- message text into a JSON string ------------------------------------ */

static char *put(char *out, const char *text, size_t n)
{
	memcpy(out, text, n);
	return out + n;
}

static char *put_hex4(char *out, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = digits[unit >> shift & 0xf];
	return out;
}

/* What JSON itself wants escaped: '"', '\' and control characters. */
static inline char *escape_ascii(char *out, char ch)
{
	static const char brief[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};
	unsigned char c = (unsigned char)ch;

	if (c < 0x20 && !brief[c])
		return put_hex4(out, c);
	*out++ = '\\';
	*out++ = c < 0x20 ? brief[c] : ch;
	return out;
}

/* Characters of the BMP beyond ASCII that the protocol wants escaped. Of the blocks of 4096 all but
 * two are out of the question at once. */
static bool must_escape(uint32_t cp)
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

static char *escape_wide(char *out, const char *p, size_t n, size_t *used)
{
	uint32_t cp;
	unsigned len = text_char(p, n, &cp);

	*used = len ? len : 1;
	if (len == 0)
		return put_hex4(out, 0xfffd);
	if (cp >= 0x10000) {
		out = put_hex4(out, 0xd7c0 + (cp >> 10));
		return put_hex4(out, 0xdc00 | (cp & 0x3ff));
	}
	if (must_escape(cp))
		return put_hex4(out, cp);
	*out++ = *p++;
	*out++ = *p++;
	if (len == 3)
		*out++ = *p;
	return out;
}

static inline char *escape_text(char *out, const char *p, size_t n, size_t *used)
{
	if ((unsigned char)*p >= 0x80)
		return escape_wide(out, p, n, used);
	*used = 1;
	return escape_ascii(out, *p);
}

size_t sockjs_frame_quote_len(const char *text, size_t n)
{
	return measure(text, n, TEXT_STRING_STOPS, escape_text) + 2;
}

char *sockjs_frame_quote(char *out, const char *text, size_t n)
{
	*out++ = '"';
	out = transcode(out, text, n, TEXT_STRING_STOPS, escape_text);
	*out++ = '"';
	return out;
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

int sockjs_frame_array_add(struct buf *b, struct message *const *messages, size_t count)
{
	size_t room = sockjs_frame_array_max(messages, count);
	char *out;

	if (room > GUESS_MAX)
		room = sockjs_frame_array_len(messages, count);
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
static inline char *escape_event(char *out, const char *p, size_t n, size_t *used)
{
	(void)n;
	*used = 1;
	switch (*p) {
	case '%':
		return put(out, "%25", 3);
	case '\r':
		return put(out, "%0D", 3);
	case '\n':
		return put(out, "%0A", 3);
	case '\0':
		return put(out, "%00", 3);
	default:
		*out = *p;
		return out + 1;
	}
}

size_t sockjs_frame_event_max(size_t frame_len)
{
	return EVENT_FIXED + 3 * frame_len;
}

size_t sockjs_frame_event_len(const char *frame, size_t n)
{
	return EVENT_FIXED + measure(frame, n, EVENT_STOPS, escape_event);
}

char *sockjs_frame_event(char *out, const char *frame, size_t n)
{
	out = put(out, EVENT_HEAD, sizeof(EVENT_HEAD) - 1);
	out = transcode(out, frame, n, EVENT_STOPS, escape_event);
	return put(out, EVENT_TAIL, sizeof(EVENT_TAIL) - 1);
}

int sockjs_frame_event_add(struct buf *b, const char *frame, size_t n)
{
	size_t room = sockjs_frame_event_max(n);
	char *out;

	if (room > GUESS_MAX)
		room = sockjs_frame_event_len(frame, n);
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

static inline char *escape_script(char *out, const char *p, size_t n, size_t *used)
{
	(void)n;
	*used = 1;
	return *p == '<' ? put_hex4(out, '<') : escape_ascii(out, *p);
}

size_t sockjs_frame_script_max(size_t frame_len)
{
	return SCRIPT_FIXED + 6 * frame_len;
}

size_t sockjs_frame_script_len(const char *frame, size_t n)
{
	return SCRIPT_FIXED + measure(frame, n, SCRIPT_STOPS, escape_script);
}

char *sockjs_frame_script(char *out, const char *frame, size_t n)
{
	out = put(out, SCRIPT_HEAD, sizeof(SCRIPT_HEAD) - 1);
	out = transcode(out, frame, n, SCRIPT_STOPS, escape_script);
	return put(out, SCRIPT_TAIL, sizeof(SCRIPT_TAIL) - 1);
}

int sockjs_frame_script_add(struct buf *b, const char *frame, size_t n)
{
	size_t room = sockjs_frame_script_max(n);
	char *out;

	if (room > GUESS_MAX)
		room = sockjs_frame_script_len(frame, n);
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

static inline char *escape_jsonp(char *out, const char *p, size_t n, size_t *used)
{
	(void)n;
	*used = 1;
	return escape_ascii(out, *p);
}

size_t sockjs_frame_jsonp_max(size_t callback_len, size_t frame_len)
{
	return JSONP_FIXED + callback_len + 6 * frame_len;
}

size_t sockjs_frame_jsonp_len(size_t callback_len, const char *frame, size_t n)
{
	return JSONP_FIXED + callback_len + measure(frame, n, JSONP_STOPS, escape_jsonp);
}

char *sockjs_frame_jsonp(
    char *out, const char *callback, size_t callback_len, const char *frame, size_t n)
{
	out = put(out, JSONP_HEAD, sizeof(JSONP_HEAD) - 1);
	out = put(out, callback, callback_len);
	out = put(out, JSONP_OPEN, sizeof(JSONP_OPEN) - 1);
	out = transcode(out, frame, n, JSONP_STOPS, escape_jsonp);
	return put(out, JSONP_TAIL, sizeof(JSONP_TAIL) - 1);
}

int sockjs_frame_jsonp_add(
    struct buf *b, const char *callback, size_t callback_len, const char *frame, size_t n)
{
	size_t room = sockjs_frame_jsonp_max(callback_len, n);
	char *out;

	if (room > GUESS_MAX)
		room = sockjs_frame_jsonp_len(callback_len, frame, n);
	out = buf_reserve(b, room);
	if (!out)
		return -ENOMEM;
	buf_commit(b, (size_t)(sockjs_frame_jsonp(out, callback, callback_len, frame, n) - out));
	return 0;
}
