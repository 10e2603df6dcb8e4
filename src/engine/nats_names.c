/*
 * engine/nats_names.c - destinations as subjects of NATS, and back; see nats_names.h.
 */
#include "engine/nats_names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "broker/broker_name.h"
#include "nats/nats_subject.h"

#define USER "/user/"

/* --- octets ------------------------------------------------------------------------------- */

static int add_escaped(struct buf *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char text[3] = { '%', digits[c >> 4], digits[c & 15] };

	return buf_add(out, text, sizeof(text));
}

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

static bool is_special_in_subject(unsigned char c)
{
	return is_control(c) || c == ' ' || c == '.' || c == '*' || c == '>' || c == '%';
}

static int add_token(struct buf *out, struct bytes token)
{
	int err = 0;

	for (size_t i = 0; i < token.n && err == 0; i++) {
		unsigned char c = (unsigned char)token.p[i];

		err = is_special_in_subject(c) ? add_escaped(out, c) : buf_add(out, &token.p[i], 1);
	}
	return err;
}

int nats_name_decode(struct buf *out, struct bytes text)
{
	int err = 0;

	for (size_t i = 0; i < text.n && err == 0; i++) {
		int high = text.p[i] == '%' && i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
		unsigned char c = low >= 0 ? (unsigned char)(high * 16 + low) : (unsigned char)text.p[i];

		err = buf_add(out, &c, 1);
		i += low >= 0 ? 2 : 0;
	}
	return err;
}

/* --- to subjects --------------------------------------------------------------------------- */

static int begin(struct buf *out, const char *prefix, char kind)
{
	return buf_printf(out, "%s.%c", prefix, kind);
}

static int check_length(const struct buf *out, size_t from)
{
	return buf_len(out) - from <= NATS_SUBJECT_MAX ? 0 : -EINVAL;
}

int nats_name_destination(
    struct buf *out, const char *prefix, enum nats_space space, struct bytes destination, char separator)
{
	struct broker_segments segments = broker_segments_of(destination, separator);
	size_t from = buf_len(out);
	int err = begin(out, prefix, (char)space);
	struct bytes segment;

	while (err == 0 && broker_segments_next(&segments, &segment)) {
		err = buf_add(out, ".", 1);
		if (err == 0)
			err = add_token(out, segment);
	}
	return err ? err : check_length(out, from);
}

/* With `stop` up to a "**", which is not in it; else that stands as ">". */
static int add_pattern(struct buf *out, const char *prefix, enum nats_space space, struct bytes pattern,
    char separator, bool stop, bool *has_rest)
{
	struct broker_segments segments = broker_segments_of(pattern, separator);
	size_t from = buf_len(out);
	int err = begin(out, prefix, (char)space);
	struct bytes segment;

	*has_rest = false;
	while (err == 0 && !*has_rest && broker_segments_next(&segments, &segment)) {
		*has_rest = broker_segment_is_rest(segment);
		if (*has_rest && stop)
			break;
		err = buf_add(out, ".", 1);
		if (err == 0 && *has_rest)
			err = buf_add(out, ">", 1);
		else if (err == 0)
			err = broker_segment_is_any(segment) ? buf_add(out, "*", 1) : add_token(out, segment);
	}
	if (err == 0)
		err = check_length(out, from);
	return err ? err : buf_add(out, "", 1);
}

int nats_name_pattern(struct buf *out, const char *prefix, enum nats_space space, struct bytes pattern,
    char separator, size_t *two)
{
	bool has_rest;
	int err = add_pattern(out, prefix, space, pattern, separator, true, &has_rest);

	*two = 0;
	if (err < 0 || !has_rest)
		return err;
	*two = buf_len(out);
	return add_pattern(out, prefix, space, pattern, separator, false, &has_rest);
}

/* ".NAME", and ".rest" without its "/user/"; or ".*", if that is empty. */
static int add_private(struct buf *out, size_t from, struct bytes name, struct bytes rest)
{
	const size_t skip = sizeof(USER) - 1;
	int err = buf_add(out, ".", 1);

	if (err == 0)
		err = add_token(out, name);
	if (err == 0)
		err = buf_add(out, ".", 1);
	if (err == 0)
		err = rest.n ? add_token(out, (struct bytes){ rest.p + skip, rest.n - skip }) : buf_add(out, "*", 1);
	if (err == 0)
		err = check_length(out, from);
	return err || rest.n ? err : buf_add(out, "", 1);
}

int nats_name_user(struct buf *out, const char *prefix, struct bytes user, struct bytes rest)
{
	size_t from = buf_len(out);
	int err = begin(out, prefix, 'u');

	return err ? err : add_private(out, from, user, rest);
}

