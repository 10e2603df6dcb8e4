/*
 * http/http_linger.c - closing so that the last answer arrives.
 *
 * A plain close(2) with unread input makes the kernel send a reset, and a reset
 * makes the peer throw away an answer it has not read yet. So: write, shut down
 * writing, read and drop for a bounded time and amount, then close (RFC 9112
 * section 9.6).
 */
#include "http/http_private.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

#define LINGER_MS        2000
#define STALL_MS         10000 /* for an answer of which the client takes nothing */
#define LINGER_MAX_BYTES (64u << 20)
#define TURNED_AWAY_MOST 256   /* lingering, for a newcomer who is turned away to linger too */
#define SLOW_MS          30000 /* from then on a client has to take SLOW_BYTES a second on average */
#define SLOW_BYTES       1000

struct http_linger {
	struct list node;
	struct deferred deferred;
	struct stream stream;
	struct timer timer;
	struct http_server *server;
	size_t dropped;
	bool client_ended;   /* and may still be reading */
	uint64_t progress;   /* of the stream, when last looked at */
	uint64_t progressed; /* and when it had last risen */
	uint64_t progress_at_birth, born; /* once looked at for the first time */
};

static void linger_free(struct deferred *d)
{
	mem_free(container_of(d, struct http_linger, deferred));
}

static void linger_end(struct http_linger *l)
{
	stream_close(&l->stream);
	timer_stop(loop_timers(l->server->loop), &l->timer);
	list_remove(&l->node);
	l->server->counters.lingering--;
	loop_defer(l->server->loop, &l->deferred, linger_free);
}

static void on_readable(struct stream *s)
{
	struct http_linger *l = container_of(s, struct http_linger, stream);
	ssize_t n = stream_read(s, loop_scratch(l->server->loop), LOOP_SCRATCH_BYTES);

	if (n == -EAGAIN)
		return;
	if (n > 0 && (l->dropped += (size_t)n) <= LINGER_MAX_BYTES)
		return;
	l->client_ended = n == 0;
	if (!l->client_ended || stream_queued(s) == 0)
		linger_end(l);
}

/* stream_shutdown() was asked for before, and has followed the queue. */
static void on_writable(struct stream *s)
{
	struct http_linger *l = container_of(s, struct http_linger, stream);

	if (l->client_ended)
		linger_end(l);
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	linger_end(container_of(s, struct http_linger, stream));
}

static const struct stream_events linger_events = {
	.readable = on_readable,
	.writable = on_writable,
	.hangup = on_hangup,
};

/* Whether what was said is on its way still: nothing is added any more, so this ends. */
static bool is_arriving(struct http_linger *l)
{
	uint64_t progress = stream_progress(&l->stream), now = loop_now(l->server->loop), age;

	if (!l->born) {
		l->progress = l->progress_at_birth = progress;
		l->born = l->progressed = now;
	}
	age = now - l->born;
	if ((int64_t)(progress - l->progress) > 0)
		l->progressed = now;
	l->progress = progress;
	return stream_unacked(&l->stream) > 0 && now - l->progressed < STALL_MS &&
	       (age < SLOW_MS || (progress - l->progress_at_birth) / SLOW_BYTES >= age / 1000);
}

static void on_timer(struct timer *t)
{
	struct http_linger *l = container_of(t, struct http_linger, timer);

	if (is_arriving(l)) {
		timer_start(loop_timers(l->server->loop), t, LINGER_MS);
		return;
	}
	stream_give_up(&l->stream);
	linger_end(l);
}

void http_server_end(struct http_server *server, struct stream *s)
{
	struct http_linger *l = mem_zalloc(sizeof(*l));

	if (!l) {
		stream_close(s);
		return;
	}
	l->server = server;
	stream_move(&l->stream, s, server->loop, &linger_events);
	timer_init(&l->timer, on_timer);
	timer_start(loop_timers(l->server->loop), &l->timer, LINGER_MS);
	list_append(&server->lingering, &l->node);
	server->counters.lingering++;
	stream_shutdown(&l->stream);
	stream_want(&l->stream, STREAM_READ);
}

void http_linger_end_all(struct http_server *server)
{
	while (!list_empty(&server->lingering))
		linger_end(container_of(list_first(&server->lingering), struct http_linger, node));
}

static const struct stream_events no_events;

static void say_and_linger(
    struct http_server *server, struct stream *s, const struct stream_piece *pieces, unsigned n)
{
	stream_write(s, pieces, n);
	http_server_end(server, s);
}

void http_close_with(
    struct http_server *server, struct stream *s, unsigned status, const char *sentence)
{
	struct bytes lines = BYTES("Content-Type: text/plain; charset=UTF-8\r\n");
	char head[HTTP_HEAD_EXTRA + 64];
	struct stream_piece pieces[] = { { head, 0, NULL }, { sentence, strlen(sentence), NULL },
		{ "\n", 1, NULL } };

	pieces[0].n = http_head_render(head, status, lines,
	    (struct http_framing){ .length = (long long)pieces[1].n + 1 });
	say_and_linger(server, s, pieces, 3);
}

void http_server_turn_away(struct http_server *server, int fd, bool is_tls)
{
	static const char answer[] = "HTTP/1.1 429 Too Many Requests\r\n"
	                             "Content-Type: text/plain; charset=UTF-8\r\n"
	                             "Retry-After: 1\r\n"
	                             "Connection: close\r\n"
	                             "Content-Length: 34\r\n\r\n"
	                             "Too many connections; come later.\n";
	struct stream_piece piece = { answer, sizeof(answer) - 1, NULL };
	struct stream s;

	if (is_tls || server->counters.lingering >= TURNED_AWAY_MOST) {
		close(fd);
		return;
	}
	stream_init(&s, server->loop, fd, &no_events);
	say_and_linger(server, &s, &piece, 1);
}

/* --- for another process ---------------------------------------------------------------------- */

static void state_snapshot(struct http_linger *l, struct snapshot *s)
{
	uint64_t due = snapshot_u64(s, timer_is_active(&l->timer) ? l->timer.deadline : 0),
	         now = loop_now(l->server->loop);

	SNAPSHOT(s, size, l->dropped);
	SNAPSHOT(s, bool, l->client_ended);
	SNAPSHOT(s, u64, l->progress);
	SNAPSHOT(s, u64, l->progressed);
	SNAPSHOT(s, u64, l->progress_at_birth);
	SNAPSHOT(s, u64, l->born);
	if (s->is_reading)
		timer_start(loop_timers(l->server->loop), &l->timer, due > now ? due - now : 0);
}

static void read_linger(struct http_server *server, struct snapshot *s)
{
	struct http_linger *l = mem_zalloc(sizeof(*l));

	if (!l) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	l->server = server;
	timer_init(&l->timer, on_timer);
	list_append(&server->lingering, &l->node);
	server->counters.lingering++;
	stream_snapshot(&l->stream, s, server->loop, &linger_events);
	state_snapshot(l, s);
	if (!snapshot_check(s, stream_is_open(&l->stream)))
		linger_end(l);
}

void http_linger_snapshot(struct http_server *server, struct snapshot *s)
{
	struct list *pos;

	if (s->is_reading) {
		while (snapshot_more(s, false))
			read_linger(server, s);
		return;
	}
	list_foreach (pos, &server->lingering) {
		struct http_linger *l = container_of(pos, struct http_linger, node);

		snapshot_more(s, true);
		stream_snapshot(&l->stream, s, NULL, NULL);
		state_snapshot(l, s);
	}
	snapshot_more(s, false);
}
