/*
 * tests/greedy.c - some clients make as much work as they can with what they may send; others,
 * with little to do, must not have to wait for them, and nobody may lose anything.
 *
 *	greedy --server "CMD" [-n CLIENTS] [-f] [-v]
 *
 * The server is stopped (SIGSTOP) while everybody writes, the modest clients last; when it goes on
 * all of it is there at once. Then each modest client has to have its first echo before half (with
 * two reactors nine tenths) of the greedy ones are served, and several before all are. Nothing is
 *measured in seconds, unless -f asks for figures: how long echoes took meanwhile.
 *
 * CMD is run with -t 1 and with -t 2; it serves /echo with the defaults of production, and STOMP
 * for everybody at /stomp. Prints "N
 * passed, N failed".
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "wire/arguments.h"
#include "wire/server.h"

enum {
	MODEST = 8, /* with two reactors both have some, all but surely */
	GREEDY_MAX = 1000,
	BURST_MAX = 65536,
	ECHO = 64, /* octets */
	ECHO_FRAME = 2 + ECHO,
	FIGURES_MAX = 1 << 20,
	PATIENCE_MS = 120000,
	START_MS = 20000,
};

struct burst {
	const char *name;
	bool is_raw, deflates, is_body, is_stomp;
	size_t (*make)(char *out);
	/* What has to come back before the end: so many octets like this one; 0: no matter. Or so
	 * many pairs of them: a single one may be a frame's length */
	char octet;
	bool is_pair;
	size_t octets;
	const char *last; /* and what has to be in it; NULL: no matter */
	unsigned echoes;  /* that each modest client has meanwhile, at least */
};

struct client {
	int fd;
	bool is_modest, done, wrong;
	size_t got;           /* of the echo that is awaited */
	unsigned echoes;      /* while greedy ones were not done */
	unsigned done_before; /* greedy ones, when the first echo came */
	double asked;
	size_t seen;          /* of what its burst calls forth */
	bool last_seen, half; /* a pair has begun */
	char tail[64];
	size_t tail_len;
};

static struct server server;
static struct client clients[MODEST + GREEDY_MAX];
static unsigned greedy = 50, done, passed, failed, threads;
static bool verbose, with_figures;
static float *figures;
static size_t figure_count;

