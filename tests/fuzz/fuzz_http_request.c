/*
 * tests/fuzz/fuzz_http_request.c - bytes of every kind through a whole HTTP server.
 *
 * Input: one octet of settings (by which the bytes are cut into pieces), then what a client sends.
 * The handler answers, detaches, waits for the same again, or upgrades, as the path's second octet
 * says.
 * What a request shows must stand in the input; each request is answered once, in order; and when
 * the client has gone, nothing of it is left.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/http_again.h"
#include "http/http_detach.h"
#include "http/http_upgrade.h"
#include "tests/fuzz/must.h"

enum { DIRECT = 0x80, HALF_CLOSE = 0x40 }; /* bits of the settings */
enum { HEARD_MAX = 1 << 20, POLLS = 64 };

static struct loop *loop;
static struct http_server *server;
static uint64_t now = 1000000;

static const char *input;
static size_t input_n;
static char heard[HEARD_MAX + 1];
static size_t heard_n;
static unsigned answers;

static struct stream polls[POLLS];
static struct how {
	struct addr peer;
	bool keep_alive;
} how[POLLS];
static unsigned poll_no[POLLS], poll_n;

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* --- the handler ---------------------------------------------------------------------------- */

static void must_be_input(struct bytes b)
{
	must(b.n == 0 || memmem(input, input_n, b.p, b.n) != NULL);
}

static void look_at_header(struct bytes name, struct bytes value, void *arg)
{
	(void)arg;
	must(name.n > 0);
	must_be_input(name);
	must_be_input(value);
	for (size_t i = 0; i < value.n; i++)
		must((unsigned char)value.p[i] >= 0x20 || value.p[i] == '\t');
}

static void look_at(struct http_request *r)
{
	struct bytes path = http_request_path(r), body;

	must(path.n > 0 && (path.p[0] == '/' || bytes_equal(path, BYTES("*"))));
	must(!memmem(path.p, path.n, "%00", 3));
	must(
	    bytes_equal(path, BYTES("/")) || path.n == 1 || memmem(input, input_n, path.p, path.n));
	must_be_input(http_request_query(r));
	must_be_input(http_request_method_name(r));
	must_be_input(http_request_cookie(r, "a"));
	http_request_each_header(r, look_at_header, NULL);
	body.p = http_request_body(r, &body.n);
	if (!http_request_header(r, HTTP_TRANSFER_ENCODING).p)
		must_be_input(body);
	must(body.n <= 1000);
}

static size_t body_limit(struct http_request *r, void *arg)
{
	(void)arg;
	must_be_input(http_request_method_name(r));
	return 1000;
}

static void on_nothing(struct stream *s)
{
	(void)s;
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	stream_close(s);
}

static const struct stream_events events = { on_nothing, on_nothing, on_hangup, NULL };

static void upgrade(struct http_request *r)
{
	struct http_head head;
	struct stream s;
	char early[1 << 16];
	ssize_t n;

	http_head_init(&head, 101);
	if (http_upgrade(r, "test", &head, &s, &events) < 0) {
		http_respond_text(r, 400, "no");
		return;
	}
	n = stream_read(&s, early, sizeof(early));
	must_be_input((struct bytes){ early, n > 0 ? (size_t)n : 0 });
	stream_close(&s);
}

static void detach(struct http_request *r)
{
	struct how now = { *http_request_peer(r), http_comes_back(r) };

	if (poll_n == POLLS || http_detach(r, &polls[poll_n], loop, &events) < 0) {
		http_respond_text(r, 503, "no");
		return;
	}
	how[poll_n] = now;
	poll_no[poll_n] = answers++;
	stream_want(&polls[poll_n++], STREAM_HANGUP);
}

/* --- one connection that waits outside -------------------------------------------- */

static struct http_again again;
static bool is_out;

static void answer_outside(void)
{
	char text[200];
	struct stream_piece piece = { text, 0, NULL };

	piece.n = (size_t)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<answer %u>", answers++);
	stream_write(&again.stream, &piece, 1);
	is_out = http_again_wait(&again, server);
}

static bool on_again(struct http_again *a, struct bytes query, char *body, size_t n)
{
	must_be_input(query);
	must(a == &again && is_out && n <= input_n);
	must_be_input((struct bytes){ body, n });
	memset(body, 'x', n);
	http_again_take(a);
	answer_outside();
	return true;
}

static void on_again_gone(struct http_again *a)
{
	must(a == &again && is_out && !stream_is_open(&a->stream));
	is_out = false;
}

static void on_again_readable(struct stream *s)
{
	(void)s;
	http_again_readable(&again);
}

static void on_again_hangup(struct stream *s, int err)
{
	(void)s, (void)err;
	http_again_hangup(&again);
}

