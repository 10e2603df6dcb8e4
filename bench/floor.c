/*
 * bench/floor.c - the least a server can do: what sockjsd is compared with.
 *
 *	floor [PORT | unix:PATH [CERTIFICATE KEY]]
 *
 * One thread, one epoll, one recv for each readiness, one send for each connection and batch
 * of messages, one read buffer for all. It serves the URLs that bench/loadgen asks for (/echo,
 * /broadcast and /ticker, by WebSocket, xhr_streaming, eventsource and xhr) and believes
 * every word: no limit, no check, no timer, no header that can be left out. What is
 * left is the kernel's work and some copying; nothing that is fit for use costs less.
 *
 * Of a batch of messages, a SockJS client gets one frame, as from sockjsd. A broadcast
 * reaches those who came by the same transport as its sender.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "floor_wire.h"

enum {
	EVENTS = 512,
	BUFFER_BYTES = 4 << 20,
	READ_BYTES = 1 << 20,
	BUCKETS = 1 << 16,
	HEAD_ROOM = 64, /* for what is put before a body once its length is known */
	PRELUDE = 2048,
};

/* How a session receives, or a connection that is no receiver. */
enum kind { KIND_NONE, KIND_WS, KIND_SOCKJS_WS, KIND_STREAM, KIND_EVENTS, KIND_POLL, KINDS };

enum service { SERVICE_ECHO, SERVICE_BROADCAST, SERVICE_SINK };

struct text {
	char *data;
	size_t len;
};

struct session {
	uint64_t key;
	struct session *next;
	struct text waiting; /* for the next poll: `"a","b"` */
	int receiver;        /* a descriptor; 0: no poll waits */
	enum kind kind;
};

struct conn {
	struct session *session; /* of a receiver over HTTP */
	struct text untaken, unsent;
	unsigned place; /* among the members of the broadcast */
	uint8_t kind, service;
};

static struct conn conns[CONNECTIONS]; /* by descriptor; only what is used costs memory */
static struct session *sessions[BUCKETS];
static int members[KINDS][CONNECTIONS]; /* of the broadcast */
static unsigned member_count[KINDS];
static char in[BUFFER_BYTES], out[BUFFER_BYTES + HEAD_ROOM];
static int epoll, listener;

/* --- bytes -------------------------------------------------------------------------- */

