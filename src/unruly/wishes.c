/*
 * unruly/wishes.c - reads wishes, segment by segment; see wishes.h. A table says what there is, and
 * who reads what stands behind the word.
 */
#include "unruly/wishes.h"

#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/percent.h"
#include "base/utf8.h"

/* NULL, or what is wrong with the value. */
typedef const char *(*read_fn)(struct wishes *w, size_t field, struct bytes value);

struct wish {
	const char *word;
	read_fn read;
	size_t field;
};

/* --- numbers -------------------------------------------------------------------- */

static bool read_number(struct bytes text, uint32_t least, uint32_t most, uint32_t *out)
{
	uint32_t n = 0;

	if (text.n == 0 || text.n > 7)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (n < least || n > most)
		return false;
	*out = n;
	return true;
}

static uint32_t *number_of(struct wishes *w, size_t field)
{
	return (uint32_t *)(void *)((char *)w + field);
}

/* Takes these characters away from the front. */
static bool skip(struct bytes *text, const char *beginning)
{
	size_t n = strlen(beginning);

	if (!bytes_begin(*text, beginning))
		return false;
	text->p += n;
	text->n -= n;
	return true;
}

/* --- values ---------------------------------------------------------------------- */

static const char *read_ms(struct wishes *w, size_t field, struct bytes value)
{
	return read_number(value, 1, WISHES_MS_MAX, number_of(w, field))
	           ? NULL
	           : "needs milliseconds from 1 to 60000";
}

/* "after-3"; nothing is at once. */
static const char *read_after(struct wishes *w, size_t field, struct bytes value)
{
	*number_of(w, field) = 0;
	if (value.n == 0 || (skip(&value, "after-") && read_number(value, 0, WISHES_MESSAGES_MAX,
	                                                   number_of(w, field))))
		return NULL;
	return "takes nothing, or after-N with N from 0 to 1000000";
}

static const char *read_drop(struct wishes *w, size_t field, struct bytes value)
{
	if (skip(&value, "every-"))
		field = offsetof(struct wishes, drop_every);
	return read_number(value, 1, WISHES_MESSAGES_MAX, number_of(w, field))
	           ? NULL
	           : "needs N or every-N with N from 1 to 1000000";
}

static const char *read_twice(struct wishes *w, size_t field, struct bytes value)
{
	(void)field;
	w->is_twice = true;
	return value.n == 0 ? NULL : "takes nothing";
}

static const char *read_refuse(struct wishes *w, size_t field, struct bytes value)
{
	return read_number(value, 400, 599, number_of(w, field)) ? NULL
	                                                         : "needs a status from 400 to 599";
}

static bool may_close_with(uint32_t code)
{
	return code == 1000 || (code >= 3000 && code <= 4999);
}

/* "4001", "4001-after-3", "4001-in-500" */
static const char *read_close(struct wishes *w, size_t field, struct bytes value)
{
	const char *dash = value.n ? memchr(value.p, '-', value.n) : NULL;
	struct bytes code = { value.p, dash ? (size_t)(dash - value.p) : value.n };
	struct bytes when = { value.p + code.n, value.n - code.n };

	if (!read_number(code, 1000, 4999, number_of(w, field)) || !may_close_with(w->close_code))
		return "needs a code: 1000, or 3000 to 4999";
	if (skip(&when, "-in-"))
		return read_ms(w, offsetof(struct wishes, close_in_ms), when);
	if (dash && (!skip(&when, "-") || when.n == 0))
		return "takes -after-N or -in-MS behind the code";
	return read_after(w, offsetof(struct wishes, close_after), when);
}

/* --- texts ------------------------------------------------------------------------ */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '~' || c == '-';
}

static const char *read_name(struct wishes *w, size_t field, struct bytes value)
{
	bool is_well = value.n > 0 && value.n <= WISHES_NAME_MAX;

	(void)field;
	for (size_t i = 0; is_well && i < value.n; i++)
		is_well = is_plain(value.p[i]);
	if (!is_well)
		return "needs 1 to 64 letters, digits or . _ ~ -";
	memcpy(w->name, value.p, value.n);
	return NULL;
}

