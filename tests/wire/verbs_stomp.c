/*
 * tests/wire/verbs_stomp.c - the verbs of STOMP: 'stomp' lines, and frames expected. Over what
 * octets go is stomp_link.c's affair.
 */
#include "wire/player.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "wire/stomp_link.h"

/* --- sending --------------------------------------------------------- */

/* COMMAND [HEADER...] [body STRING] */
static struct text compose(const char *command, const char *rest)
{
	struct text frame = { 0 }, word, body;

	text_add(&frame, command, strlen(command));
	text_add(&frame, "\n", 1);
	while (*rest && strncmp(rest, "body ", 5) != 0) {
		word = text_word(&rest);
		text_add(&frame, word.p, word.n);
		text_add(&frame, "\n", 1);
	}
	text_add(&frame, "\n", 1);
	if (*rest) {
		body = text_expression(rest + 5);
		text_add(&frame, body.p, body.n);
	}
	text_add(&frame, "", 1);
	return frame;
}

static void send_frame(const char *command, const char *rest)
{
	stomp_link_send(player.now, compose(command, rest));
}

/* stomp open CARRIER PATH */
static void stomp_open(const char *rest)
{
	struct text carrier = text_word(&rest), path = text_word(&rest);

	stomp_link_open(player.now, carrier.p, path.p);
}

/* stomp join CARRIER PATH [HEADER...]: the first of headers with one name counts. */
static void stomp_join(const char *rest)
{
	struct text carrier = text_word(&rest), path = text_word(&rest), headers = { 0 };

	stomp_link_open(player.now, carrier.p, path.p);
	request_flush();
	text_add(&headers, rest, strlen(rest));
	text_add(&headers, " accept-version:1.2 heart-beat:0,0", 34);
	send_frame("CONNECT", headers.p + strspn(headers.p, " "));
	expect_frame("CONNECTED");
}

void do_stomp(const char *rest)
{
	struct text verb = text_word(&rest);
	bool is_command = isupper((unsigned char)verb.p[0]);

	request_flush();
	if (word_is(verb, "open"))
		stomp_open(rest);
	else if (word_is(verb, "join"))
		stomp_join(rest);
	else if (word_is(verb, "octets"))
		stomp_link_send(player.now, text_expression(rest));
	else if (is_command)
		send_frame(verb.p, rest);
	else
		mistake("unknown verb of stomp", verb.p);
}

/* --- a frame, taken apart -------------------------------------------- */

struct line {
	const char *name, *value;
	size_t name_len, value_len;
	bool expected;
};

struct frame {
	struct text command, body;
	struct line lines[128];
	size_t count;
};

static void add_line(struct frame *f, const char *p, const char *end)
{
	const char *colon = memchr(p, ':', (size_t)(end - p));
	struct line *l = &f->lines[f->count++];

	if (!colon || f->count == sizeof(f->lines) / sizeof(*f->lines))
		fail("a header without a colon, or too many: %s", text_show(p, (size_t)(end - p)));
	*l = (struct line){ p, colon + 1, (size_t)(colon - p), (size_t)(end - colon - 1), false };
}

static void take_apart(struct frame *f, struct text t)
{
	const char *p = t.p, *end = memchr(p, '\n', t.n);

	memset(f, 0, sizeof(*f));
	text_add(&f->command, p, (size_t)(end - p));
	for (p = end + 1; *p != '\n'; p = end + 1) {
		end = memchr(p, '\n', (size_t)(t.p + t.n - p));
		add_line(f, p, end);
	}
	p++;
	text_add(&f->body, p, (size_t)(t.p + t.n - 1 - p));
	text_add(&f->body, "", 0);
}

static struct line *line_named(struct frame *f, const char *name, size_t n)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->lines[i].name_len == n && !memcmp(f->lines[i].name, name, n))
			return &f->lines[i];
	return NULL;
}

/* --- what is expected of it ------------------------------------------ */

static bool value_is(const struct line *l, struct text want)
{
	struct text got = { 0 };
	regex_t re;
	bool well;

	if (want.p[0] != '~')
		return want.n == l->value_len && !memcmp(want.p, l->value, want.n);
	text_add(&got, l->value, l->value_len);
	if (regcomp(&re, want.p + 1, REG_EXTENDED | REG_NOSUB) != 0)
		mistake("bad regular expression", want.p);
	well = regexec(&re, got.p, 0, NULL, 0) == 0;
	regfree(&re);
	return well;
}

static void expect_line(struct frame *f, struct text word)
{
	const char *colon = strchr(word.p, ':');
	struct text want;
	struct line *l;

	if (!colon)
		mistake("NAME:VALUE expected", word.p);
	l = line_named(f, word.p, (size_t)(colon - word.p));
	want =
	    (struct text){ word.p + (colon + 1 - word.p), word.n - (size_t)(colon + 1 - word.p) };
	if (!l || !value_is(l, want))
		fail("expected %s in %s", word.p,
		    text_show(player.now->link.frame.p, player.now->link.frame.n));
	l->expected = true;
}

