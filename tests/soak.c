/*
 * tests/soak.c - ten thousand sessions that open, talk, and leave in every way.
 *
 *	soak --server "CMD" [--sessions N] [--seconds N] [--at-once N] [--seed S] [--rss KB]
 *	     [--restart-every MS] [-v]
 *
 * Sessions of all transports, up to --at-once (1500) together: what comes back is
 * compared with what was sent, in order; some clients stop reading, stop in the
 * middle of a request, or drop a connection before, in, or after their talk, by
 * FIN, RST, half-close, silence, or in due form. With --restart-every the server hands over to
 * another process (soak/restarts.c) all the while. They come in two equal
 * rounds. After each the server must come to rest: as many descriptors as at
 * its start; after the second no more memory than after the first, within what the
 * allocator's fragments make of it (--rss, 6144 KB; not asked of a build with a
 * sanitizer). Then it must end with status 0 on SIGTERM, without a word from a sanitizer. Prints
 * "N passed, N failed", where each session and each of these checks counts once.
 *
 * Uses conn.c and server.c of the wire player, nothing of the code under test.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak/peer.h"
#include "soak/restarts.h"
#include "soak/subject.h"
#include "soak/verdicts.h"
#include "wire/arguments.h"

enum {
	TEXT_MAX = 20000,     /* of a message */
	PATIENCE_MS = 20000,  /* for a session to do what it is there for */
	END_MS = 30000,       /* for an ending; a slow client has a megabyte to read before */
	QUIET_MS = 20000,     /* for the server to come to rest */
	DISCONNECT_MS = 5000, /* the server's disconnect_delay_ms */
	POWER = 15,           /* what is asked of amplify */
	SENDERS = 48,         /* other members a member of a broadcast tells apart */
	SHOWN = 20,
};

/* What a session is there for. */
enum deed {
	DEED_ECHO,      /* says something, wants it back in order */
	DEED_SLOW,      /* asks for much, and stops reading for a while */
	DEED_BROADCAST, /* one of many */
	DEED_GO_AWAY,   /* is sent away by the server */
	DEED_EARLY,     /* leaves before it is let in */
	DEED_TORN,      /* leaves in the middle of a request or frame */
	DEED_SECOND,    /* brings a second receiver, which is refused */
	DEEDS
};

/* How it leaves. */
enum ending { END_POLITE, END_FIN, END_RST, END_HALF_CLOSE, END_SILENCE, ENDINGS };

static const char *const deed_names[DEEDS] = { "echo", "slow", "broadcast", "go away", "early",
	"torn", "second" };
static const char *const ending_names[ENDINGS] = { "polite", "FIN", "RST", "half-close",
	"silence" };

struct sender {
	unsigned no, next;
};

struct session {
	struct session *next, **place;
	unsigned no;
	enum wire wire;
	enum deed deed;
	enum ending ending;
	unsigned from; /* the client's address: 127.0.0.1 plus this */
	char base[64]; /* "/echo/000/abc" */
	struct peer *receiver, *sender, *second;
	unsigned want, sent, got, window; /* messages */
	unsigned answers_due;             /* to sends */
	struct sender senders[SENDERS];
	unsigned sender_count;
	int64_t deadline, wake; /* wake: 0 none */
	bool wanders; /* a new connection for each send, once the one before is answered */
	bool open, ending_now, closed_by_server, failed, over;
};

struct settings {
	const char *server;
	unsigned sessions, seconds, at_once, rss_kb, restart_every;
};

static struct sockaddr_in address;
static struct session *live;
static unsigned live_count, started, shown, restarted;
static uint64_t state, seed = 1;

/* --- small things -------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
	return (unsigned)(mix(state += 0x9e3779b97f4a7c15u) % n);
}

/* --- messages: the text follows from who says it and which it is ------------------------------ */

static size_t message_length(unsigned no, unsigned seq)
{
	uint64_t z = mix((uint64_t)no << 20 ^ seq ^ seed << 44);

	return z % 64 == 0 ? z / 64 % (TEXT_MAX - 100) : z / 64 % 90;
}