static char *put(char *to, const void *data, size_t len)
{
	memcpy(to, data, len);
	return to + len;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static void keep(struct text *t, const char *data, size_t len)
{
	t->data = realloc(t->data, t->len + len);
	if (!t->data)
		die("memory");
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void drop(struct text *t)
{
	free(t->data);
	*t = (struct text){ 0 };
}

static void watch(int fd, int op, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void give(int fd, const char *data, size_t len)
{
	struct conn *c = &conns[fd];
	ssize_t n = 0;

	if (c->unsent.len == 0)
		n = wire_send(fd, data, len);
	if (n == (ssize_t)len || (n < 0 && errno != EAGAIN))
		return;
	if (c->unsent.len == 0)
		watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	n = n < 0 ? 0 : n;
	keep(&c->unsent, data + n, len - (size_t)n);
}

static void give_rest(int fd)
{
	struct conn *c = &conns[fd];
	ssize_t n = wire_send(fd, c->unsent.data, c->unsent.len);

	if (n < 0)
		return;
	memmove(c->unsent.data, c->unsent.data + n, c->unsent.len - (size_t)n);
	c->unsent.len -= (size_t)n;
	if (c->unsent.len > 0)
		return;
	drop(&c->unsent);
	watch(fd, EPOLL_CTL_MOD, EPOLLIN);
}

/* --- sessions and members ----------------------------------------------------------- */

static struct session **find(const char *id)
{
	struct session **s;
	uint64_t key;

	memcpy(&key, id, 8);
	s = &sessions[key * 0x9e3779b97f4a7c15 >> 48];
	while (*s && (*s)->key != key)
		s = &(*s)->next;
	return s;
}

static void forget(struct session *s)
{
	struct session **place = find((char *)&s->key);

	*place = s->next;
	drop(&s->waiting);
	free(s);
}

static void join(int fd, enum kind kind)
{
	conns[fd].kind = (uint8_t)kind;
	if (conns[fd].service != SERVICE_BROADCAST)
		return;
	conns[fd].place = member_count[kind];
	members[kind][member_count[kind]++] = fd;
}

static void leave(int fd)
{
	const struct conn *c = &conns[fd];
	int last;

	if (c->kind == KIND_NONE || c->service != SERVICE_BROADCAST)
		return;
	last = members[c->kind][--member_count[c->kind]];
	members[c->kind][c->place] = last;
	conns[last].place = c->place;
}

/* To whom it is: to FD, or to all members like it. */
static void deliver(int fd, const char *data, size_t len)
{
	enum kind kind = conns[fd].kind;

	if (conns[fd].service == SERVICE_BROADCAST)
		for (unsigned i = 0; i < member_count[kind]; i++)
			give(members[kind][i], data, len);
	else
		give(fd, data, len);
}

static void end(int fd)
{
	struct conn *c = &conns[fd];

	leave(fd);
	if (c->session)
		forget(c->session);
	drop(&c->untaken);
	drop(&c->unsent);
	*c = (struct conn){ 0 };
	wire_close(fd);
}

/* --- WebSocket ---------------------------------------------------------------------- */

typedef uint64_t wide __attribute__((vector_size(32)));

/* TO may be the place of FROM, or before it. */
static void unmask(char *to, const char *from, size_t len, uint32_t key)
{
	uint64_t twice = (uint64_t)key << 32 | key;
	wide mask = { twice, twice, twice, twice }, block;
	size_t i = 0;

	for (; i + sizeof(block) <= len; i += sizeof(block)) {
		memcpy(&block, from + i, sizeof(block));
		block ^= mask;
		memcpy(to + i, &block, sizeof(block));
	}
	for (; i < len; i++)
		to[i] = from[i] ^ ((char *)&key)[i & 3];
}

struct frame {
	unsigned opcode;
	const char *payload;
	size_t len;
	uint32_t key;
};

/* The bytes it took; 0 if it is not all there. */
static size_t read_frame(struct frame *f, const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t head = 6;
	uint32_t low;

	if (len < head)
		return 0;
	f->opcode = p[0] & 15;
	f->len = p[1] & 127;
	if (f->len == 126) {
		f->len = (size_t)p[2] << 8 | p[3];
		head = 8;
	} else if (f->len == 127) {
		if (len < 14)
			return 0;
		memcpy(&low, data + 6, 4); /* of eight bytes */
		f->len = ntohl(low);
		head = 14;
	}
	if (len < head + f->len)
		return 0;
	memcpy(&f->key, data + head - 4, 4);
	f->payload = data + head;
	return head + f->len;
}

static char *put_frame_head(char *to, size_t len)
{
	*to++ = (char)0x81;
	if (len < 126) {
		*to++ = (char)len;
	} else if (len < 65536) {
		*to++ = 126;
		*to++ = (char)(len >> 8);
		*to++ = (char)len;
	} else {
		*to++ = 127;
		for (int shift = 56; shift >= 0; shift -= 8)
			*to++ = (char)(len >> shift);
	}
	return to;
}

static void close_politely(int fd)
{
	give(fd, "\x88\x02\x03\xe8", 4);
	end(fd);
}

/* Frames in, the same frames out, composed where they came: each is four bytes shorter. */
static size_t on_ws(int fd, char *data, size_t len)
{
	size_t taken = 0, n;
	struct frame f;
	char *to = data;

	while ((n = read_frame(&f, data + taken, len - taken))) {
		taken += n;
		if (f.opcode != 1) {
			close_politely(fd);
			return taken;
		}
		to = put_frame_head(to, f.len);
		unmask(to, f.payload, f.len, f.key);
		to += f.len;
	}
	if (to > data)
		deliver(fd, data, (size_t)(to - data));
	return taken;
}

/* Arrays in, one array out. */
static size_t on_sockjs_ws(int fd, const char *data, size_t len)
{
	size_t taken = 0, n;
	char *body = out + HEAD_ROOM, *to = PUT(body, "a["), *head;
	struct frame f;

	while ((n = read_frame(&f, data + taken, len - taken))) {
		taken += n;
		if (f.opcode != 1) {
			close_politely(fd);
			return taken;
		}
		/* without its brackets; the first one is written over by what comes before it */
		unmask(to - 1, f.payload, f.len, f.key);
		to += f.len - 1;
		to[-1] = ',';
		body[1] = '[';
	}
	if (taken == 0)
		return 0;
	to[-1] = ']';
	n = (size_t)(to - body);
	head = body - (n < 126 ? 2 : n < 65536 ? 4 : 10);
	put_frame_head(head, n);
	deliver(fd, head, (size_t)(to - head));
	return taken;
}

/* --- HTTP --------------------------------------------------------------------------- */

static char *put_number(char *to, size_t n, unsigned base)
{
	char digits[24], *p = digits + sizeof(digits);

	do
		*--p = "0123456789abcdef"[n % base];
	while (n /= base);
	return put(to, p, (size_t)(digits + sizeof(digits) - p));
}

/* A frame in the wire form of its kind: `BEFORE TEXT AFTER` in a chunk or a response. */
static void deliver_text(int fd, const char *text, size_t len)
{
	enum kind kind = conns[fd].kind;
	const char *before = kind == KIND_EVENTS ? "data: a[" : "a[",
	           *after = kind == KIND_EVENTS ? "]\r\n\r\n\r\n" : "]\n\r\n";
	size_t size = strlen(before) + len + strlen(after) - (kind == KIND_POLL ? 0 : 2);
	char *to = out;

	if (kind == KIND_POLL) {
		to = PUT(to, "HTTP/1.1 200 OK\r\nContent-Length: ");
		to = put_number(to, size - 2, 10);
		to = PUT(to, "\r\n\r\n");
	} else {
		to = put_number(to, size, 16);
		to = PUT(to, "\r\n");
	}
	to = put(to, before, strlen(before));
	to = put(to, text, len);
	to = put(to, after, strlen(after) - (kind == KIND_POLL ? 2 : 0));
	deliver(fd, out, (size_t)(to - out));
}

static void send_to_session(const char *id, const char *text, size_t len)
{
	struct session *s = *find(id);

	if (s->receiver > 0 && conns[s->receiver].service == SERVICE_SINK)
		return;
	if (s->receiver > 0 && s->waiting.len == 0) {
		deliver_text(s->receiver, text, len);
		if (s->kind == KIND_POLL)
			s->receiver = 0;
		return;
	}
	if (s->waiting.len > 0)
		keep(&s->waiting, ",", 1);
	keep(&s->waiting, text, len);
}

static void open_receiver(int fd, struct session **place, const char *id, enum kind kind)
{
	struct session *s = calloc(1, sizeof(*s));
	char *to = out;

	if (!s)
		die("memory");
	*place = conns[fd].session = s;
	memcpy(&s->key, id, 8);
	s->kind = kind;
	conns[fd].kind = (uint8_t)kind;
	if (kind == KIND_POLL) {
		to = PUT(to, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no\n");
	} else {
		s->receiver = fd;
		join(fd, kind);
		to = PUT(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		if (kind == KIND_STREAM) {
			to = PUT(to, "801\r\n");
			memset(to, 'h', PRELUDE);
			to = PUT(to + PRELUDE, "\n\r\n2\r\no\n\r\n");
		} else {
			to = PUT(to, "2\r\n\r\n\r\nb\r\ndata: o\r\n\r\n\r\n");
		}
	}
	give(fd, out, (size_t)(to - out));
}

static void on_receiver(int fd, const char *id, enum kind kind)
{
	struct session **place = find(id), *s = *place;

	if (!s) {
		open_receiver(fd, place, id, kind);
		return;
	}
	s->receiver = fd;
	if (s->waiting.len == 0)
		return;
	deliver_text(fd, s->waiting.data, s->waiting.len);
	drop(&s->waiting);
	s->receiver = 0;
}

/* What has to be answered to the key in a head. */
static char *put_accept(char *to, const char *head, size_t len)
{
	static const char name[] = "\r\nSec-WebSocket-Key: ";
	const char *field = memmem(head, len, name, sizeof(name) - 1);
	unsigned char digest[20];
	static EVP_MD_CTX *sha1;

	if (!field)
		die("a WebSocket without a key");
	if (!sha1 && !(sha1 = EVP_MD_CTX_new()))
		die("memory");
	if (!EVP_MD_CTX_get0_md(sha1))
		EVP_DigestInit_ex(sha1, EVP_sha1(), NULL);
	else
		EVP_DigestInit_ex(sha1, NULL, NULL);
	EVP_DigestUpdate(sha1, field + sizeof(name) - 1, 24);
	EVP_DigestUpdate(sha1, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
	EVP_DigestFinal_ex(sha1, digest, NULL);
	return to + EVP_EncodeBlock((unsigned char *)to, digest, sizeof(digest));
}

static void upgrade(int fd, enum kind kind, const char *head, size_t len)
{
	char *to = PUT(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	                    "Connection: Upgrade\r\nSec-WebSocket-Accept: ");

	to = put_accept(to, head, len);
	to = PUT(to, "\r\n\r\n");
	if (kind == KIND_SOCKJS_WS)
		to = PUT(to, "\x81\x01o");
	join(fd, kind);
	give(fd, out, (size_t)(to - out));
}

static size_t body_length(const char *head, size_t len)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *field = memmem(head, len, name, sizeof(name) - 1);

	return field ? strtoul(field + sizeof(name) - 1, NULL, 10) : 0;
}

static enum service service_of(char letter)
{
	return letter == 'b' ? SERVICE_BROADCAST : letter == 't' ? SERVICE_SINK : SERVICE_ECHO;
}

/* METHOD /SERVICE/websocket, METHOD /SERVICE/info or METHOD /SERVICE/000/SESSION_/TRANSPORT */
static void on_request(int fd, const char *head, size_t head_len, const char *body, size_t body_len)
{
	const char *service = strchr(head, '/') + 1, *rest = strchr(service, '/') + 1;
	const char *id = rest + 4, *transport = id + 9;

	if (*rest == 'i') {
		give(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 40);
		return;
	}
	if (*rest == 'w' || memcmp(transport, "xhr_send", 8) != 0)
		conns[fd].service = (uint8_t)service_of(*service);
	if (*rest == 'w') {
		upgrade(fd, KIND_WS, head, head_len);
	} else if (*transport == 'w') {
		upgrade(fd, KIND_SOCKJS_WS, head, head_len);
	} else if (*transport == 'e') {
		on_receiver(fd, id, KIND_EVENTS);
	} else if (transport[3] == ' ') {
		on_receiver(fd, id, KIND_POLL);
	} else if (transport[5] == 't') {
		on_receiver(fd, id, KIND_STREAM);
	} else {
		give(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27);
		send_to_session(id, body + 1, body_len - 2);
	}
}

static size_t on_http(int fd, const char *data, size_t len)
{
	const char *end_of_head = memmem(data, len, "\r\n\r\n", 4);
	size_t head, body;

	if (!end_of_head)
		return 0;
	head = (size_t)(end_of_head + 4 - data);
	body = body_length(data, head);
	if (len < head + body)
		return 0;
	on_request(fd, data, head, data + head, body);
	return head + body;
}

/* --- the loop ----------------------------------------------------------------------- */

static size_t on_bytes(int fd, char *data, size_t len)
{
	size_t taken = 0, n;

	if (conns[fd].kind == KIND_WS)
		return on_ws(fd, data, len);
	if (conns[fd].kind == KIND_SOCKJS_WS)
		return on_sockjs_ws(fd, data, len);
	while (taken < len && (n = on_http(fd, data + taken, len - taken)))
		taken += n;
	return taken;
}

static void on_readable(int fd)
{
	struct conn *c = &conns[fd];
	size_t before = c->untaken.len, len, taken;
	ssize_t n;

	if (before > 0)
		memcpy(in, c->untaken.data, before);
	n = wire_recv(fd, in + before, READ_BYTES);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			end(fd);
		return;
	}
	drop(&c->untaken);
	len = before + (size_t)n;
	taken = on_bytes(fd, in, len);
	if (taken < len)
		keep(&c->untaken, in + taken, len - taken);
}

static void on_accept(void)
{
	int fd = wire_accept(listener);

	if (fd >= 0)
		watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_event(int fd, uint32_t events)
{
	if (fd == listener)
		on_accept();
	else if (events & EPOLLOUT)
		give_rest(fd);
	else
		on_readable(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int n;

	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (argc == 4)
		wire_secure(argv[2], argv[3]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = wire_listen(argv[1]);
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++)
			on_event(events[i].data.fd, events[i].events);
	}
}