static void expect_no_line(struct frame *f, const char **rest)
{
	struct text name = text_word(rest);

	if (line_named(f, name.p, name.n))
		fail("expected no header %s in %s", name.p,
		    text_show(player.now->link.frame.p, player.now->link.frame.n));
}

static void expect_no_others(const struct frame *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (!f->lines[i].expected)
			fail("a header that is not expected in %s",
			    text_show(player.now->link.frame.p, player.now->link.frame.n));
}

static void expect_kind(bool is_binary)
{
	if (player.now->link.carrier != STOMP_BY_TCP && player.now->link.is_binary != is_binary)
		fail("a %s message", is_binary ? "text" : "binary");
}

/* [only] [binary] [HEADER...] [no NAME]... [body RULE] */
static void check_frame(struct frame *f, const char *rest)
{
	bool only = false;

	while (*rest && strncmp(rest, "body", 4) != 0) {
		struct text word = text_word(&rest);

		if (word_is(word, "only"))
			only = true;
		else if (word_is(word, "no"))
			expect_no_line(f, &rest);
		else if (word_is(word, "binary") || word_is(word, "text"))
			expect_kind(word_is(word, "binary"));
		else
			expect_line(f, word);
	}
	if (only)
		expect_no_others(f);
	if (*rest)
		match("body", rest + 4 + strspn(rest + 4, " "), f->body);
}

static const char *name_of(enum stomp_arrival came)
{
	static const char *const names[] = { "a frame", "a heart-beat", "the end",
		"nothing in time" };

	return names[came];
}

static enum stomp_arrival read_past_beats(int64_t until, int *code)
{
	enum stomp_arrival came;

	do
		came = stomp_link_read(player.now, code, until);
	while (came == STOMP_BEAT && now_ms() < until);
	return came;
}

/* < frame COMMAND ...: "~" is any of them. */
void expect_frame(const char *rest)
{
	static struct frame f;
	struct text command = text_word(&rest);
	int code;
	enum stomp_arrival came = read_past_beats(deadline(), &code);

	if (came != STOMP_FRAME)
		fail("expected %s, got %s, code %d", command.p, name_of(came), code);
	take_apart(&f, player.now->link.frame);
	if (command.p[0] != '~' && strcmp(f.command.p, command.p) != 0)
		fail("expected %s, got %s", command.p,
		    text_show(player.now->link.frame.p, player.now->link.frame.n));
	check_frame(&f, rest);
}

/* < last COMMAND ... body STRING: the first with this body; what comes before it is skipped. */
void expect_last(const char *rest)
{
	static struct frame f;
	const char *body = strstr(rest, "body ");
	struct text want;

	if (!body)
		mistake("the body of the last one expected", rest);
	want = text_expression(body + 5);
	do {
		expect_frame("~");
		take_apart(&f, player.now->link.frame);
	} while (f.body.n != want.n || memcmp(f.body.p, want.p, want.n) != 0);
	if (memcmp(f.command.p, rest, f.command.n) != 0)
		fail("expected %s, got %s", rest, f.command.p);
}

/* < beat: at once, without any frame before it. */
void expect_beat(const char *rest)
{
	int code;
	enum stomp_arrival came = stomp_link_read(player.now, &code, deadline());

	(void)rest;
	if (came != STOMP_BEAT)
		fail("expected a heart-beat, got %s", name_of(came));
}

/* < silence MS: neither a frame nor the end. */
void expect_silence(const char *rest)
{
	int code;
	enum stomp_arrival came = read_past_beats(now_ms() + number(&rest), &code);

	if (came != STOMP_SILENCE && came != STOMP_BEAT)
		fail("expected silence, got %s %s", name_of(came),
		    came == STOMP_FRAME
		        ? text_show(player.now->link.frame.p, player.now->link.frame.n)
		        : "");
}

/* < ends [CODE]: raw TCP tells no code. */
void expect_ends(const char *rest)
{
	int code;
	enum stomp_arrival came = read_past_beats(deadline(), &code);

	if (came != STOMP_END)
		fail("expected the end, got %s %s", name_of(came),
		    came == STOMP_FRAME
		        ? text_show(player.now->link.frame.p, player.now->link.frame.n)
		        : "");
	if (*rest && player.now->link.carrier != STOMP_BY_TCP && atoi(rest) != code)
		fail("expected the end with %s, got %d", rest, code);
}

/* save NAME frame HEADER, of the last one. */
void save_frame_header(const char *name, const char *header)
{
	static struct frame f;
	struct line *l;
	struct text value = { 0 };

	if (!player.now->link.frame.n)
		mistake("no frame has been read", header);
	take_apart(&f, player.now->link.frame);
	l = line_named(&f, header, strlen(header));
	if (!l)
		fail("no header %s", header);
	text_add(&value, l->value, l->value_len);
	var_set(name, value.p);
}