/* Into `out`, of TEXT_MAX. Its length. */
static size_t message_text(char *out, unsigned no, unsigned seq)
{
	static const char alphabet[] =
	    "0123456789 abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t fill = message_length(no, seq), n = (size_t)sprintf(out, "%u.%u.", no, seq);
	uint64_t z = mix(no * 7919u + seq);

	for (size_t i = 0; i < fill; i++)
		out[n++] = alphabet[((z >> (i & 31)) + i) & 63];
	return n;
}

static bool is_message(const char *text, size_t n, unsigned no, unsigned seq)
{
	char expected[TEXT_MAX];

	return message_text(expected, no, seq) == n && memcmp(expected, text, n) == 0;
}

/* --- the end of a session --------------------------------------------------------- */

static void session_over(struct session *s)
{
	if (s->over)
		return;
	s->over = true;
	if (s->receiver)
		peer_close(s->receiver);
	if (s->sender)
		peer_close(s->sender);
	if (s->second)
		peer_close(s->second);
	verdicts.passed += !s->failed;
	verdicts.failed += s->failed;
}

static void fail(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct session *s, const char *format, ...)
{
	va_list ap;

	if (s->over)
		return;
	s->failed = true;
	if (shown++ < SHOWN) {
		printf("FAILED session %u (%s, %s, %s; sent %u, got %u of %u): ", s->no,
		    wire_names[s->wire], deed_names[s->deed], ending_names[s->ending], s->sent,
		    s->got, s->want);
		va_start(ap, format);
		vprintf(format, ap);
		va_end(ap);
		putchar('\n');
		fflush(stdout);
	}
	session_over(s);
}

/* The deed is done: leave. */
static void leave(struct session *s)
{
	int64_t now = now_ms();

	s->ending_now = true;
	s->deadline = now + patient(END_MS);
	if (s->receiver && (s->ending == END_POLITE || s->ending == END_HALF_CLOSE))
		peer_set_deaf(s->receiver, false); /* to hear the end */
	switch (s->ending) {
	case END_POLITE:
		if (wire_is_websocket(s->wire) && s->receiver) {
			peer_write_ws(s->receiver, WS_CLOSE, "\x03\xe8", 2);
			return; /* until the server has answered and ended */
		}
		session_over(s);
		return;
	case END_FIN:
		session_over(s);
		return;
	case END_RST:
		if (s->receiver)
			peer_reset(s->receiver);
		if (s->sender)
			peer_reset(s->sender);
		session_over(s);
		return;
	case END_HALF_CLOSE:
		if (s->receiver && s->receiver->fd >= 0)
			peer_half_close(s->receiver); /* until the server ends */
		else
			session_over(s);
		return;
	case END_SILENCE:
	default:
		s->wake = now + below(2500);
		return;
	}
}

/* --- requests --------------------------------------------------------------------- */

static const struct peer_events receiver_events, sender_events, second_events;

static struct peer *connect_peer(struct session *s, enum wire wire, const struct peer_events *on)
{
	struct peer *p = peer_new(&address, s->from, wire, on, s);

	if (!p)
		fail(s, "cannot connect: %s", strerror(errno));
	return p;
}

static size_t receiver_request(const struct session *s, char *out)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	const char *tail = wire_names[s->wire];

	switch (s->wire) {
	case WIRE_WEBSOCKET:
	case WIRE_WEBSOCKET_RAW:
		return (size_t)sprintf(out,
		    "GET %s%s HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: "
		    "websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		    s->base, "/websocket", key);
	case WIRE_XHR:
	case WIRE_XHR_STREAMING:
		return (size_t)sprintf(out,
		    "POST %s/%s HTTP/1.1\r\nHost: soak\r\nContent-Length: 0\r\n\r\n", s->base,
		    tail);
	case WIRE_EVENTSOURCE:
		return (size_t)sprintf(
		    out, "GET %s/%s HTTP/1.1\r\nHost: soak\r\n\r\n", s->base, tail);
	default:
		return (size_t)sprintf(
		    out, "GET %s/%s?c=cb HTTP/1.1\r\nHost: soak\r\n\r\n", s->base, tail);
	}
}

