/*
 * ws/ws_answer.c - the head of an HTTP response; see ws_answer.h.
 */
#include "ws/ws_answer.h"

#define VERSION BYTES("HTTP/1.") /* and a digit */

/* Where things stand in a status line: "HTTP/1.1 101 Switching Protocols" */
enum { MINOR = 7, STATUS = 9, PHRASE = 13 };

void ws_answer_fini(struct ws_answer *a)
{
	buf_fini(&a->text);
}

void ws_answer_again(struct ws_answer *a)
{
	struct ws_answer next = { .text = a->text, .octets = a->octets };

	buf_clear(&next.text);
	*a = next;
}

bool ws_is_field_text(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++) {
		unsigned char c = (unsigned char)b.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* --- one line --------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Of a status line that need not be complete. */
static const char *check_beginning(struct bytes line)
{
	size_t n = line.n < VERSION.n ? line.n : VERSION.n;

	if (n > 0 && memcmp(line.p, VERSION.p, n) != 0)
		return "What the server sends is not HTTP/1.";
	return NULL;
}

static const char *take_status_line(struct ws_answer *a, struct bytes line)
{
	const char *p = line.p;

	/* The blank before the phrase has to be there, the phrase has not */
	if (line.n < PHRASE || !is_digit(p[MINOR]) || p[MINOR + 1] != ' ' || p[PHRASE - 1] != ' ')
		return "The status line is malformed.";
	for (size_t i = STATUS; i < STATUS + 3; i++)
		if (!is_digit(p[i]))
			return "The status line is malformed.";
	if (!ws_is_field_text((struct bytes){ p + PHRASE, line.n - PHRASE }))
		return "The reason phrase contains a control character.";
	if (p[STATUS] < '1' || p[STATUS] > '5')
		return "The status code is not between 100 and 599.";
	a->minor = (unsigned)(p[MINOR] - '0');
	a->status = (unsigned)((p[STATUS] - '0') * 100 + (p[STATUS + 1] - '0') * 10 +
	                       (p[STATUS + 2] - '0'));
	return NULL;
}

static const char *take_header_line(struct ws_answer *a, struct bytes line)
{
	size_t name = ws_token_length(line);

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return "A header is folded.";
	if (name == 0 || name == line.n || line.p[name] != ':')
		return "A header line is not a name and a colon.";
	if (!ws_is_field_text((struct bytes){ line.p + name, line.n - name }))
		return "A header contains a control character.";
	if (a->lines == WS_ANSWER_LINES_MAX)
		return "There are too many header lines.";
	a->lines++;
	return NULL;
}

/* What was read so far of the line, with the LF if that is here. */
static struct bytes last_line(const struct ws_answer *a)
{
	return (struct bytes){ buf_data(&a->text) + a->line, buf_len(&a->text) - a->line };
}

static const char *take_line(struct ws_answer *a)
{
	struct bytes line = last_line(a);

	a->line += line.n;
	if (line.n < 2 || line.p[line.n - 2] != '\r')
		return "A line does not end in CR LF.";
	line.n -= 2;
	if (a->status == 0)
		return take_status_line(a, line);
	if (line.n > 0)
		return take_header_line(a, line);
	a->is_complete = true;
	return NULL;
}

/* --- pieces ------------------------------------------------------------------- */

/* A piece holds a line's end at most as its last octet. */
static const char *take_piece(struct ws_answer *a, struct bytes piece)
{
	size_t room = WS_ANSWER_MAX - a->octets;
	bool is_too_long = piece.n > room;
	const char *wrong = NULL;

	/* What fits is looked at first: what is wrong must not depend on how it was cut */
	if (is_too_long)
		piece.n = room;
	if (buf_add(&a->text, piece.p, piece.n) < 0)
		return "Memory is out.";
	a->octets += piece.n;
	if (a->status == 0)
		wrong = check_beginning(last_line(a));
	if (!wrong && is_too_long)
		wrong = "The head of the answer is too long.";
	if (!wrong && piece.p[piece.n - 1] == '\n')
		wrong = take_line(a);
	return wrong;
}

const char *ws_answer_feed(struct ws_answer *a, const char *p, size_t n, size_t *taken)
{
	const char *wrong = NULL;

	*taken = 0;
	while (!wrong && !a->is_complete && *taken < n) {
		struct bytes piece = { p + *taken, n - *taken };
		const char *end = memchr(piece.p, '\n', piece.n);

		if (end)
			piece.n = (size_t)(end - piece.p) + 1;
		*taken += piece.n;
		wrong = take_piece(a, piece);
	}
	return wrong;
}

/* --- a complete head ------------------------------------------------------------ */

/* Takes the next line off a head, whose every line ends in CR LF and holds no other LF. */
static struct bytes next_line(struct bytes *head)
{
	const char *end = memchr(head->p, '\n', head->n);
	struct bytes line = { head->p, (size_t)(end - head->p) - 1 };

	head->p += line.n + 2;
	head->n -= line.n + 2;
	return line;
}

static struct bytes whole(const struct ws_answer *a)
{
	return (struct bytes){ buf_data(&a->text), buf_len(&a->text) };
}

struct bytes ws_answer_phrase(const struct ws_answer *a)
{
	struct bytes head = whole(a), line = next_line(&head);

	return (struct bytes){ line.p + PHRASE, line.n - PHRASE };
}

size_t ws_answer_headers(
    const struct ws_answer *a, struct ws_request_header headers[WS_ANSWER_LINES_MAX])
{
	struct bytes head = whole(a);

	next_line(&head);
	for (size_t i = 0; i < a->lines; i++) {
		struct bytes line = next_line(&head);
		size_t name = ws_token_length(line);

		headers[i].name = (struct bytes){ line.p, name };
		headers[i].value = (struct bytes){ line.p + name + 1, line.n - name - 1 };
	}
	return a->lines;
}
