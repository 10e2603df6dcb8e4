/*
 * tests/wire/hostile.c - ten thousand broken requests of every kind.
 *
 *	hostile [--url URL [--pid PID] | --server "CMD" [--tls COUNT] [--unix COUNT]]
 *	        [-n COUNT] [-s SEED] [-v]
 *
 * Sends, from a seeded generator, mutated requests, floods and oversized
 * heads, broken chunks, handshakes and frames; whole, in small pieces by
 * turns, half-closed, or reset in the middle; a hundred at a time. After each
 * batch the server must answer /echo/info; each connection that sent a whole
 * request, or garbage that ends with a blank line, must have got an answer in
 * time; those that half-closed must have been ended soon; at the end the
 * server's descriptors must be back where they began, within the body timeout.
 * Prints "N passed, N failed", where each attack and each of these checks
 * counts once; the seed repeats a run. With --tls and --unix the same is tried
 * again on a server of the same program (the first word of CMD) that listens
 * under TLS and on a unix socket.
 *
 * Uses conn.c, server.c and certificate.c of the player, nothing of the code under test.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/arguments.h"
#include "certificate.h"
#include "wire/conn.h"
#include "wire/server.h"
#include "wire/text.h"

enum {
	BATCH = 100,
	BUDGET_MS = 90000,
	ANSWER_MS =
	    12000, /* header_timeout_ms and some: a NUL counts as an empty line before a request */
	END_MS = 300,
	SLOW_MS = 1000, /* is worth a line with -v */
	SMALL = 4096,
	FEW = 20,
	START_MS = 20000,
	STOP_MS = 15000,
};

/* What an attack does once its bytes are out, and what it may expect then. */
enum ending {
	END_COMPLETE,   /* stays: an answer is due */
	END_HALF_CLOSE, /* shuts its side down: an answer or an end is due */
	END_RESET,
	END_CLOSE,
	END_HANG, /* stays silent; nothing is due before the server's own deadline */
};

struct attack {
	struct conn conn;
	struct text bytes; /* scratch, until the end of the batch */
	size_t sent, piece;
	enum ending ending;
	const char *kind;
	bool refused; /* could not connect */
};

static struct attack attacks[BATCH];
static struct address address;
static const char *door = ""; /* how it is reached, for what is said */
static uint64_t state;
static unsigned passed, failed, resets, halves, late;
static bool verbose;

/* --- the generator --------------------------------------------------- */

static uint64_t next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next() % n) : 0;
}