/* Asks for the (next) response that brings frames. */
static void receive(struct session *s)
{
	char request[512];
	size_t n = receiver_request(s, request);

	if (!s->receiver || s->receiver->fd < 0)
		s->receiver = connect_peer(s, s->wire, &receiver_events);
	if (s->receiver)
		peer_write(s->receiver, request, n);
}

/* The next message of the session as text without quotes. */
static size_t next_text(struct session *s, char *out)
{
	unsigned seq = s->sent++;

	if (s->deed == DEED_SLOW)
		return (size_t)sprintf(out, "%u", POWER);
	return message_text(out, s->no, seq);
}

/* Up to `count` messages as a JSON array, form-encoded where it has to be. */
static size_t array_text(struct session *s, char *out, unsigned count)
{
	size_t n = 0;

	out[n++] = '[';
	while (count-- > 0) {
		out[n++] = '"';
		n += next_text(s, out + n);
		out[n++] = '"';
		out[n++] = count > 0 ? ',' : ']';
	}
	if (s->wire == WIRE_JSONP) { /* the only octet of ours that has a meaning in a form */
		memmove(out + 2, out, n);
		memcpy(out, "d=", 2);
		n += 2;
		for (size_t i = 0; i < n; i++)
			if (out[i] == ' ')
				out[i] = '+';
	}
	return n;
}

static size_t send_head(const struct session *s, char *out, size_t length)
{
	return (size_t)sprintf(out,
	    "POST %s/%s HTTP/1.1\r\nHost: soak\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
	    s->base, s->wire == WIRE_JSONP ? "jsonp_send" : "xhr_send",
	    s->wire == WIRE_JSONP ? "application/x-www-form-urlencoded" : "text/plain", length);
}

static void send_by_request(struct session *s, unsigned count)
{
	static char body[4 * (TEXT_MAX + 4)];
	char head[512];
	size_t n;

	if (!s->sender || s->sender->fd < 0)
		s->sender = connect_peer(s, WIRE_NONE, &sender_events);
	if (!s->sender)
		return;
	n = array_text(s, body, count);
	peer_write(s->sender, head, send_head(s, head, n));
	peer_write(s->sender, body, n);
	s->answers_due++;
}

static void send_some(struct session *s, unsigned count)
{
	static char text[4 * (TEXT_MAX + 4)];

	if (s->wire == WIRE_WEBSOCKET_RAW)
		while (count-- > 0 && s->receiver)
			peer_write_ws(s->receiver, WS_TEXT, text, next_text(s, text));
	else if (s->wire == WIRE_WEBSOCKET)
		peer_write_ws(s->receiver, WS_TEXT, text, array_text(s, text, count));
	else
		send_by_request(s, count);
}

/* Keeps up to `window` messages in flight. */
static void talk(struct session *s)
{
	while (!s->over && s->sent < s->want && s->sent - s->got < s->window &&
	       !(s->wanders && s->answers_due > 0)) {
		unsigned room = s->window - (s->sent - s->got), left = s->want - s->sent;
		unsigned count = 1 + below(3);

		count = count < room ? count : room;
		send_some(s, count < left ? count : left);
	}
}

/* --- deeds ------------------------------------------------------------------------ */

static void tear(struct session *s)
{
	char text[512];
	size_t n;

	if (wire_is_websocket(s->wire) && s->receiver) {
		peer_write(
		    s->receiver, "\x81\xfe\x40", below(3) + 1); /* the head of a frame, or less */
	} else {
		s->sender = connect_peer(s, WIRE_NONE, &sender_events);
		if (!s->sender)
			return;
		n = send_head(s, text, 1000);
		if (below(2))
			n += (size_t)sprintf(text + n, "[\"half a message");
		else
			n -= 1 + below((unsigned)n - 1);
		peer_write(s->sender, text, n);
	}
	s->wake = now_ms() + 20 + below(100); /* so that it arrives before the ending */
}