int nats_name_all_of_user(struct buf *out, const char *prefix, struct bytes user)
{
	return nats_name_user(out, prefix, user, (struct bytes){ 0 });
}

static int begin_gateway(struct buf *out, const char *prefix, uint64_t gateway)
{
	return buf_printf(out, "%s.s.%016" PRIx64, prefix, gateway);
}

int nats_name_member(
    struct buf *out, const char *prefix, uint64_t gateway, struct bytes member, struct bytes rest)
{
	size_t from = buf_len(out);
	int err = begin_gateway(out, prefix, gateway);

	return err ? err : add_private(out, from, member, rest);
}

int nats_name_all_members(struct buf *out, const char *prefix, uint64_t gateway)
{
	int err = begin_gateway(out, prefix, gateway);

	return err ? err : buf_add(out, ".*.*", sizeof(".*.*"));
}

/* --- and back --------------------------------------------------------------------------------- */

/* The next token of what is left; false: that was all. */
static bool next_token(struct bytes *rest, struct bytes *token)
{
	const char *dot;

	if (!rest->p)
		return false;
	dot = memchr(rest->p, '.', rest->n);
	*token = (struct bytes){ rest->p, dot ? (size_t)(dot - rest->p) : rest->n };
	if (dot)
		*rest = (struct bytes){ dot + 1, rest->n - token->n - 1 };
	else
		rest->p = NULL;
	return true;
}

/* The first segment ends at a slash, whatever separates the others. */
static int read_destination(
    struct buf *out, struct bytes rest, char separator, struct bytes *destination)
{
	struct bytes token;
	int err = 0;

	for (size_t i = 0; err == 0 && next_token(&rest, &token); i++) {
		err = buf_add(out, i < 2 ? "/" : &separator, 1);
		if (err == 0)
			err = nats_name_decode(out, token);
	}
	*destination = (struct bytes){ buf_data(out), buf_len(out) };
	return err;
}

static int read_private(struct buf *out, struct bytes rest, struct bytes *user, struct bytes *destination)
{
	struct bytes name, what, more;
	size_t n;
	int err;

	if (!next_token(&rest, &name) || !next_token(&rest, &what) || next_token(&rest, &more))
		return -EINVAL;
	err = nats_name_decode(out, name);
	n = buf_len(out);
	if (err == 0)
		err = buf_add_str(out, USER);
	if (err == 0)
		err = nats_name_decode(out, what);
	if (err < 0)
		return err;
	*user = (struct bytes){ buf_data(out), n };
	*destination = (struct bytes){ (const char *)buf_data(out) + n, buf_len(out) - n };
	return 0;
}

int nats_name_read(struct buf *out, const char *prefix, struct bytes subject, char separator,
    struct bytes *user, struct bytes *destination)
{
	struct bytes gateway;
	size_t n = strlen(prefix);

	*user = *destination = (struct bytes){ "", 0 };
	buf_clear(out);
	if (subject.n < n + 4 || memcmp(subject.p, prefix, n) != 0 || subject.p[n] != '.' || subject.p[n + 2] != '.')
		return -EINVAL;
	subject = (struct bytes){ subject.p + n + 3, subject.n - n - 3 };
	switch (subject.p[-2]) {
	case NATS_LIVE:
	case NATS_KEPT:
		return read_destination(out, subject, separator, destination);
	case 's':
		if (!next_token(&subject, &gateway) || !subject.p)
			return -EINVAL;
		/* fall through */
	case 'u':
		return read_private(out, subject, user, destination);
	default:
		return -EINVAL;
	}
}

/* --- headers ------------------------------------------------------------------------------------ */

bool nats_name_is_reserved(struct bytes name)
{
	static const char *const ours[] = { "nats-", "sockjsd-" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (name.n >= strlen(ours[i]) && strncasecmp(name.p, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

int nats_name_header(struct buf *out, struct bytes name)
{
	bool is_ours = nats_name_is_reserved(name);
	int err = 0;

	for (size_t i = 0; i < name.n && err == 0; i++) {
		unsigned char c = (unsigned char)name.p[i];

		err = is_control(c) || c == ' ' || c == ':' || c == '%' || (is_ours && i == 0)
		          ? add_escaped(out, c)
		          : buf_add(out, &name.p[i], 1);
	}
	return err;
}

/* Blanks around a value do not count there. */
int nats_name_value(struct buf *out, struct bytes value)
{
	int err = 0;

	for (size_t i = 0; i < value.n && err == 0; i++) {
		unsigned char c = (unsigned char)value.p[i];
		bool is_edge = i == 0 || i == value.n - 1;

		err = is_control(c) || c == '%' || (c == ' ' && is_edge) ? add_escaped(out, c)
		                                                         : buf_add(out, &value.p[i], 1);
	}
	return err;
}
