/*
 * tests/unit/http_takers.c - applications that take connections; see http_takers.h.
 */
#include "http_takers.h"

#include <stdio.h>
#include <string.h>

#include "http_fixture.h"

/* --- detached -------------------------------------------------------------------- */

struct taken taken[TAKEN_MAX];
unsigned detached_n;
int detach_err;
unsigned hangups;

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	hangups++;
	stream_close(s);
}

static void on_nothing(struct stream *s)
{
	(void)s;
}

static const struct stream_events events = { on_nothing, on_nothing, on_hangup, NULL };

/* The application of a stream: watches for the client's end. */
struct stream streams[TAKEN_MAX];

void detach_stream(struct http_request *r)
{
	struct taken how = { *http_request_peer(r), http_comes_back(r) };

	detach_err = http_detach(r, &streams[detached_n], loop, &events);
	if (detach_err < 0)
		return;
	taken[detached_n] = how;
	stream_want(&streams[detached_n++], STREAM_HANGUP);
}

void detach_poll(struct http_request *r)
{
	if (!bytes_equal(http_request_path(r), BYTES("/poll"))) {
		http_respond_text(r, 200, "other");
		return;
	}
	detach_stream(r);
}

void detach_setup(void)
{
	http_setup();
	detached_n = hangups = 0;
	detach_err = -1;
	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < TAKEN_MAX; i++)
		stream_init_empty(&streams[i]);
}

void detach_teardown(void)
{
	for (int i = 0; i < TAKEN_MAX; i++)
		stream_close(&streams[i]);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	http_teardown();
}

void write_text(unsigned i, const char *text)
{
	struct stream_piece piece = { text, strlen(text), NULL };

	ck_assert_int_eq(stream_write(&streams[i], &piece, 1), 0);
}

/* Answers a poll as its owner would. */
void answer_poll(unsigned i, const char *body)
{
	char text[200];

	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	write_text(i, text);
	if (taken[i].keep_alive)
		http_server_give_back(server, &streams[i], &taken[i].peer, NULL);
	else
		http_server_end(server, &streams[i]);
}

/* --- upgraded --------------------------------------------------------------------- */

struct stream upgraded;
char early[EARLY_MAX];
unsigned upgrades;

static void on_early(struct stream *s)
{
	size_t had = strlen(early);
	ssize_t n = stream_read(s, early + had, sizeof(early) - had - 1);

	early[had + (n > 0 ? (size_t)n : 0)] = '\0';
	if (n == 0)
		on_hangup(s, 0);
}

static const struct stream_events upgrade_events = { on_early, on_nothing, on_hangup, NULL };

void upgrade(struct http_request *r)
{
	struct http_head head;
	int err;

	http_head_init(&head, 101);
	http_head_add(&head, "X-Accept", "yes");
	err = http_upgrade(r, "test", &head, &upgraded, &upgrade_events);
	if (err < 0) {
		http_respond_text(r, 400, "no upgrade");
		return;
	}
	upgrades++;
	early[0] = '\0';
	stream_want(&upgraded, STREAM_READ);
}

void upgrade_setup(void)
{
	detach_setup();
	serving = upgrade;
	upgrades = 0;
	stream_init_empty(&upgraded);
}

void upgrade_teardown(void)
{
	stream_close(&upgraded);
	detach_teardown();
}