/* The open frame has come. */
static void begin(struct session *s)
{
	s->open = true;
	switch (s->deed) {
	case DEED_ECHO:
	case DEED_BROADCAST:
		talk(s);
		break;
	case DEED_SLOW:
		talk(s);
		if (s->receiver && wire_is_websocket(s->wire))
			peer_set_deaf(s->receiver, true);
		s->wake = now_ms() + 100 + below(1500);
		break;
	case DEED_TORN:
		tear(s);
		break;
	case DEED_SECOND:
		s->second = connect_peer(s, s->wire, &second_events);
		break;
	default:
		break;
	}
	if (s->deed == DEED_SECOND && s->second) {
		char request[512];

		peer_write(s->second, request, receiver_request(s, request));
	}
}

static bool is_slow_answer(const char *text, size_t n)
{
	if (n != (size_t)1 << POWER)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] != 'x')
			return false;
	return true;
}

/* Another member's: each member's messages come whole, in order and without a gap. */
static bool follows(struct session *s, const char *text, size_t n)
{
	char head[24]; /* what has come has no NUL behind it */
	unsigned no, seq;
	struct sender *from = s->senders, *end = from + s->sender_count;

	snprintf(head, sizeof head, "%.*s", n < sizeof head ? (int)n : (int)sizeof head, text);
	if (sscanf(head, "%u.%u.", &no, &seq) != 2 || !is_message(text, n, no, seq))
		return false;
	while (from < end && from->no != no)
		from++;
	if (from < end)
		return seq == from->next++;
	if (s->sender_count < SENDERS) {
		s->sender_count++;
		*from = (struct sender){ no, seq + 1 };
	}
	return true;
}

static void got_message(struct session *s, const char *text, size_t n)
{
	char own[16];

	if (s->deed == DEED_BROADCAST) {
		if (!follows(s, text, n)) {
			fail(s, "a broken or misplaced message: %.*s", n < 80 ? (int)n : 80, text);
			return;
		}
		sprintf(own, "%u.", s->no);
		if (strncmp(text, own, strlen(own)) != 0)
			return;
		s->got++;
	} else if (s->deed == DEED_SLOW ? !is_slow_answer(text, n)
	                                : !is_message(text, n, s->no, s->got++)) {
		fail(s, "not what was sent: %.*s (%zu)", n < 80 ? (int)n : 80, text, n);
		return;
	}
	s->got += s->deed == DEED_SLOW;
	if (s->got > s->sent)
		fail(s, "more than was sent");
	else
		talk(s);
}

/* a["...","..."], where no string of ours has a quote or a comma. */
static void got_array(struct session *s, const char *text, size_t n)
{
	const char *at = text + 2, *end = text + n - 2;

	if (n < 5 || memcmp(text, "a[\"", 3) != 0 || memcmp(end, "\"]", 2) != 0) {
		fail(s, "not a frame: %.*s", n < 80 ? (int)n : 80, text);
		return;
	}
	while (!s->over && at < end) {
		const char *quote = memchr(at + 1, '"', (size_t)(end - at));

		got_message(s, at + 1, (size_t)(quote - at - 1));
		at = quote + 2; /* behind the comma */
	}
}

static void got_close(struct session *s, const char *text, size_t n)
{
	static const char go_away[] = "c[3000,\"Go away!\"]";

	s->closed_by_server = true;
	if (s->deed != DEED_GO_AWAY)
		fail(s, "closed by the server: %.*s", (int)n, text);
	else if (n != sizeof(go_away) - 1 || memcmp(text, go_away, n) != 0)
		fail(s, "sent away by %.*s", (int)n, text);
	else if (!wire_is_websocket(s->wire))
		leave(s);
}