static void add(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static void add_random(struct text *t, size_t n)
{
	char byte;

	while (n--) {
		byte = (char)next();
		text_add(t, &byte, 1);
	}
}

static void add_times(struct text *t, const char *s, size_t n)
{
	while (n--)
		add(t, s);
}

/* Each '#' becomes a number below IDS: with few, attacks meet each other's sessions. */
static void add_numbered(struct text *t, const char *s, size_t ids)
{
	char number[24];

	for (; *s; s++) {
		if (*s == '#')
			text_add(t, number, (size_t)sprintf(number, "%zu", below(ids)));
		else
			text_add(t, s, 1);
	}
}

/* Requests without a body: complete at their blank line. */
static void make_get(struct text *t)
{
	static const char *const targets[] = { "/echo", "/echo/info", "/echo/iframe.html",
		"/echo/000/h#/eventsource", "/echo/000/h#/htmlfile?c=cb", "/echo/000/h#/jsonp?c=cb",
		"/echo/000/h#/websocket", "/echo/websocket", "/", "/nosuch", "*",
		"http://localhost/echo/info", "/echo/%00/../%2e%2e/xhr",
		"/close/000/h#/jsonp?c=x" };
	static const char *const methods[] = { "GET", "GET", "GET", "OPTIONS", "HEAD", "get", "PUT",
		"DELETE", "TRACE", "PROPFIND", "G\x01T", "" };

	add(t, methods[below(sizeof(methods) / sizeof(methods[0]))]);
	add(t, " ");
	add_numbered(t, targets[below(sizeof(targets) / sizeof(targets[0]))], SIZE_MAX);
	add(t, below(8) ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
	add(t, "Host: localhost\r\nUser-Agent: hostile\r\nAccept: */*\r\n");
	if (!below(3))
		add(t, "Origin: http://evil.example\r\nCookie: JSESSIONID=abc; x=y\r\n");
	if (!below(4))
		add(t, "If-None-Match: W/\"x\", \"y\", *\r\n");
}

static void make_handshake(struct text *t)
{
	add_numbered(t,
	    below(2) ? "GET /echo/websocket HTTP/1.1\r\n"
	             : "GET /echo/000/h#/websocket HTTP/1.1\r\n",
	    SIZE_MAX);
	add(t, "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n");
	if (!below(3))
		add(t, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
	if (!below(5))
		add(t, "Sec-WebSocket-Protocol: v12.stomp, ,,x\r\n");
}

static void make_post(struct text *t)
{
	static const char *const bodies[] = { "[\"a\"]", "", "[\"", "d=%5B%22a%22%5D", "[[[[[[",
		"[\"\\ud800\\u0000\"]", "{}", "[\"a\",\"b\",\"c\"]x" };
	static const char *const transports[] = { "xhr", "xhr_send", "xhr_streaming", "jsonp_send",
		"eventsource", "websocket" };
	const char *body = bodies[below(sizeof(bodies) / sizeof(bodies[0]))];
	char line[128];

	add_numbered(t, "POST /echo/000/h#/", FEW);
	add(t, transports[below(sizeof(transports) / sizeof(transports[0]))]);
	add(t, " HTTP/1.1\r\nHost: x\r\n");
	snprintf(line, sizeof(line), "Content-Length: %zu\r\n\r\n", strlen(body));
	add(t, line);
	add(t, body);
}

static void make_chunked(struct text *t)
{
	static const char *const chunks[] = { "5\r\n[\"a\"]\r\n", "0\r\n\r\n",
		"ffffffffffffffff\r\nx", "-5\r\nhello\r\n", "5;ext=\"\r\n\"\r\nhello\r\n",
		"5\r\nhelloX", "\r\n", "g\r\n", "00000000000000000000000000000005\r\nhello\r\n",
		"0\r\nTrailer: x\r\n", "1\r\n" };
	size_t n = 1 + below(5);

	add_numbered(t, "POST /echo/000/h#/xhr_send HTTP/1.1\r\nHost: x\r\n", FEW);
	add(t, "Transfer-Encoding: chunked\r\n\r\n");
	while (n--)
		add(t, chunks[below(sizeof(chunks) / sizeof(chunks[0]))]);
}

static void add_frame(struct text *t)
{
	unsigned char head[14];
	size_t n = 2, i;

	for (i = 0; i < sizeof(head); i++)
		head[i] = (unsigned char)next();
	if (below(3))
		head[0] &= 0x8f; /* mostly without reserved bits */
	if (below(4))
		head[1] |= 0x80; /* mostly masked */
	if ((head[1] & 0x7f) == 126)
		n = 4;
	else if ((head[1] & 0x7f) == 127)
		n = 10;
	text_add(t, head, n + (head[1] & 0x80 ? 4 : 0));
	add_random(t, below(2) ? (head[1] & 0x7f) : below(300));
}

static void make_frames(struct text *t)
{
	size_t n = 1 + below(8);

	make_handshake(t);
	add(t, "\r\n");
	while (n--)
		add_frame(t);
}

static void make_flood(struct text *t)
{
	size_t n = below(4);

	if (n == 3) {
		add(t, "GET /echo/info?");
		add_times(t, "a&", below(6000));
		add(t, " HTTP/1.1\r\nHost: x\r\n");
		return;
	}
	make_get(t);
	if (n == 0)
		add_times(t, "a: b\r\n", below(5000));
	else if (n == 1)
		add_times(t, "Cookie: a=b; c=d; e=f; g=h\r\n", below(2000));
	else
		add_times(t, "Connection: close, Upgrade, x,,,\r\n", below(1000));
}

static void make_oversized(struct text *t)
{
	size_t n = below(4), length = below(200000);

	if (n == 0) {
		add(t, "GET /");
		add_times(t, "a", length);
		add(t, " HTTP/1.1\r\nHost: x\r\n");
	} else if (n == 1) {
		add(t, "GET /echo HTTP/1.1\r\nHost: x\r\nA: ");
		add_times(t, "b", length);
		add(t, "\r\n");
	} else if (n == 2) {
		add(t, "GET /echo HTTP/1.1\r\nHost: x\r\n");
		add_times(t, "c", length);
		add(t, ": d\r\n");
	} else {
		add_times(t, "X", length);
	}
}

static void make_garbage(struct text *t)
{
	char first = (char)below(256);

	text_add(t, &first, 1);
	add_random(t, below(600));
}

/* --- mutations ------------------------------------------------------- */

/* The second half changes where a body ends: only for attacks that end by themselves. */
static const char *const dictionary[] = { "\r\n", "\r", "\n", "\n\n", ":", " ", "\t", "%00", "%2e",
	"%", "HTTP/1.0", "HTTP/9.9", "\x7f", "\xff\xfe", "; q=", ",,", "Host: b\r\n",
	"Upgrade: h2c\r\n", "Connection: close\r\n", "\r\n continued", "A : b\r\n", "../",
	"Range: bytes=0-\r\n",
	/* half */
	"Content-Length: 5\r\n", "Content-Length: 99999999999999999999\r\n",
	"Content-Length: -1\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
	"Expect: 100-continue\r\n", "Expect: 200-ok\r\n", "ffffffff\r\n" };
enum { BODY_TOKENS = 8, TOKENS = sizeof(dictionary) / sizeof(dictionary[0]) };

static void splice(struct text *t, size_t at, size_t cut, const void *put, size_t n)
{
	struct text out = { 0 };

	text_add(&out, t->p, at);
	text_add(&out, put, n);
	text_add(&out, t->p + at + cut, t->n - at - cut);
	*t = out;
}

static void mutate(struct text *t, bool bodies)
{
	size_t at = below(t->n + 1), n = below(20), end;
	const char *token = dictionary[below(bodies ? TOKENS : TOKENS - BODY_TOKENS)];

	end = at + n > t->n ? t->n : at + n;
	switch (below(6)) {
	case 0:
		if (at < t->n)
			t->p[at] = (char)(t->p[at] ^ 1 << below(8));
		break;
	case 1:
		splice(t, at, end - at, "", 0);
		break;
	case 2:
		splice(t, at, 0, t->p + at, end - at);
		break;
	case 3:
		splice(t, at, 0, "\0\0\0", 1 + below(3));
		break;
	default:
		splice(t, at, 0, token, strlen(token));
	}
}

static void mutate_some(struct text *t, bool bodies)
{
	size_t n = below(6);

	while (n-- && t->n < 20000)
		mutate(t, bodies);
}

static const struct {
	const char *kind;
	void (*make)(struct text *);
	bool head_only; /* nothing but a head: complete once a blank line is appended */
	unsigned share; /* how many of 100 */
} kinds[] = {
	{ "get", make_get, true, 30 },
	{ "handshake", make_handshake, true, 15 },
	{ "post", make_post, false, 15 },
	{ "chunked", make_chunked, false, 10 },
	{ "frames", make_frames, false, 15 },
	{ "flood", make_flood, true, 3 },
	{ "oversized", make_oversized, true, 4 },
	{ "garbage", make_garbage, true, 8 },
};

static void plan(struct attack *a)
{
	static const enum ending endings[] = { END_HALF_CLOSE, END_HALF_CLOSE, END_RESET, END_CLOSE,
		END_HANG };
	size_t i = 0, r = below(100);

	while (r >= kinds[i].share)
		r -= kinds[i++].share;
	memset(&a->bytes, 0, sizeof(a->bytes));
	a->kind = kinds[i].kind;
	kinds[i].make(&a->bytes);
	a->ending = kinds[i].head_only && below(2) ? END_COMPLETE : endings[below(5)];
	mutate_some(&a->bytes, a->ending != END_COMPLETE);
	if (a->ending == END_COMPLETE)
		add(&a->bytes, "\r\n\r\n");
	else if (below(4) == 0)
		a->bytes.n = below(a->bytes.n + 1); /* cut short */
	/* A few pieces at most: a batch sends by turns, and a drip must not take for ever. */
	a->piece = below(3) ? a->bytes.n + 1 : a->bytes.n / (1 + below(40)) + 1;
	a->sent = 0;
}

/* --- one batch ------------------------------------------------------- */

static void send_piece(struct attack *a)
{
	size_t n = a->bytes.n - a->sent;

	if (n > a->piece)
		n = a->piece;
	/* A server that has already refused need not read the rest. */
	if (conn_send(&a->conn, a->bytes.p + a->sent, n, now_ms() + 500) < 0)
		a->sent = a->bytes.n;
	else
		a->sent += n;
}

/* Under TLS with a goodbye or without. A goodbye alone, behind bytes that nobody reads for now, is
 * not an end that the server could see. */
static void half_close(struct attack *a)
{
	if (!address.tls || below(2))
		conn_shutdown(&a->conn);
	if (a->conn.fd >= 0)
		shutdown(a->conn.fd, SHUT_WR);
}

static void finish_sending(struct attack *a)
{
	if (a->ending == END_HALF_CLOSE)
		half_close(a);
	else if (a->ending == END_RESET)
		conn_abort(&a->conn);
	else if (a->ending == END_CLOSE)
		conn_close(&a->conn);
}

static void send_all(size_t n)
{
	size_t left = n, i;

	for (i = 0; i < n; i++)
		if (attacks[i].refused)
			left--;
	while (left) {
		for (i = 0; i < n; i++) {
			struct attack *a = &attacks[i];

			if (a->refused || a->sent == SIZE_MAX)
				continue;
			send_piece(a);
			if (a->sent < a->bytes.n)
				continue;
			finish_sending(a);
			a->sent = SIZE_MAX;
			left--;
		}
	}
}

static bool is_answer(const struct conn *c)
{
	const char *p = (const char *)conn_bytes(c);

	return c->len >= 12 && !memcmp(p, "HTTP/1.", 7) && p[9] >= '1' && p[9] <= '5';
}

static void report(const struct attack *a, const char *what)
{
	failed++;
	printf("%s%s: %s: %s", door, a->kind, what, text_show(a->bytes.p, a->bytes.n));
	if (a->conn.len)
		printf(" got %s", text_show(conn_bytes(&a->conn), a->conn.len));
	putchar('\n');
}

/* What a connection that stays was due: an answer. */
static const char *verdict(struct attack *a, int64_t deadline)
{
	int64_t began = now_ms();
	int n = 1;

	while (n > 0 && !is_answer(&a->conn))
		n = conn_fill(&a->conn, deadline);
	if (verbose && now_ms() - began > SLOW_MS)
		printf("%s%s: answered after %d ms: %s\n", door, a->kind, (int)(now_ms() - began),
		    text_show(a->bytes.p, a->bytes.n));
	resets += n < 0 && n != -ETIMEDOUT;
	if (n == -ETIMEDOUT)
		return "no answer in time";
	if (a->conn.len && !is_answer(&a->conn))
		return "strange answer";
	if (n < 0 && a->bytes.n <= SMALL)
		return "reset without an answer";
	return NULL;
}

/*
 * A half-closed connection was due an end. One that is late does not fail by
 * itself (the server's own deadline ends it, or the descriptors tell): they
 * are counted, and none may be at the end.
 */
static void judge_end(struct attack *a, int64_t deadline)
{
	int n;

	while ((n = conn_fill(&a->conn, deadline)) > 0)
		;
	passed++;
	halves++;
	if (n != -ETIMEDOUT)
		return;
	late++;
	if (verbose)
		printf("%s%s: half-closed, and not ended in time: %s\n", door, a->kind,
		    text_show(a->bytes.p, a->bytes.n));
}

static void judge(struct attack *a, int64_t deadline)
{
	const char *what = NULL;

	if (a->refused)
		what = "could not connect";
	else if (a->ending == END_COMPLETE)
		what = verdict(a, deadline);
	if (what)
		report(a, what);
	else
		passed++;
}

static void judge_all(size_t n)
{
	int64_t deadline = now_ms() + patient(ANSWER_MS);
	size_t i;

	for (i = 0; i < n; i++)
		if (attacks[i].refused || attacks[i].ending != END_HALF_CLOSE)
			judge(&attacks[i], deadline);
	deadline = now_ms() + patient(END_MS);
	for (i = 0; i < n; i++)
		if (!attacks[i].refused && attacks[i].ending == END_HALF_CLOSE)
			judge_end(&attacks[i], deadline);
}

static bool server_answers(void)
{
	static const char request[] =
	    "GET /echo/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	static struct conn c = { .fd = -1 };
	int64_t deadline = now_ms() + patient(ANSWER_MS);
	bool well;

	if (conn_open(&c, &address, deadline) < 0)
		return false;
	conn_send(&c, request, sizeof(request) - 1, deadline);
	while (conn_fill(&c, deadline) > 0)
		;
	well = c.len > 12 && !memcmp(conn_bytes(&c), "HTTP/1.1 200", 12) &&
	       conn_find(&c, "\"websocket\"", 11) > 0;
	conn_close(&c);
	return well;
}

static bool run_batch(size_t n)
{
	size_t i;

	scratch_reset();
	for (i = 0; i < n; i++) {
		plan(&attacks[i]);
		attacks[i].refused = conn_open(&attacks[i].conn, &address, now_ms() + 2000) < 0;
	}
	send_all(n);
	judge_all(n);
	for (i = 0; i < n; i++)
		conn_close(&attacks[i].conn);
	if (server_answers()) {
		passed++;
		return true;
	}
	failed++;
	printf("%sthe server does not answer /echo/info after a batch\n", door);
	return false;
}

/* --- the server's descriptors ---------------------------------------- */

static int descriptors(pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static long resident_kb(pid_t pid)
{
	char path[64];
	long pages = 0, ignored;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%ld %ld", &ignored, &pages) != 2)
		pages = -1;
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void check_descriptors(pid_t pid, int before)
{
	int64_t deadline = now_ms() + 35000; /* those left in a body have its timeout, 30 s */
	int after;

	int64_t began = now_ms();

	while ((after = descriptors(pid)) > before && now_ms() < deadline)
		usleep(50000);
	if (verbose && now_ms() - began > SLOW_MS)
		printf("%sdescriptors came back after %d ms\n", door, (int)(now_ms() - began));
	if (after >= 0 && after <= before) {
		passed++;
		return;
	}
	failed++;
	printf("%s%d descriptors before, %d after\n", door, before, after);
}

static void attack_server(pid_t pid, size_t count)
{
	int before;
	long memory;
	int64_t began = now_ms();

	late = halves = resets = 0;
	if (!server_answers()) {
		printf("%sthe server does not answer /echo/info\n", door);
		failed++;
		return;
	}
	usleep(200000);
	before = pid ? descriptors(pid) : 0;
	memory = pid ? resident_kb(pid) : 0;
	for (size_t n; count; count -= n) {
		n = count < BATCH ? count : BATCH;
		if (now_ms() - began > patient(BUDGET_MS)) {
			failed++;
			printf("%sout of time with %zu attacks to go\n", door, count);
			break;
		}
		if (!run_batch(n))
			break;
	}
	if (late) {
		failed++;
		printf("%s%u of %u half-closed connections were not ended within %d ms\n", door,
		    late, halves, (int)patient(END_MS));
	} else {
		passed++;
	}
	if (pid)
		check_descriptors(pid, before);
	if (verbose)
		printf("%s%.1f s, %u resets, memory %ld -> %ld KiB\n", door,
		    (double)(now_ms() - began) / 1000, resets, memory, pid ? resident_kb(pid) : 0);
}

/* --- command line ---------------------------------------------------- */

static void attack_child(const char *command, size_t count)
{
	static struct server server;
	struct command c = { .count = 0 };

	command_add(&c, command);
	if (!server_begin(&server, &c, patient(START_MS), NULL)) {
		failed++;
		return;
	}
	address = server.address[0];
	attack_server(server.pid, count);
	failed += !server_end(&server, patient(STOP_MS), NULL);
}

/* --- the doors behind which there is a relay --------------------------------------- */

static struct {
	char folder[32], certificate[64], key[64], socket[64], config[64];
} files;

static void name_file(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", files.folder, name);
}

/* The services that the attacks know, under TLS and on a unix socket. */
static bool write_config(void)
{
	FILE *f = fopen(files.config, "we");

	if (!f)
		return false;
	fprintf(f,
	    "{ \"listen\": [ { \"address\": \"127.0.0.1:0\",\n"
	    "    \"tls\": { \"certificate\": \"%s\", \"key\": \"%s\" } }, \"unix:%s\" ],\n"
	    "  \"endpoints\": [\n"
	    "    { \"prefix\": \"/echo\", \"application\": \"echo\", \"allowed_origins\": "
	    "[\"*\"],\n"
	    "      \"response_limit_bytes\": 4096 },\n"
	    "    { \"prefix\": \"/close\", \"application\": \"close\", \"allowed_origins\": "
	    "[\"*\"] } ] }\n",
	    files.certificate, files.key, files.socket);
	return !fclose(f);
}

static bool make_files(void)
{
	snprintf(files.folder, sizeof(files.folder), "/tmp/hostile-XXXXXX");
	if (!mkdtemp(files.folder))
		return false;
	name_file(files.certificate, "certificate.pem");
	name_file(files.key, "key.pem");
	name_file(files.socket, "socket");
	name_file(files.config, "config.json");
	return certificate_write(files.certificate, files.key) && write_config();
}

static void remove_files(void)
{
	unlink(files.certificate);
	unlink(files.key);
	unlink(files.socket);
	unlink(files.config);
	rmdir(files.folder);
}

static void attack_doors(const char *command, size_t tls, size_t local)
{
	static struct server server;
	struct command c = { .count = 0 };

	command_add(&c, command);
	command_keep(&c, 1);
	command_add(&c, "--log-level warn -c");
	command_add(&c, files.config);
	if (!server_begin(&server, &c, patient(START_MS), "under TLS")) {
		failed++;
		return;
	}
	address = server.address[0];
	door = "under TLS: ";
	attack_server(server.pid, tls);
	address = server.address[1];
	door = "on a unix socket: ";
	attack_server(server.pid, local);
	failed += !server_end(&server, patient(STOP_MS), "under TLS");
}

static void attack_relays(const char *command, size_t tls, size_t local)
{
	if (make_files()) {
		attack_doors(command, tls, local);
	} else {
		failed++;
		printf("cannot write to %s\n", files.folder);
	}
	remove_files();
}

int main(int argc, char **argv)
{
	static const char usage[] =
	    "usage: hostile [--url URL [--pid PID] | --server CMD [--tls COUNT] [--unix COUNT]] "
	    "[-n COUNT] [-s SEED] [-v]\n";
	const char *url = "http://127.0.0.1:8081", *command = NULL;
	unsigned count = 10000, pid = 0, tls = 0, local = 0;
	const struct argument table[] = {
		{ "url", .text = &url },
		{ "server", .text = &command },
		{ "pid", .count = &pid },
		{ "tls", .count = &tls },
		{ "unix", .count = &local },
		{ "n", .count = &count },
		{ "s", .number = &state },
		{ "v", .flag = &verbose },
		{ NULL },
	};

	state = 1;
	if (arguments_read(table, argc, argv, usage) < argc || address_parse(&address, url) < 0)
		arguments_refuse(usage);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BATCH; i++)
		conn_init(&attacks[i].conn);
	if (command)
		attack_child(command, count);
	else
		attack_server((pid_t)pid, count);
	if (command && (tls || local))
		attack_relays(command, tls, local);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
