/*
 * base/field.h - the values of header fields that are lists (RFC 9110 section 5.6.1):
 * elements between commas, blanks around them, empty ones passed over.
 *
 * Views into the text, no copies. For lists of tokens and addresses; where an element may
 * hold a quoted string, who reads it must know its grammar.
 */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include "base/bytes.h"

static inline bool field_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline void field_skip_blanks(struct bytes *in)
{
	while (in->n > 0 && field_is_blank(in->p[0]))
		in->p++, in->n--;
}

/* This character behind any blanks; false: something else stands there. */
static inline bool field_skip(struct bytes *in, char c)
{
	field_skip_blanks(in);
	if (in->n == 0 || in->p[0] != c)
		return false;
	in->p++, in->n--;
	return true;
}

/* Without the blanks at both ends. */
static inline struct bytes field_trim(struct bytes b)
{
	while (b.n > 0 && field_is_blank(b.p[0]))
		b.p++, b.n--;
	while (b.n > 0 && field_is_blank(b.p[b.n - 1]))
		b.n--;
	return b;
}

/* Takes the first element off a list; false at its end. Cookies are parted by semicolons. */
static inline bool field_next(struct bytes *list, char separator, struct bytes *element)
{
	while (list->n > 0) {
		const char *end = memchr(list->p, separator, list->n);
		size_t n = end ? (size_t)(end - list->p) : list->n;

		*element = field_trim((struct bytes){ list->p, n });
		n += end != NULL;
		list->p += n;
		list->n -= n;
		if (element->n > 0)
			return true;
	}
	return false;
}

/* Takes the last element off a list; false at its beginning. */
static inline bool field_last(struct bytes *list, char separator, struct bytes *element)
{
	while (list->n > 0) {
		const char *end = memrchr(list->p, separator, list->n);
		size_t from = end ? (size_t)(end - list->p) + 1 : 0;

		*element = field_trim((struct bytes){ list->p + from, list->n - from });
		list->n = end ? from - 1 : 0;
		if (element->n > 0)
			return true;
	}
	return false;
}

/* Whether a list of tokens has this one, in any case. */
static inline bool field_has_token(struct bytes list, struct bytes token)
{
	struct bytes element;

	while (field_next(&list, ',', &element))
		if (bytes_equal_nocase(element, token))
			return true;
	return false;
}

#endif