static void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void check(bool ok, const char *format, ...)
{
	va_list ap;

	passed += ok;
	failed += !ok;
	if (ok && !verbose)
		return;
	printf("%s -t %u: ", ok ? "ok    " : "FAILED", threads);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- bursts ------------------------------------------------------------------------------- */

static char *put_frame(char *out, unsigned first, const void *p, size_t n)
{
	*out++ = (char)first;
	if (n < 126) {
		*out++ = (char)(0x80 | n);
	} else {
		*out++ = (char)(0x80 | 126);
		*out++ = (char)(n >> 8);
		*out++ = (char)n;
	}
	memset(out, 0, 4); /* a masking key like any other */
	return n ? mempcpy(out + 4, p, n) : out + 4;
}

/* A megabyte of white space in brackets, in a kilobyte. */
static size_t make_bombs(char *out)
{
	enum { PLAIN = 1 << 20, FRAMES = 12 };
	static char packed[4096];
	char *plain = malloc(PLAIN), *to = out;
	z_stream z = { .zalloc = Z_NULL };

	if (!plain)
		die("malloc");
	memset(plain, ' ', PLAIN);
	plain[0] = '[';
	plain[PLAIN - 1] = ']';
	deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	z.next_in = (unsigned char *)plain;
	z.avail_in = PLAIN;
	z.next_out = (unsigned char *)packed;
	z.avail_out = sizeof(packed);
	deflate(&z, Z_SYNC_FLUSH);
	for (int i = 0; i < FRAMES; i++)
		to = put_frame(to, 0xc1, packed, sizeof(packed) - z.avail_out - 4);
	deflateEnd(&z);
	free(plain);
	return (size_t)(to - out);
}

static size_t make_pings(char *out)
{
	char *to = out;

	for (int i = 0; i < 10000; i++)
		to = put_frame(to, 0x89, "", 0);
	return (size_t)(put_frame(to, 0x89, "LAST", 4) - out);
}

enum {
	TINY = 4000,
	FRAGMENTS = 9000,
	ARRAYS = 20,
	STRINGS = 1000,
	BODY_STRINGS = 3000,
	SENDS = 500
};

static size_t make_tiny(char *out)
{
	char *to = out;

	for (int i = 0; i < TINY; i++)
		to = put_frame(to, 0x81, "x", 1);
	return (size_t)(to - out);
}

static size_t make_fragments(char *out)
{
	char *to = put_frame(out, 0x01, "x", 1);

	for (int i = 2; i < FRAGMENTS; i++)
		to = put_frame(to, 0x00, "x", 1);
	return (size_t)(put_frame(to, 0x80, "x", 1) - out);
}

static char *put_strings(char *to, unsigned n)
{
	*to++ = '[';
	for (unsigned i = 0; i < n; i++)
		to = mempcpy(to, i ? ",\"\"" : "\"\"", i ? 3 : 2);
	*to++ = ']';
	return to;
}

static size_t make_arrays(char *out)
{
	static char text[4 * STRINGS];
	size_t n = (size_t)(put_strings(text, STRINGS) - text);
	char *to = out;

	for (int i = 0; i < ARRAYS; i++)
		to = put_frame(to, 0x81, text, n);
	return (size_t)(to - out);
}

static size_t make_body(char *out)
{
	return (size_t)(put_strings(out, BODY_STRINGS) - out);
}

/* So many frames in one message, each of which goes to all greedy clients. */
static size_t put_stomp(char *out, const char *begin, const char *frame, const char *end)
{
	static char text[BURST_MAX];
	char *to = stpcpy(text, begin) + (*begin != 0);

	for (int i = 0; i < SENDS; i++)
		to = stpcpy(to, frame) + 1;
	if (*end)
		to = stpcpy(to, end) + 1;
	to = stpcpy(to, "DISCONNECT\nreceipt:LAST\n\n") + 1;
	return (size_t)(put_frame(out, 0x81, text, (size_t)(to - text)) - out);
}

static size_t make_sends(char *out)
{
	return put_stomp(out, "", "SEND\ndestination:/topic/x\n\n", "");
}

static size_t make_commit(char *out)
{
	return put_stomp(out, "BEGIN\ntransaction:t\n\n",
	    "SEND\ndestination:/topic/x\ntransaction:t\n\n", "COMMIT\ntransaction:t\n\n");
}

static const struct burst bursts[] = {
	{ "frames of 1 KB that inflate to 1 MiB", .deflates = true, .make = make_bombs,
	    .echoes = 20 },
	{ "pings", .is_raw = true, .make = make_pings, .last = "LAST", .echoes = 1 },
	{ "messages of one octet", .is_raw = true, .make = make_tiny, .octet = 'x', .octets = TINY,
	    .echoes = 2 },
	{ "fragments of one octet", .is_raw = true, .make = make_fragments, .octet = 'x',
	    .octets = FRAGMENTS, .echoes = 1 },
	{ "arrays of empty strings", .make = make_arrays, .octet = '"', .is_pair = true,
	    .octets = ARRAYS * STRINGS, .echoes = 2 },
	{ "bodies of empty strings", .is_body = true, .make = make_body, .last = " 204 ",
	    .echoes = 1 },
	{ "SENDs to a topic of many", .is_stomp = true, .make = make_sends,
	    .last = "receipt-id:LAST", .echoes = 5 },
	{ "COMMITs of as many SENDs", .is_stomp = true, .make = make_commit,
	    .last = "receipt-id:LAST", .echoes = 5 },
};

/* --- clients -------------------------------------------------------------------------------- */

static int connect_client(void)
{
	const struct address *to = &server.address[0];
	struct addrinfo *found, hints = { .ai_socktype = SOCK_STREAM };
	const int one = 1;
	int fd;

	if (getaddrinfo(to->host, to->port, &hints, &found) != 0)
		die(to->host);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(found);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0)
			die("send");
		p += sent;
		n -= (size_t)sent;
	}
}

