/*
 * relay/relay_names.c - destinations here and there; see relay_names.h.
 */
#include "relay/relay_names.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "broker/broker_name.h"

#define THERE_MAX 255 /* octets of a routing key (AMQP 0-9-1, a short string) */

/* What a broker is like. */
static const struct manners {
	const char *forbidden; /* octets that a segment may not have */
	const char *sentence;
	const char *rest; /* the segment that stands for all that follow */
	bool encodes;     /* it says "%25" for a percent sign, and hears "%2F" as a slash */
	bool trims;       /* blanks at the ends are not part of a name */
	const char *own;  /* beginning of its own names, in whatever case; or NULL */
} all_manners[] = {
	[RELAY_RABBITMQ] = { "./#*", "\".\", \"/\", \"#\" and \"*\" may not be in a segment: they mean "
	                             "something to the broker.",
	    "#", true, false, NULL },
	[RELAY_ACTIVEMQ] = { "./>*,?", "\".\", \"/\", \">\", \"*\", \",\" and \"?\" may not be in a segment: "
	                               "they mean something to the broker.",
	    ">", false, true, "activemq" },
};

static const struct manners *manners_of(const struct relay_names *names)
{
	return &all_manners[names->kind];
}

/* --- there ---------------------------------------------------------------------- */

static bool has_any(struct bytes segment, const char *octets)
{
	for (; *octets; octets++)
		if (memchr(segment.p, *octets, segment.n))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

static bool begins_with(struct bytes segment, const char *start)
{
	size_t n = strlen(start);

	return segment.n >= n && strncasecmp(segment.p, start, n) == 0;
}

/* Nothing else is decoded there: "%2E" is these three letters (RabbitMQ 3.10). */
static bool has_slash(struct bytes segment)
{
	for (size_t i = 0; i + 3 <= segment.n; i++)
		if (segment.p[i] == '%' && strncasecmp(segment.p + i, "%2F", 3) == 0)
			return true;
	return false;
}

static const char *trouble_with(const struct manners *m, struct bytes segment)
{
	if (has_any(segment, m->forbidden))
		return m->sentence;
	if (m->encodes && has_slash(segment))
		return "\"%2F\" may not be in a segment: it means a slash to the broker.";
	if (m->trims && (is_blank(segment.p[0]) || is_blank(segment.p[segment.n - 1])))
		return "A segment may not begin or end with a blank.";
	return NULL;
}

/* A segment of the broker's name, behind the kind. */
static int add_segment(const struct manners *m, struct buf *out, struct bytes segment,
    bool is_pattern, const char **why)
{
	if (is_pattern && broker_segment_is_any(segment))
		return buf_add(out, "*", 1);
	if (is_pattern && broker_segment_is_rest(segment))
		return buf_add(out, m->rest, 1);
	*why = trouble_with(m, segment);
	return *why ? -EINVAL : buf_add(out, segment.p, segment.n);
}

/* Where the broker speaks of itself, clients have no business. */
static const char *trouble_with_first(
    const struct manners *m, struct bytes segment, bool is_pattern)
{
	if (!m->own)
		return NULL;
	if (begins_with(segment, m->own))
		return "Names that begin with ActiveMQ are the broker's own.";
	if (is_pattern && segment.n > 0 && segment.p[0] == '*')
		return "A pattern may not begin with \"*\": it would fit the broker's own names.";
	return NULL;
}

static int add_all(const struct relay_names *names, struct broker_segments *rest, bool is_pattern,
    struct buf *out, const char **why)
{
	const struct manners *m = manners_of(names);
	struct bytes segment;
	bool is_first = true;
	int err = 0;

	while (err == 0 && broker_segments_next(rest, &segment)) {
		if (is_first && (*why = trouble_with_first(m, segment, is_pattern)))
			return -EINVAL;
		if (!is_first)
			err = buf_add(out, ".", 1);
		if (err == 0)
			err = add_segment(m, out, segment, is_pattern, why);
		is_first = false;
	}
	if (err == 0 && is_first) {
		*why = "A name is missing behind the kind of destination.";
		err = -EINVAL;
	}
	return err;
}

int relay_name_there(const struct relay_names *names, struct bytes here, bool is_pattern,
    struct buf *out, const char **why)
{
	struct broker_segments segments = broker_segments_of(here, names->separator);
	struct bytes kind = { "", 0 };
	size_t begin;
	int err;

	*why = "A destination is a path.";
	if (!broker_segments_next(&segments, &kind))
		return -EINVAL;
	*why = NULL;
	err = buf_add(out, kind.p - 1, kind.n + 1);
	if (err == 0)
		err = buf_add(out, "/", 1);
	begin = buf_len(out);
	if (err == 0)
		err = add_all(names, &segments, is_pattern, out, why);
	if (err == 0 && buf_len(out) - begin > THERE_MAX) {
		*why = "The name is too long for the broker.";
		err = -EINVAL;
	}
	return err;
}

/* --- here ------------------------------------------------------------------------- */

/* The octet at i of a broker's name, and how many it is written with. */
static size_t next_octet(const struct manners *m, struct bytes octets, size_t i, char *c)
{
	int high, low;

	*c = octets.p[i];
	if (!m->encodes || *c != '%' || octets.n - i < 3 ||
	    (high = hex_digit(octets.p[i + 1])) < 0 || (low = hex_digit(octets.p[i + 2])) < 0)
		return 1;
	*c = (char)(high << 4 | low);
	return 3;
}

/* A dot separates, if it stands there as itself. What separates here, or no client could say, may not come
 * any other way: two names there would be one here. */
static int add_here(const struct relay_names *names, struct buf *out, struct bytes octets)
{
	const struct manners *m = manners_of(names);
	int err = 0;

	for (size_t i = 0; i < octets.n && err == 0;) {
		size_t n;
		char c;

		n = next_octet(m, octets, i, &c);
		if (n == 1 && c == '.')
			c = names->separator;
		else if (c == '\0' || strchr(m->forbidden, c))
			return -EINVAL;
		err = buf_add(out, &c, 1);
		i += n;
	}
	return err;
}

/* Whether a client could say it, too. */
static int check_here(const struct relay_names *names, struct bytes here)
{
	struct buf there = BUF_INIT;
	const char *why;
	int err = -EINVAL;

	if (broker_name_is_destination(here, names->separator))
		err = relay_name_there(names, here, false, &there, &why);
	buf_fini(&there);
	return err;
}

int relay_name_here(const struct relay_names *names, struct bytes there, struct buf *out)
{
	const char *slash = there.n > 1 ? memchr(there.p + 1, '/', there.n - 1) : NULL;
	size_t kind = slash ? (size_t)(slash - there.p) : 0, begin = buf_len(out);
	int err;

	if (kind == 0 || there.p[0] != '/')
		return -EINVAL;
	err = buf_add(out, there.p, kind + 1);
	if (err == 0)
		err = add_here(
		    names, out, (struct bytes){ slash + 1, there.n - kind - 1 });
	if (err < 0)
		return err;
	return check_here(
	    names, (struct bytes){ buf_data(out) + begin, buf_len(out) - begin });
}
