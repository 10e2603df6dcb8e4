/*
 * tests/wire/receive.c - the verb 'receive': so many SockJS messages, in order,
 * by any transport, asking again whenever a response ends.
 */
#include "wire/player.h"

#include <stdio.h>
#include <string.h>

#include "wire/sockjs.h"

/* --- receive --------------------------------------------------------- */

struct receiving {
	const char *template;
	long want, got;
};

static void check_one(struct receiving *r, struct text message)
{
	struct text want;
	char i[24];

	if (r->got == r->want)
		fail("more than %ld messages: %s", r->want, text_show(message.p, message.n));
	snprintf(i, sizeof(i), "%ld", r->got);
	var_set("i", i);
	want = text_expression(r->template);
	if (want.n != message.n || memcmp(want.p, message.p, want.n) != 0)
		fail("expected message %ld to be %s, got %s", r->got, text_show(want.p, want.n),
		    text_show(message.p, message.n));
	r->got++;
}

static void check_frame(struct receiving *r, struct text frame)
{
	const char *p = frame.p + 2, *end = frame.p + frame.n;
	struct text message;

	if (!frame.n || frame.p[0] == 'o' || frame.p[0] == 'h')
		return;
	if (frame.n < 3 || frame.p[0] != 'a' || frame.p[1] != '[')
		fail("%ld of %ld messages, then the frame %s", r->got, r->want,
		    text_show(frame.p, frame.n));
	while (p < end) {
		if (!sockjs_next_message(&p, end, &message))
			fail("malformed frame %s", text_show(frame.p, frame.n));
		check_one(r, message);
	}
}

static void ask_again(const struct sockjs_transport *t, const char *path)
{
	char line[512];

	snprintf(line, sizeof(line), "%s %s/%s%s", t->method, path, t->name, t->query);
	request_line(line);
	request_flush();
	expect_status("200");
}

static void receive_http(struct receiving *r, const struct sockjs_transport *t, const char *path)
{
	struct text piece, frame;

	if (!r->want && player.now->response.ended)
		ask_again(t, path);
	while (r->got < r->want) {
		if (player.now->response.ended)
			ask_again(t, path);
		memset(&frame, 0, sizeof(frame));
		if (t->streams) {
			piece = piece_of_body(player.now, "messages");
		} else {
			read_body(player.now);
			piece = player.now->body;
		}
		if (t->streams && player.now->response.ended)
			continue;
		if (!t->unwrap(piece, &frame))
			fail("malformed frame %s", text_show(piece.p, piece.n));
		check_frame(r, frame);
	}
}

/* receive N TRANSPORT PATH TEMPLATE: asks as often as it takes. */
void do_receive(const char *rest)
{
	struct receiving r = { .want = number(&rest) };
	struct text transport = text_word(&rest), path = { 0 };
	const struct sockjs_transport *t = sockjs_transport(transport.p);

	if (t)
		path = text_word(&rest);
	r.template = rest;
	if (t)
		receive_http(&r, t, path.p);
	else if (word_is(transport, "websocket"))
		while (r.got < r.want)
			check_frame(&r, expect_message(WS_TEXT));
	else if (word_is(transport, "raw"))
		while (r.got < r.want)
			check_one(&r, expect_message(WS_TEXT));
	else
		mistake("unknown transport", transport.p);
}
