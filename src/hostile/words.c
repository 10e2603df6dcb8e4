/*
 * hostile/words.c - a line to words, words to numbers; see words.h.
 */
#include "hostile/words.h"

#include "base/field.h"

enum { DIGITS_MOST = 15 };

/* --- words -------------------------------------------------------------------------- */

static const char *read_quoted(struct word *w, struct bytes *rest)
{
	const char *end = memchr(rest->p + 1, '"', rest->n - 1);

	if (!end)
		return "this quotation mark has no partner";
	w->kind = WORD_QUOTED;
	w->text = (struct bytes){ rest->p + 1, (size_t)(end - rest->p) - 1 };
	rest->n -= w->text.n + 2;
	rest->p += w->text.n + 2;
	return NULL;
}

static bool is_mark(char c)
{
	return c == ':' || c == ',';
}

/* The marks at its end are words of their own, unless it is nothing else. */
static void read_plain(struct word *w, struct bytes *rest)
{
	size_t n = 0;

	while (n < rest->n && !field_is_blank(rest->p[n]) && rest->p[n] != '"')
		n++;
	while (n > 1 && is_mark(rest->p[n - 1]))
		n--;
	w->kind = n > 1 || !is_mark(rest->p[0]) ? WORD_TEXT
	          : rest->p[0] == ':'           ? WORD_COLON
	                                        : WORD_COMMA;
	w->text = (struct bytes){ rest->p, n };
	rest->p += n;
	rest->n -= n;
}

static const char *read_word(struct word *w, struct bytes *rest, const char *begin)
{
	w->column = (unsigned)(rest->p - begin) + 1;
	if (rest->p[0] == '"')
		return read_quoted(w, rest);
	read_plain(w, rest);
	return NULL;
}

const char *words_read(struct words *out, struct bytes line, unsigned *column)
{
	struct bytes rest = line;
	const char *wrong = NULL;

	out->count = 0;
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f) {
			*column = (unsigned)i + 1;
			return "a control character stands here";
		}
	for (field_skip_blanks(&rest); rest.n > 0 && !wrong; field_skip_blanks(&rest)) {
		*column = (unsigned)(rest.p - line.p) + 1;
		if (out->count == WORDS_MOST)
			return "this rule has too many words";
		wrong = read_word(&out->word[out->count++], &rest, line.p);
	}
	return wrong;
}

/* --- numbers ------------------------------------------------------------------------ */

/* The digits at the beginning of it; what is left is a unit. */
static bool take_digits(struct bytes *text, uint64_t *out)
{
	size_t n = 0;

	for (*out = 0; n < text->n && text->p[n] >= '0' && text->p[n] <= '9'; n++) {
		if (n == DIGITS_MOST)
			return false;
		*out = *out * 10 + (uint64_t)(text->p[n] - '0');
	}
	text->p += n;
	text->n -= n;
	return n > 0;
}

bool word_number(struct bytes text, uint64_t *out)
{
	return take_digits(&text, out) && text.n == 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static bool apply_unit(struct bytes name, const struct unit *units, uint64_t *value)
{
	for (; units->name; units++)
		if (bytes_equal_nocase(name, bytes_of(units->name))) {
			*value *= units->factor;
			return true;
		}
	return false;
}

bool word_duration(struct bytes text, uint64_t *ms)
{
	static const struct unit units[] = { { "", 1 }, { "ms", 1 }, { "s", 1000 },
		{ "min", 60000 }, { "m", 60000 }, { "h", 3600000 }, { 0 } };

	return take_digits(&text, ms) && *ms <= UINT32_MAX && apply_unit(text, units, ms) &&
	       *ms <= UINT32_MAX;
}

bool word_size(struct bytes text, uint64_t *octets, bool *has_unit)
{
	static const struct unit units[] = { { "", 1 }, { "k", 1024 }, { "KiB", 1024 },
		{ "MiB", 1 << 20 }, { 0 } };
	bool is_number = take_digits(&text, octets);

	*has_unit = text.n > 0;
	return is_number && *octets <= INT64_MAX >> 20 && apply_unit(text, units, octets);
}

bool word_percent(struct bytes text, uint32_t *millionths)
{
	uint64_t whole, fraction = 0, scale = 10000;

	if (!take_digits(&text, &whole) || whole > 100)
		return false;
	if (text.n > 0 && text.p[0] == '.') {
		text.p++, text.n--;
		for (; text.n > 0 && text.p[0] >= '0' && text.p[0] <= '9'; text.p++, text.n--) {
			scale /= 10;
			fraction += (uint64_t)(text.p[0] - '0') * scale;
		}
	}
	whole = whole * 10000 + fraction;
	*millionths = (uint32_t)whole;
	return text.n == 1 && text.p[0] == '%' && whole <= 1000000;
}