static void on_frame(struct peer *p, const char *text, size_t n)
{
	struct session *s = p->owner;

	if (s->over || s->ending_now)
		return;
	if (s->wire == WIRE_WEBSOCKET_RAW)
		got_message(s, text, n);
	else if (n == 1 && *text == 'o' && !s->open)
		begin(s);
	else if (n > 0 && *text == 'c')
		got_close(s, text, n);
	else if (!(n == 1 && *text == 'h'))
		got_array(s, text, n);
	if (!s->over && !s->ending_now && (s->deed == DEED_ECHO || s->deed == DEED_BROADCAST) &&
	    s->open && s->got == s->want && s->answers_due == 0)
		leave(s);
}

/* --- events of the receiver ------------------------------------------------------- */

static void on_receiver_response(struct peer *p, unsigned status, bool keeps_alive)
{
	struct session *s = p->owner;

	if (s->over || (s->ending_now && (status == 101 || status == 200)))
		return;
	if (status == 101) {
		if (s->wire == WIRE_WEBSOCKET_RAW && s->deed != DEED_GO_AWAY)
			begin(s);
		return;
	}
	if (status != 200) {
		fail(s, "status %u: %.*s", status, (int)(p->body.n - p->body.at),
		    p->body.p + p->body.at);
		return;
	}
	if (!keeps_alive) {
		peer_close(p);
		s->receiver = NULL;
	}
	receive(s);
}

static void on_ws_close(struct peer *p, unsigned code)
{
	struct session *s = p->owner;

	if (s->over)
		return;
	if (s->deed == DEED_GO_AWAY &&
	    (code != 3000 || (s->wire == WIRE_WEBSOCKET && !s->closed_by_server)))
		fail(s, "sent away by Close %u", code);
	else if (s->deed == DEED_GO_AWAY)
		s->ending = END_POLITE, leave(s);
	else if (!s->ending_now)
		fail(s, "Close %u", code);
	else if (s->ending == END_POLITE && code != 1000)
		fail(s, "Close 1000 was answered with %u", code);
}

static void on_receiver_ended(struct peer *p, int err)
{
	struct session *s = p->owner;

	if (s->receiver == p)
		s->receiver = NULL;
	if (s->over)
		return;
	if (s->ending_now && s->ending != END_SILENCE) {
		if (err && s->ending == END_POLITE)
			fail(s, "a polite end was answered with %s", strerror(-err));
		session_over(s);
	} else if (s->ending_now) {
		s->wake = now_ms();
	} else {
		fail(s, "the receiver's connection has ended: %s",
		    err ? strerror(-err) : "in order");
	}
}

static const struct peer_events receiver_events = { on_frame, on_receiver_response, on_ws_close,
	on_receiver_ended };

/* --- events of the other connections ---------------------------------------------- */

static void on_send_answered(struct peer *p, unsigned status, bool keeps_alive)
{
	struct session *s = p->owner;

	(void)keeps_alive;
	if (s->over || s->ending_now)
		return;
	if (status != (s->wire == WIRE_JSONP ? 200 : 204)) {
		fail(s, "a send was answered with %u", status);
		return;
	}
	s->answers_due--;
	if (s->wanders) {
		peer_close(p);
		s->sender = NULL;
		talk(s);
	}
	if ((s->deed == DEED_ECHO || s->deed == DEED_BROADCAST) && s->got == s->want &&
	    s->answers_due == 0)
		leave(s);
}

static void on_sender_ended(struct peer *p, int err)
{
	struct session *s = p->owner;

	s->sender = NULL;
	if (!s->over && !s->ending_now && (s->answers_due > 0 || s->deed == DEED_TORN))
		fail(s, "the sender's connection has ended: %s", err ? strerror(-err) : "in order");
}

static const struct peer_events sender_events = { .response = on_send_answered,
	.ended = on_sender_ended };

static void on_second_frame(struct peer *p, const char *text, size_t n)
{
	static const char busy[] = "c[2010,\"Another connection still open\"]";
	struct session *s = p->owner;

	if (s->over || s->ending_now)
		return;
	if (n != sizeof(busy) - 1 || memcmp(text, busy, n) != 0) {
		fail(s, "a second receiver was told %.*s", (int)n, text);
		return;
	}
	s->deed = DEED_ECHO; /* and the first one goes on */
	talk(s);
}

