/*
 * stomp/stomp_head.c - the head of a frame: its command, its headers, and what they announce.
 *
 * Lines are read one by one, as they come. What is cheaper to ask of many lines at once (UTF-8,
 * escapes) is asked when the head is whole, however it came, so that of two faults the same one is
 * found.
 *
 * Owns: nothing. Calls: utf8. Never: waits, keeps.
 */
#include "stomp/stomp_private.h"

#include <string.h>

#include "base/utf8.h"

/* --- binary that has become text -------------------------------------------- */

static bool begins_with(const char *p, size_t n, struct bytes beginning)
{
	return n >= beginning.n && memcmp(p, beginning.p, beginning.n) == 0;
}

/* A number of at most three digits, and a comma: how many octets, or 0. */
static size_t number_and_comma(const char *p, size_t n)
{
	size_t digits = 0;

	while (digits < n && digits < 3 && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	return digits > 0 && digits < n && p[digits] == ',' ? digits + 1 : 0;
}

int stomp_binary_as_text(const char *p, size_t n)
{
	size_t first;

	if (p[0] >= 'A' && p[0] <= 'Z') /* nearly always */
		return 0;
	if (begins_with(p, n, BYTES("[object ArrayBuffer]")) ||
	    begins_with(p, n, BYTES("[object Uint8Array]")) ||
	    begins_with(p, n, BYTES("[object Blob]")))
		return -STOMP_OBJECT_AS_TEXT;
	first = number_and_comma(p, n);
	if (first && number_and_comma(p + first, n - first))
		return -STOMP_OCTETS_AS_TEXT;
	return 0;
}

/* --- lines ------------------------------------------------------------------ */

static int read_command(struct stomp_reading *r, const char *line, size_t n)
{
	r->command = stomp_command_of((struct bytes){ line, n });
	if (r->command != STOMP_NONE)
		return 0;
	if (n > 0 && line[n - 1] == '\r' && stomp_command_of((struct bytes){ line, n - 1 }))
		return -STOMP_CR_IN_COMMAND;
	return -STOMP_NO_COMMAND;
}

static int read_header(struct stomp_frame *f, struct stomp_reading *r, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	struct stomp_header *h = &f->headers[r->headers];

	if (!colon)
		return n == 1 && line[0] == '\r' ? -STOMP_CR_IN_BLANK_LINE : -STOMP_NO_COLON;
	if (colon == line)
		return -STOMP_NO_NAME;
	h->name = (struct bytes){ line, (size_t)(colon - line) };
	h->value = (struct bytes){ colon + 1, n - h->name.n - 1 };
	r->headers++;
	return 0;
}

int stomp_read_line(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *line, size_t n)
{
	size_t whole = n + 1;
	int err = 0;

	if (n > 0 && line[n - 1] == '\r' && stomp_knows_cr(p->version))
		n--;
	if (r->head == 0)
		err = read_command(r, line, n);
	else if (n == 0)
		r->in_body = true;
	else if (r->headers == p->limits->max_headers)
		err = -STOMP_TOO_MANY_HEADERS;
	else
		err = read_header(f, r, line, n);
	if (err == 0)
		r->head += whole;
	return err;
}

void stomp_split_again(enum stomp_version version, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head)
{
	const char *line = memchr(head, '\n', r->head), *end = head + r->head;
	struct stomp_reading scratch = { 0 };

	line++;
	while (scratch.headers < r->headers) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)(lf - line);

		if (line[n - 1] == '\r' && stomp_knows_cr(version))
			n--;
		read_header(f, &scratch, line, n);
		line = lf + 1;
	}
}

/* --- escapes ---------------------------------------------------------------- */

/* Headers of these commands are as they were in 1.0 (STOMP 1.2, "Value Encoding"). */
static bool has_escapes(enum stomp_version version, enum stomp_command command)
{
	return version >= STOMP_1_1 && command != STOMP_CONNECT && command != STOMP_STOMP &&
	       command != STOMP_CONNECTED;
}

/* What a backslash and c stand for; 0 if they make no escape. */
static char escaped(enum stomp_version version, char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'c':
		return ':';
	case '\\':
		return '\\';
	case 'r':
		return version == STOMP_1_2 ? '\r' : 0;
	default:
		return 0;
	}
}

/* Into memory that is there already, since *b never grows. What is no escape fails, or (`lenient`)
 * stands for itself. */
static int unescape(
    enum stomp_version version, bool lenient, struct buf *out, struct bytes *b, char *odd)
{
	const char *from = b->p, *end = from + b->n, *backslash;
	char *begin = out->data + out->end, *to = begin;