/* Reads until this has come; what is behind it is dropped, and is not expected. */
static void read_until(int fd, const char *what)
{
	char in[4096];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(in) - 1 && (got = recv(fd, in + n, sizeof(in) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		in[n] = '\0';
		if (memmem(in, n, what, strlen(what)))
			return;
	}
	printf("%s did not come, but: %.*s\n", what, (int)n, in);
	exit(2);
}

static void ask_for_websocket(int fd, const char *path, bool deflates)
{
	char text[512];

	snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
	    path, deflates ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
	write_all(fd, text, strlen(text));
}

/* One that sees what all of them send. */
static void open_stomp(int fd)
{
	static const char frames[] = "CONNECT\naccept-version:1.2\n\n\0"
	                             "SUBSCRIBE\nid:0\ndestination:/topic/x\nreceipt:here\n\n";
	char out[256];

	ask_for_websocket(fd, "/stomp/websocket", false);
	read_until(fd, "\r\n\r\n");
	write_all(fd, out, (size_t)(put_frame(out, 0x81, frames, sizeof(frames)) - out));
	read_until(fd, "receipt-id:here");
}

static void open_client(struct client *c, const struct burst *b, unsigned no)
{
	char path[64], text[256];

	memset(c, 0, sizeof(*c));
	c->fd = connect_client();
	c->is_modest = b == NULL;
	if (b && b->is_body) {
		snprintf(text, sizeof(text),
		    "POST /echo/000/g%u/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", no);
		write_all(c->fd, text, strlen(text));
		read_until(c->fd, "o\n");
		return;
	}
	if (b && b->is_stomp) {
		open_stomp(c->fd);
		return;
	}
	snprintf(path, sizeof(path),
	    b && !b->is_raw ? "/echo/000/g%u/websocket" : "/echo/websocket", no);
	ask_for_websocket(c->fd, path, b && b->deflates);
	read_until(c->fd, b && !b->is_raw ? "\x81\x01o" : "\r\n\r\n");
}

static void write_burst(struct client *c, const struct burst *b, unsigned no)
{
	static char text[BURST_MAX + 4096];
	char head[256];
	size_t n = b->make(text);

	if (b->is_body) {
		snprintf(head, sizeof(head),
		    "POST /echo/000/g%u/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
		    "Connection: close\r\n\r\n",
		    no, n);
		write_all(c->fd, head, strlen(head));
	} else {
		n = (size_t)(put_frame(text + n, 0x88, "\x03\xe8", 2) - text);
	}
	write_all(c->fd, text, n);
}

static void ask_for_echo(struct client *c)
{
	static char x[ECHO];
	char frame[ECHO + 16];

	memset(x, 'x', sizeof(x));
	c->got = 0;
	c->asked = now();
	write_all(c->fd, frame, (size_t)(put_frame(frame, 0x81, x, ECHO) - frame));
}

/* --- what comes back ------------------------------------------------------------------------- */

static void on_echo(struct client *c)
{
	if (c->echoes++ == 0)
		c->done_before = done;
	if (figure_count < FIGURES_MAX)
		figures[figure_count++] = (float)((now() - c->asked) * 1000);
	ask_for_echo(c);
}

/* Whether `last` is in what has come, which may be cut anywhere. */
static bool has_last(struct client *c, const char *last, const char *p, size_t n)
{
	size_t len = strlen(last), keep = n < len ? n : len;
	bool found = memmem(p, n, last, len) != NULL;
	char seam[128];

	memcpy(seam, c->tail, c->tail_len);
	memcpy(seam + c->tail_len, p, keep);
	found = found || memmem(seam, c->tail_len + keep, last, len) != NULL;
	c->tail_len = keep;
	memcpy(c->tail, p + n - keep, keep);
	return found;
}

static void on_answers(struct client *c, const struct burst *b, const char *p, size_t n)
{
	for (size_t i = 0; b->octets && i < n; i++) {
		bool is_it = p[i] == b->octet, is_whole = is_it && (c->half || !b->is_pair);

		c->seen += is_whole;
		c->half = is_it && !is_whole;
	}
	if (b->last && has_last(c, b->last, p, n))
		c->last_seen = true;
}

static void on_end(struct client *c, const struct burst *b, ssize_t n)
{
	c->done = true;
	c->wrong = n < 0 || c->is_modest || (b->octets && c->seen != b->octets) ||
	           (b->last && !c->last_seen);
	done += !c->is_modest;
	if (c->wrong)
		printf("client %td: %zu of %zu came before %s\n", c - clients, c->seen, b->octets,
		    n < 0 ? strerror(errno) : "the end");
}

static void on_readable(struct client *c, const struct burst *b)
{
	static char in[1 << 16];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);

	if (n <= 0)
		on_end(c, b, n);
	else if (!c->is_modest)
		on_answers(c, b, in, (size_t)n);
	else if ((c->got += (size_t)n) == ECHO_FRAME)
		on_echo(c);
}