static void on_second_response(struct peer *p, unsigned status, bool keeps_alive)
{
	(void)keeps_alive;
	if (status != 200)
		fail(p->owner, "a second receiver was answered with %u", status);
}

static void on_second_ended(struct peer *p, int err)
{
	(void)err;
	((struct session *)p->owner)->second = NULL;
}

static const struct peer_events second_events = {
	.frame = on_second_frame, .response = on_second_response, .ended = on_second_ended
};

/* --- time ------------------------------------------------------------------------- */

/* What was put off is due. */
static void wake_up(struct session *s)
{
	s->wake = 0;
	if (s->ending_now) { /* enough of silence */
		if (below(2) && s->receiver)
			peer_reset(s->receiver);
		session_over(s);
	} else if (s->deed == DEED_SLOW && s->receiver && below(2)) {
		peer_set_deaf(s->receiver, false); /* now all of it */
	} else {
		leave(s);
	}
}

static void look_at(struct session *s, int64_t now)
{
	if (!s->over && s->wake && now >= s->wake)
		wake_up(s);
	if (!s->over && s->deed == DEED_SLOW && !s->ending_now && !s->wake && s->open &&
	    s->got == s->want)
		leave(s);
	if (!s->over && now > s->deadline)
		fail(s, s->ending_now ? "the server did not end" : "did not come to its end");
}

static void look_at_all(void)
{
	int64_t now = now_ms();
	struct session *s, *next;

	for (s = live; s; s = next) {
		next = s->next;
		look_at(s, now);
		if (!s->over)
			continue;
		*s->place = s->next;
		if (s->next)
			s->next->place = s->place;
		live_count--;
		free(s);
	}
}

/* --- starting --------------------------------------------------------------------- */

static enum deed choose_deed(void)
{
	unsigned n = below(100);

	return n < 50   ? DEED_ECHO
	       : n < 60 ? DEED_SLOW
	       : n < 66 ? DEED_BROADCAST
	       : n < 74 ? DEED_GO_AWAY
	       : n < 84 ? DEED_EARLY
	       : n < 93 ? DEED_TORN
	                : DEED_SECOND;
}

static const char *service_of(enum deed deed)
{
	return deed == DEED_SLOW        ? "amplify"
	       : deed == DEED_BROADCAST ? "broadcast"
	       : deed == DEED_GO_AWAY   ? "close"
	                                : "echo";
}

static void start_session(void)
{
	struct session *s = must_have(calloc(1, sizeof(*s)));

	s->no = started++;
	s->wire = (enum wire)below(WIRES);
	s->deed = choose_deed();
	if (s->deed == DEED_SECOND && (wire_is_websocket(s->wire) || wire_is_polling(s->wire)))
		s->deed = DEED_ECHO; /* WebSockets do not share a session; between two polls nobody
		                        is second */
	s->ending = (enum ending)below(ENDINGS);
	if (s->deed == DEED_TORN && s->ending == END_POLITE)
		s->ending = END_FIN; /* nobody is polite in the middle of a frame */
	s->from = below(64);
	s->wanders = !wire_is_websocket(s->wire) && below(4) == 0;
	s->want = s->deed == DEED_SLOW        ? 4 + below(28)
	          : s->deed == DEED_BROADCAST ? below(4)
	                                      : 1 + below(20);
	s->window = s->deed == DEED_SLOW ? s->want : 1 + below(s->want + 1);
	s->deadline = now_ms() + patient(PATIENCE_MS);
	if (s->wire == WIRE_WEBSOCKET_RAW)
		sprintf(s->base, "/%s", service_of(s->deed));
	else
		/* Each is a client of its own, which the server's number says */
		sprintf(s->base, "/%s/%03u/s%llux%u", service_of(s->deed), s->no,
		    (unsigned long long)seed, s->no);
	s->place = &live;
	s->next = live;
	if (live)
		live->place = &s->next;
	live = s;
	live_count++;
	receive(s);
	if (s->deed == DEED_EARLY)
		s->wake = now_ms() + below(60);
	else if (s->deed == DEED_BROADCAST && s->want == 0)
		s->wake = now_ms() + 200 + below(1000); /* listens for a while */
}

