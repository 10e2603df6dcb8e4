/*
 * policy/forwarded_field.c - the header Forwarded (RFC 7239 section 4); see
 * http_forwarded.h.
 *
 *	Forwarded = 1#( [ pair ] *( ";" [ pair ] ) )    pair = token "=" ( token | quoted-string )
 *
 * Read from its beginning, since a comma may stand in quotes; the last elements are kept.
 * Values without quotes may hold colons and brackets, for many proxies write addresses so.
 */
#include "base/field.h"
#include "policy/forwarded.h"

/* What comes before any of these. */
static struct bytes take_until(struct bytes *in, const char *ends)
{
	struct bytes taken = { in->p, 0 };

	while (taken.n < in->n && !strchr(ends, in->p[taken.n]))
		taken.n++;
	in->p += taken.n;
	in->n -= taken.n;
	return taken;
}

/* Behind the opening quote. What needs an escape is neither an address nor a host: its backslash
 * stays, and nobody will take it for one. */
static bool take_quoted(struct bytes *in, struct bytes *value)
{
	value->p = in->p;
	for (value->n = 0; value->n < in->n && in->p[value->n] != '"'; value->n++)
		if (in->p[value->n] == '\\')
			value->n++;
	if (value->n >= in->n)
		return false;
	in->p += value->n + 1;
	in->n -= value->n + 1;
	return true;
}

static bool take_value(struct bytes *in, struct bytes *value)
{
	if (field_skip(in, '"'))
		return take_quoted(in, value);
	*value = take_until(in, ",;\" \t");
	return value->n > 0;
}

/* Where the value of this parameter goes; those that do not matter go to `other`. */
static struct bytes *place_of(
    struct http_forwarded *element, struct bytes name, struct bytes *other)
{
	if (bytes_equal_nocase(name, BYTES("for")))
		return &element->node;
	if (bytes_equal_nocase(name, BYTES("host")))
		return &element->host;
	return bytes_equal_nocase(name, BYTES("proto")) ? &element->proto : other;
}

static bool take_pair(struct bytes *in, struct http_forwarded *element)
{
	struct bytes other = { NULL, 0 }, name, *place;

	field_skip_blanks(in);
	name = take_until(in, "=,;\" \t");
	place = place_of(element, name, &other);
	return name.n > 0 && !place->p && field_skip(in, '=') && take_value(in, place);
}

/* Up to the next comma that is not in quotes. */
static bool take_element(struct bytes *in, struct http_forwarded *element)
{
	*element = (struct http_forwarded){ 0 };
	do {
		field_skip_blanks(in);
		if (in->n == 0 || in->p[0] == ',')
			break;
		if (in->p[0] != ';' && !take_pair(in, element))
			return false;
	} while (field_skip(in, ';'));
	field_skip_blanks(in);
	return in->n == 0 || in->p[0] == ',';
}

bool http_forwarded_parse(
    struct bytes list, struct http_forwarded elements[HTTP_HOPS_MAX], size_t *count)
{
	*count = 0;
	for (;;) {
		while (field_skip(&list, ','))
			;
		if (list.n == 0)
			return true;
		if (!take_element(&list, &elements[*count % HTTP_HOPS_MAX]))
			return false;
		++*count;
	}
}
