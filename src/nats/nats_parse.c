/*
 * nats/nats_parse.c - octets to events, wherever they are cut; see nats_parse.h.
 *
 * Two paths lead to the same event. One that lies whole in what was fed is read right there. What
 * is cut is collected in p->partial, and read from there once it is whole. A fault is the same
 * wherever the octets are cut.
 *
 * Owns: p->partial. Calls: buf. Never: I/O, time.
 */
#include "nats/nats_parse.h"

#include <errno.h>

enum { TOKENS_MAX = 5, KEEPS = 64 * 1024 };

static int fail(struct nats_parser *p, const char *why)
{
	p->why = why;
	return -EBADMSG;
}

/* --- lines -------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool nats_parse_number(struct bytes text, uint64_t *number)
{
	uint64_t sum = 0;

	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned digit = (unsigned char)text.p[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*number = sum;
	return true;
}

/* How many; TOKENS_MAX + 1 if there are more. */
static unsigned split(struct bytes line, struct bytes tokens[TOKENS_MAX])
{
	const char *at = line.p, *end = line.p + line.n;
	unsigned n = 0;

	for (;;) {
		const char *from;

		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return n;
		if (n == TOKENS_MAX)
			return TOKENS_MAX + 1;
		from = at;
		while (at < end && !is_blank(*at))
			at++;
		tokens[n++] = (struct bytes){ from, (size_t)(at - from) };
	}
}

/* What stands behind the name of the operation. */
static struct bytes arguments(struct bytes line, size_t name)
{
	while (name < line.n && is_blank(line.p[name]))
		name++;
	return (struct bytes){ line.p + name, line.n - name };
}

static bool begins(struct bytes line, struct bytes name)
{
	return line.n > name.n && is_blank(line.p[name.n]) &&
	       strncasecmp(line.p, name.p, name.n) == 0;
}

/* `sizes` is 1, or 2 with headers. Their views get their place with the payload (take_payload()).
 */
static int read_message(
    struct nats_parser *p, struct nats_event *e, struct bytes line, unsigned sizes)
{
	struct bytes tokens[TOKENS_MAX];
	unsigned n = split(line, tokens);
	uint64_t size, headers = 0;

	if (n != sizes + 2 && n != sizes + 3)
		return fail(p, "a message's line has too many or too few words");
	if (!nats_parse_number(tokens[1], &e->sid))
		return fail(p, "a message is for no subscription of ours");
	if (!nats_parse_number(tokens[n - 1], &size) ||
	    (sizes == 2 && (!nats_parse_number(tokens[n - 2], &headers) || headers > size)))
		return fail(p, "a message's size is no number");
	if (size > p->max_payload) {
		p->why = "a message is too large";
		return -EMSGSIZE;
	}
	e->op = NATS_MSG;
	e->subject = tokens[0];
	e->reply = n == sizes + 3 ? tokens[2] : (struct bytes){ NULL, 0 };
	e->headers = (struct bytes){ NULL, (size_t)headers };
	e->payload = (struct bytes){ NULL, (size_t)(size - headers) };
	return 0;
}

static struct bytes without_quotes(struct bytes text)
{
	if (text.n >= 2 && text.p[0] == '\'' && text.p[text.n - 1] == '\'')
		return (struct bytes){ text.p + 1, text.n - 2 };
	return text;
}

static int read_word(struct nats_parser *p, struct nats_event *e, struct bytes line)
{
	if (bytes_equal_nocase(line, BYTES("PING")))
		e->op = NATS_PING;
	else if (bytes_equal_nocase(line, BYTES("PONG")))
		e->op = NATS_PONG;
	else if (bytes_equal_nocase(line, BYTES("+OK")))
		e->op = NATS_OK;
	else
		return fail(p, "this is not what a NATS server says");
	return 0;
}

static int read_operation(struct nats_parser *p, struct nats_event *e, struct bytes line)
{
	*e = (struct nats_event){ NATS_NONE };
	if (begins(line, BYTES("MSG")))
		return read_message(p, e, arguments(line, 3), 1);
	if (begins(line, BYTES("HMSG")))
		return read_message(p, e, arguments(line, 4), 2);
	if (begins(line, BYTES("INFO"))) {
		e->op = NATS_INFO;
		e->text = arguments(line, 4);
		return 0;
	}
	if (begins(line, BYTES("-ERR"))) {
		e->op = NATS_ERR;
		e->text = without_quotes(arguments(line, 4));
		return 0;
	}
	return read_word(p, e, line);
}

static size_t line_max(const char *line)
{
	return (line[0] | 0x20) == 'i' ? NATS_INFO_MAX : NATS_LINE_MAX;
}