static void run_round(const struct settings *set, struct server *server)
{
	unsigned until = started + set->sessions / 2;
	int64_t end = now_ms() + 500 * (int64_t)set->seconds;
	struct restarts restarts;
	bool more = true;

	restarts_init(&restarts, server, set->restart_every, 0);

	while (more || live_count > 0) {
		more = started < until && now_ms() < end;
		for (unsigned i = 0; more && i < 50 && live_count < set->at_once && started < until;
		     i++)
			start_session();
		peers_turn(10);
		look_at_all();
		restarted += restarts_turn(&restarts);
	}
	peers_turn(0);
	restarts_end(&restarts);
}

/* --- the server ------------------------------------------------------------------- */

/* Waits until the server has no more descriptors than at its start, and its closed sessions are
 * forgotten. */
static void await_rest(pid_t pid, unsigned at_start)
{
	int64_t begun = now_ms();
	unsigned now = 0;

	while (now_ms() - begun < patient(QUIET_MS)) {
		now = subject_descriptors(pid);
		if (now <= at_start && now_ms() - begun > DISCONNECT_MS + 1000)
			break;
		usleep(50000);
	}
	check(now == at_start, "the server has as many descriptors as at its start: %u, %u",
	    at_start, now);
}

/* --- main ------------------------------------------------------------------------- */

static struct settings parse(int argc, char **argv)
{
	static const char usage[] =
	    "usage: soak --server \"CMD\" [--sessions N] [--seconds N] [--at-once N] [--seed S] "
	    "[--rss KB] [--restart-every MS] [-v]\n";
	struct settings set = { .sessions = 10000, .seconds = 40, .at_once = 1500, .rss_kb = 6144 };
	const struct argument table[] = {
		{ "server", .text = &set.server },
		{ "sessions", .count = &set.sessions },
		{ "seconds", .count = &set.seconds },
		{ "at-once", .count = &set.at_once },
		{ "seed", .number = &seed },
		{ "rss", .count = &set.rss_kb },
		{ "restart-every", .count = &set.restart_every },
		{ "v", .flag = &verdicts.verbose },
		{ NULL },
	};

	if (arguments_read(table, argc, argv, usage) < argc || !set.server)
		arguments_refuse(usage);
	return set;
}

static void run(const struct settings *set, struct server *s)
{
	unsigned descriptors = subject_descriptors(s->pid);
	long first, second;

	run_round(set, s);
	await_rest(s->pid, descriptors);
	first = subject_memory(s->pid);
	run_round(set, s);
	await_rest(s->pid, descriptors);
	second = subject_memory(s->pid);
	if (set->restart_every)
		check(restarted > 0, "%u restarts", restarted);
	if (subject_has_sanitizer(s->pid))
		printf("memory: %ld KB, then %ld KB (with a sanitizer)\n", first, second);
	else
		check(second <= first + (long)set->rss_kb, "memory: %ld KB, then %ld KB", first,
		    second);
}

int main(int argc, char **argv)
{
	struct settings set = parse(argc, argv);
	struct server server;
	char why[128] = "";
	bool ended;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	subject_raise_limit();
	state = seed;
	setenv("MALLOC_MMAP_THRESHOLD_", "16384",
	    0); /* so that glibc gives back what is free, and the */
	setenv("MALLOC_TRIM_THRESHOLD_", "65536", 0); /* memory of the server tells what it holds */
	if (!subject_start(&server, set.server, &address) || peers_init() < 0)
		return 2;
	run(&set, &server);
	peers_fini();
	ended = server_stop(&server, patient(15000), why);
	check(ended, "the server ends with status 0 on SIGTERM %s", why);
	check(subject_log_is_clean(&server), "no sanitizer has anything to say");
	server_log(&server, verdicts.failed > 0);
	printf("%u sessions, seed %llu\n%u passed, %u failed\n", started, (unsigned long long)seed,
	    verdicts.passed, verdicts.failed);
	return verdicts.failed > 0;
}