static void take_out(struct http_request *r)
{
	static const struct stream_events on = { on_again_readable, on_nothing, on_again_hangup };
	static const struct http_again_ops ops = { on_again, on_again_gone };

	if (is_out || http_again_detach(&again, r, loop, &on, &ops, true) < 0) {
		http_respond_text(r, 503, "no");
		return;
	}
	if (again.keep_alive)
		answer_outside();
	else
		stream_close(&again.stream);
}

static void serve(struct http_request *r, void *arg)
{
	struct bytes path = http_request_path(r);
	char text[32];

	(void)arg;
	look_at(r);
	switch (path.n > 1 ? path.p[1] : '\0') {
	case 'a':
		take_out(r);
		break;
	case 'p':
		detach(r);
		break;
	case 'u':
		upgrade(r);
		break;
	case 'n':
		break; /* nobody answers */
	default:
		snprintf(text, sizeof(text), "<answer %u>", answers++);
		http_respond_text(r, 200, text);
	}
}

/* --- both ends -------------------------------------------------------------------- */

static void start(void)
{
	static const struct http_handler handler = { body_limit, serve };
	static const struct http_limits limits = { 4096, 1000, 1000, 1000 };

	clock_set(now);
	must(loop_new(&loop) == 0);
	must(http_server_new(&server, loop, &limits, &handler, NULL) == 0);
}

static void listen_to(int fd)
{
	ssize_t n;

	while (heard_n < HEARD_MAX &&
	       (n = recv(fd, heard + heard_n, HEARD_MAX - heard_n, MSG_DONTWAIT)) > 0)
		heard_n += (size_t)n;
}

static void turns(int fd, int n)
{
	while (n-- > 0) {
		must(loop_turn(loop, 0) == 0);
		listen_to(fd);
	}
}

static void answer_polls(void)
{
	for (unsigned i = 0; i < poll_n; i++) {
		char text[200], body[32];
		struct stream_piece piece = { text, 0, NULL };
		int n = snprintf(body, sizeof(body), "<answer %u>", poll_no[i]);

		if (!stream_is_open(&polls[i]))
			continue;
		piece.n = (size_t)snprintf(text, sizeof(text),
		    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n%s", body);
		must(n > 0);
		stream_write(&polls[i], &piece, 1);
		if (how[i].keep_alive && stream_queued(&polls[i]) == 0)
			http_server_give_back(server, &polls[i], &how[i].peer, NULL);
		else
			http_server_end(server, &polls[i]);
	}
	poll_n = 0;
}

static void check_answers(void)
{
	char *at = heard;
	unsigned last = 0, no;
	bool any = false;

	heard[heard_n] = '\0';
	while ((at = memmem(at, heard_n - (size_t)(at - heard), "<answer ", 8)) != NULL) {
		must(sscanf(at, "<answer %u>", &no) == 1);
		must(no < answers && (!any || no > last)); /* once, and in order */
		last = no;
		any = true;
		at++;
	}
}

static int connect_client(bool direct)
{
	struct addr peer = { .family = direct ? AF_INET : AF_UNIX };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	http_server_add(server, pair[1], &peer, NULL, NULL, NULL);
	return pair[0];
}

/* Sends the input in pieces; their sizes follow from the settings. */
static void say(int fd, unsigned settings)
{
	static const size_t sizes[] = { 1 << 20, 1, 2, 7, 30, 61, 200, 1000 };
	size_t piece = sizes[settings & 7], at = 0;

	while (at < input_n) {
		size_t n = input_n - at < piece ? input_n - at : piece;
		ssize_t sent = send(fd, input + at, n, MSG_NOSIGNAL);

		if (sent < 0)
			break;
		at += (size_t)sent;
		turns(fd, 1 + (settings >> 3 & 1));
		if (settings & 0x20)
			answer_polls();
		if (piece < 30 && at > 200)
			piece = 100; /* enough of small steps */
	}
}

static void end(int fd)
{
	const struct http_counters *c = http_server_counters(server);

	close(fd);
	for (int i = 0; i < 20 && (c->connections || c->lingering || i < 2); i++) {
		clock_set(now += 1100);
		must(loop_turn(loop, 0) == 0);
		must(loop_turn(loop, 0) == 0);
	}
	must(c->connections == 0 && c->lingering == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd;

	if (n < 1 || n > 60000)
		return 0;
	if (!loop)
		start();
	input = (const char *)p + 1;
	input_n = n - 1;
	heard_n = answers = 0;
	fd = connect_client(p[0] & DIRECT);
	say(fd, p[0]);
	turns(fd, 4);
	if (p[0] & HALF_CLOSE)
		shutdown(fd, SHUT_WR);
	for (int i = 0; i < 3 || (poll_n && i < 100);
	     i++) { /* an answer may let the next request in */
		answer_polls();
		turns(fd, 3);
	}
	check_answers();
	for (unsigned i = 0; i < poll_n; i++)
		stream_close(&polls[i]);
	poll_n = 0;
	end(fd);
	return 0;
}