static void serve(const struct burst *b)
{
	static struct pollfd fds[MODEST + GREEDY_MAX];
	unsigned all = MODEST + greedy;
	int64_t deadline = now_ms() + patient(PATIENCE_MS);

	while (done < greedy && now_ms() < deadline) {
		for (unsigned i = 0; i < all; i++)
			fds[i] = (struct pollfd){ clients[i].done ? -1 : clients[i].fd, POLLIN, 0 };
		poll(fds, all, 100);
		for (unsigned i = 0; i < all; i++)
			if (fds[i].revents)
				on_readable(&clients[i], b);
	}
}

/* --- judging -----------------------------------------------------------------------------------
 */

static int by_size(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_figures(const struct burst *b, double seconds)
{
	qsort(figures, figure_count, sizeof(*figures), by_size);
	printf("%-38s %4u clients, -t %u: %6.2f s; %6zu echoes of others, median %6.2f ms, "
	       "99 %% %6.2f ms, longest %6.2f ms\n",
	    b->name, greedy, threads, seconds, figure_count, figures[figure_count / 2],
	    figures[figure_count * 99 / 100], figures[figure_count - 1]);
	fflush(stdout);
}

static void judge(const struct burst *b)
{
	unsigned latest = 0, least = UINT32_MAX, wrong = 0;
	/* Of two reactors one may be done with its share before the other has begun */
	unsigned most = threads == 1 ? greedy / 2 : greedy * 9 / 10;

	for (unsigned i = 0; i < MODEST + greedy; i++) {
		const struct client *c = &clients[i];

		wrong += c->wrong;
		if (!c->is_modest)
			continue;
		least = c->echoes < least ? c->echoes : least;
		latest = c->echoes && c->done_before > latest ? c->done_before : latest;
	}
	check(done == greedy && wrong == 0, "%s: %u of %u are served, %u not as they should be",
	    b->name, done, greedy, wrong);
	check(least > 0 && latest <= most,
	    "%s: others have their first echo when at most %u of %u were served", b->name, latest,
	    greedy);
	check(least >= b->echoes, "%s: others have %u echoes meanwhile, wanted %u", b->name, least,
	    b->echoes);
}

static void play(const struct burst *b)
{
	double began;

	done = 0;
	figure_count = 0;
	for (unsigned i = 0; i < MODEST + greedy; i++)
		open_client(&clients[i], i < greedy ? b : NULL, i);
	kill(server.pid, SIGSTOP);
	for (unsigned i = 0; i < MODEST + greedy; i++) {
		if (i < greedy)
			write_burst(&clients[i], b, i);
		else
			ask_for_echo(&clients[i]);
	}
	began = now();
	kill(server.pid, SIGCONT);
	serve(b);
	judge(b);
	if (with_figures && figure_count)
		print_figures(b, now() - began);
	for (unsigned i = 0; i < MODEST + greedy; i++)
		close(clients[i].fd);
}

static void play_all(const char *command, unsigned with_threads)
{
	struct command line = { .used = 0 };
	char option[16];

	threads = with_threads;
	snprintf(option, sizeof(option), "-t %u", threads);
	command_add(&line, command);
	command_add(&line, option);
	if (!server_begin(&server, &line, patient(START_MS), NULL)) {
		failed++;
		return;
	}
	for (size_t i = 0; i < sizeof(bursts) / sizeof(*bursts); i++)
		play(&bursts[i]);
	if (!server_end(&server, patient(START_MS), NULL))
		failed++;
}

int main(int argc, char **argv)
{
	static const char usage[] = "greedy --server \"CMD\" [-n CLIENTS] [-f] [-v]";
	const char *command = NULL;
	const struct argument table[] = {
		{ "server", .text = &command },
		{ "n", .count = &greedy },
		{ "f", .flag = &with_figures },
		{ "v", .flag = &verbose },
		{ NULL, .flag = NULL },
	};

	if (arguments_read(table, argc, argv, usage) != argc || !command || greedy > GREEDY_MAX)
		arguments_refuse(usage);
	figures = malloc(FIGURES_MAX * sizeof(*figures));
	if (!figures)
		die("malloc");
	play_all(command, 1);
	play_all(command, 2);
	free(figures);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