static int too_long(struct nats_parser *p)
{
	return fail(p, "a line is too long");
}

/* n octets, of which the last is the LF. 0, and *body is what belongs behind them. */
static int read_line(
    struct nats_parser *p, struct nats_event *e, const char *line, size_t n, size_t *body)
{
	int err;

	if (n > line_max(line))
		return too_long(p);
	if (n < 2 || memchr(line, '\r', n) != line + n - 2)
		return fail(p, "a line does not end with CR LF");
	err = read_operation(p, e, (struct bytes){ line, n - 2 });
	if (err < 0)
		e->op = NATS_NONE;
	*body = e->op == NATS_MSG ? e->headers.n + e->payload.n + 2 : 0;
	return err;
}

/* The body is here. */
static int take_payload(struct nats_parser *p, struct nats_event *e, const char *body)
{
	if (e->op != NATS_MSG)
		return 0;
	e->headers.p = body;
	e->payload.p = body + e->headers.n;
	if (memcmp(e->payload.p + e->payload.n, "\r\n", 2) == 0)
		return 0;
	e->op = NATS_NONE;
	return fail(p, "a payload does not end where it should");
}

/* --- whole, in what was fed --------------------------------------------------------- */

static ssize_t keep(struct nats_parser *p, struct nats_event *e, const char *data, size_t n)
{
	e->op = NATS_NONE;
	return buf_add(&p->partial, data, n) < 0 ? -ENOMEM : (ssize_t)n;
}

static ssize_t take_in_place(
    struct nats_parser *p, struct nats_event *e, const char *data, size_t n)
{
	const char *lf = memchr(data, '\n', n);
	size_t line = lf ? (size_t)(lf - data) + 1 : n, body;
	int err;

	if (!lf)
		return n > line_max(data) ? too_long(p) : keep(p, e, data, n);
	err = read_line(p, e, data, line, &body);
	if (err < 0)
		return err;
	if (n - line < body) {
		p->line = line;
		p->body = body;
		return keep(p, e, data, n);
	}
	err = take_payload(p, e, data + line);
	return err < 0 ? err : (ssize_t)(line + body);
}

/* --- what is cut -------------------------------------------------------------------- */

/* Up to the end of the line, which is read then. */
static ssize_t take_line(struct nats_parser *p, struct nats_event *e, const char *data, size_t n)
{
	const char *lf = memchr(data, '\n', n);
	size_t taken = lf ? (size_t)(lf - data) + 1 : n;
	size_t had = buf_len(&p->partial), max = line_max(buf_data(&p->partial));
	int err;

	if (taken > max - had)
		return too_long(p);
	if (buf_add(&p->partial, data, taken) < 0)
		return -ENOMEM;
	if (!lf)
		return (ssize_t)taken;
	err = read_line(p, e, buf_data(&p->partial), had + taken, &p->body);
	p->line = had + taken;
	return err < 0 ? err : (ssize_t)taken;
}

static ssize_t take_more(struct nats_parser *p, struct nats_event *e, const char *data, size_t n)
{
	ssize_t taken = p->line ? 0 : take_line(p, e, data, n);
	size_t left, more, body;
	int err;

	if (taken < 0 || !p->line)
		return taken;
	left = p->line + p->body - buf_len(&p->partial);
	more = n - (size_t)taken < left ? n - (size_t)taken : left;
	if (more > 0 && buf_add(&p->partial, data + taken, more) < 0)
		return -ENOMEM;
	e->op = NATS_NONE;
	if (more < left)
		return taken + (ssize_t)more;
	p->is_told = true;
	err = read_line(p, e, buf_data(&p->partial), p->line, &body); /* it may have moved */
	if (err == 0)
		err = take_payload(p, e, buf_data(&p->partial) + p->line);
	return err < 0 ? err : taken + (ssize_t)more;
}

/* --- from outside ------------------------------------------------------------------- */

void nats_parser_init(struct nats_parser *p, size_t max_payload)
{
	*p = (struct nats_parser){ .max_payload = max_payload };
}

void nats_parser_reset(struct nats_parser *p)
{
	buf_fini(&p->partial);
	nats_parser_init(p, p->max_payload);
}

static void forget_last(struct nats_parser *p)
{
	p->is_told = false;
	p->line = p->body = 0;
	if (p->partial.cap > KEEPS)
		buf_fini(&p->partial);
	else
		buf_clear(&p->partial);
}

ssize_t nats_parse(struct nats_parser *p, const char *data, size_t n, struct nats_event *e)
{
	if (p->is_told)
		forget_last(p);
	e->op = NATS_NONE;
	if (n == 0)
		return 0;
	return buf_len(&p->partial) ? take_more(p, e, data, n) : take_in_place(p, e, data, n);
}