static const char *read_reason(struct wishes *w, size_t field, struct bytes value)
{
	ssize_t n = percent_decode(value, false, w->reason, WISHES_REASON_MAX);

	(void)field;
	if (n > 0 && !memchr(w->reason, '\0', (size_t)n) && utf8_is_valid(w->reason, (size_t)n)) {
		w->reason[n] = '\0';
		return NULL;
	}
	return "needs 1 to 123 octets of UTF-8, percent-encoded";
}

/* --- segments --------------------------------------------------------------------- */

#define WISH(word, read, field) { word, read, offsetof(struct wishes, field) }

static const struct wish table[] = {
	WISH("name", read_name, name),
	WISH("delay", read_ms, delay_ms),
	WISH("twice", read_twice, is_twice),
	WISH("drop", read_drop, drop),
	WISH("silent", read_after, silent_after),
	WISH("slow", read_ms, slow_ms),
	WISH("deaf", read_after, deaf_after),
	WISH("fail", read_after, fail_after),
	WISH("close", read_close, close_code),
	WISH("reason", read_reason, reason),
	WISH("oom", read_after, oom_after),
	WISH("hold", read_ms, hold_ms),
	WISH("refuse", read_refuse, refuse),
};

#define WISHES (sizeof(table) / sizeof(*table))

/* What of a URL may be shown as it is. */
static int complain(char *why, struct bytes segment, const char *sentence)
{
	char shown[41];
	size_t n = segment.n < sizeof(shown) - 1 ? segment.n : sizeof(shown) - 1;

	for (size_t i = 0; i < n; i++)
		shown[i] = segment.p[i] > ' ' && segment.p[i] < 0x7f ? segment.p[i] : '?';
	shown[n] = '\0';
	snprintf(why, WISHES_REASON_MAX + 1, "%s: %s", shown, sentence);
	return -EINVAL;
}

static const struct wish *find_wish(struct bytes word)
{
	for (size_t i = 0; i < WISHES; i++)
		if (bytes_equal(bytes_of(table[i].word), word))
			return &table[i];
	return NULL;
}

static int read_segment(struct wishes *w, struct bytes segment, unsigned *seen, char *why)
{
	const char *dash = segment.n ? memchr(segment.p, '-', segment.n) : NULL, *complaint;
	size_t n = dash ? (size_t)(dash - segment.p) : segment.n;
	const struct wish *wish = find_wish((struct bytes){ segment.p, n });
	struct bytes value = dash ? (struct bytes){ dash + 1, segment.n - n - 1 } : BYTES("");
	unsigned bit;

	if (!wish)
		return complain(why, segment, "no such wish; sockjsd.conf(5) has them all");
	bit = 1u << (wish - table);
	if (*seen & bit)
		return complain(why, segment, "this is said twice");
	*seen |= bit;
	if (dash && value.n == 0)
		return complain(why, segment, "nothing stands behind the dash");
	complaint = wish->read(w, wish->field, value);
	return complaint ? complain(why, segment, complaint) : 0;
}

static void nothing_yet(struct wishes *w)
{
	memset(w, 0, sizeof(*w));
	w->silent_after = w->deaf_after = w->fail_after = WISHES_NEVER;
	w->close_after = w->oom_after = WISHES_NEVER;
}

int wishes_read(struct wishes *w, const char *path, char why[WISHES_REASON_MAX + 1])
{
	unsigned seen = 0;
	int err = 0;

	nothing_yet(w);
	while (*path == '/' && err == 0) {
		size_t n = strcspn(++path, "/");

		err = read_segment(w, (struct bytes){ path, n }, &seen, why);
		path += n;
	}
	if (err == 0 && w->reason[0] && !w->close_code)
		err = complain(why, BYTES("reason"), "this means nothing without close");
	if (err < 0)
		nothing_yet(w);
	return err;
}