	if (b->n == 0 || !memchr(from, '\\', b->n))
		return 0;
	while ((backslash = memchr(from, '\\', (size_t)(end - from))) != NULL) {
		memcpy(to, from, (size_t)(backslash - from));
		to += backslash - from;
		if (backslash + 1 == end && !lenient)
			return -STOMP_NO_ESCAPE;
		*odd = backslash + 1 < end ? backslash[1] : 0;
		*to = escaped(version, *odd);
		if (*to == 0 && !lenient)
			return -STOMP_ODD_ESCAPE;
		from = backslash + (*to ? 2 : 1);
		if (*to == 0)
			*to = '\\';
		to++;
	}
	memcpy(to, from, (size_t)(end - from));
	to += end - from;
	*b = (struct bytes){ begin, (size_t)(to - begin) };
	buf_commit(out, b->n);
	return 0;
}

int stomp_unescape_all(const struct stomp_parser *p, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head)
{
	enum stomp_version version = (enum stomp_version)p->version;
	int err = 0;

	if (!has_escapes(version, r->command) || !memchr(head, '\\', r->head))
		return 0;
	buf_clear(&f->unescaped);
	if (!buf_reserve(&f->unescaped, r->head)) /* views must not move */
		return -STOMP_NO_MEMORY;
	for (size_t i = 0; i < r->headers && err == 0; i++) {
		err = unescape(
		    version, p->lenient, &f->unescaped, &f->headers[i].name, &f->odd);
		if (err == 0)
			err = unescape(
			    version, p->lenient, &f->unescaped, &f->headers[i].value, &f->odd);
	}
	return err;
}

/* --- a whole head ----------------------------------------------------------- */

static int check_utf8(const char *head, size_t n)
{
	bool surrogates = false;

	if (utf8_is_valid(head, n))
		return 0;
	return utf8_is_valid_wide(head, n, &surrogates) && surrogates ? -STOMP_SURROGATE
	                                                              : -STOMP_NOT_UTF8;
}

/* Numbers that are larger than any limit are one of those. */
static bool read_number(struct bytes digits, size_t *number)
{
	const size_t most = (SIZE_MAX - 9) / 10;
	size_t sum = 0;

	for (size_t i = 0; i < digits.n; i++) {
		unsigned digit = (unsigned char)digits.p[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		sum = (sum < most ? sum : most) * 10 + digit;
	}
	*number = sum;
	return digits.n > 0;
}

static bool is_content_length(struct bytes name)
{
	return name.n == 14 && memcmp(name.p, "content-length", 14) == 0;
}

static int read_length(
    const struct stomp_parser *p, const struct stomp_frame *f, struct stomp_reading *r)
{
	size_t i = 0;

	while (i < r->headers && !is_content_length(f->headers[i].name))
		i++;
	if (i == r->headers)
		return 0;
	if (!read_number(f->headers[i].value, &r->length))
		return -STOMP_BAD_LENGTH;
	r->has_length = true;
	if (r->length > 0 && !stomp_has_body(r->command) && p->version != STOMP_1_0)
		return -STOMP_BODY_FORBIDDEN;
	return r->length > p->limits->max_body_bytes ? -STOMP_LENGTH_TOO_LARGE : 0;
}

int stomp_end_head(
    const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r, const char *head)
{
	int err = 0;

	if (!r->plain && p->version != STOMP_1_0 && !p->lenient)
		err = check_utf8(head, r->head);
	if (!r->plain && err == 0)
		err = stomp_unescape_all(p, f, r, head);
	if (err == 0)
		err = read_length(p, f, r);
	return err;
}

/* What goes back to a client in an ERROR frame must be well-formed, whatever is wrong. */
void stomp_find_receipt(enum stomp_version version, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head)
{
	struct bytes receipt;
	char odd;

	f->header_count = 0;
	if (r->headers == 0)
		return;
	stomp_split_again(version, f, r, head);
	f->header_count = r->headers;
	receipt = stomp_header_get(f, "receipt");
	f->header_count = 0;
	if (!receipt.p)
		return;
	buf_clear(&f->unescaped);
	if (has_escapes(version, r->command) &&
	    (!buf_reserve(&f->unescaped, receipt.n + 1) ||
	        unescape(version, false, &f->unescaped, &receipt, &odd) < 0))
		return;
	if (utf8_is_valid(receipt.p, receipt.n))
		f->receipt = receipt;
}
