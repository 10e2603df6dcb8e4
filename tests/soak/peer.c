/*
 * tests/soak/peer.c - connections of the soak client: non-blocking, one epoll,
 * and just enough of HTTP/1.1 and RFC 6455 to find the frames.
 */
#include "soak/peer.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum phase { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_CHUNK, UNTIL_END, FRAMES };
enum { READ_BYTES = 65536, EVENTS = 256 };

const char *const wire_names[WIRES] = {
	"websocket",
	"websocket_raw",
	"xhr_streaming",
	"eventsource",
	"htmlfile",
	"xhr",
	"jsonp",
};

bool peers_are_narrow;

static int epoll = -1;
static struct peer *dead;

void *must_have(void *memory)
{
	if (memory)
		return memory;
	fprintf(stderr, "soak: out of memory\n");
	exit(2);
}

/* --- buffers ------------------------------------------------------------------------------- */

static char *buf_at(const struct bytebuf *b)
{
	return b->p + b->at;
}

static size_t buf_n(const struct bytebuf *b)
{
	return b->n - b->at;
}

static void buf_add(struct bytebuf *b, const void *bytes, size_t n)
{
	if (b->at > 0 && b->n + n > b->cap) {
		memmove(b->p, buf_at(b), buf_n(b));
		b->n -= b->at;
		b->at = 0;
	}
	if (b->n + n > b->cap) {
		b->cap = 2 * (b->n + n);
		b->p = must_have(realloc(b->p, b->cap));
	}
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

static void buf_drop(struct bytebuf *b, size_t n)
{
	b->at += n;
	if (b->at == b->n)
		b->at = b->n = 0;
}

/* Where `what` begins in the buffer, or -1. */
static ssize_t buf_find(const struct bytebuf *b, const char *what)
{
	const char *at = buf_n(b) ? memmem(buf_at(b), buf_n(b), what, strlen(what)) : NULL;

	return at ? at - buf_at(b) : -1;
}

/* --- life ------------------------------------------------------------------------------------ */

int peers_init(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll < 0 ? -errno : 0;
}

static void sweep(void)
{
	while (dead) {
		struct peer *p = dead;

		dead = p->next_dead;
		free(p->out.p);
		free(p->in.p);
		free(p->body.p);
		free(p);
	}
}

void peers_fini(void)
{
	sweep();
	close(epoll);
}

/* How much of what is written may leave. */
static size_t sendable(const struct peer *p)
{
	return p->is_held && p->allowed < buf_n(&p->out) ? p->allowed : buf_n(&p->out);
}

static void watch(struct peer *p)
{
	struct epoll_event e = { .data.ptr = p };

	if (p->fd < 0)
		return;
	e.events = (p->deaf ? 0 : EPOLLIN) | (sendable(p) > 0 ? EPOLLOUT : 0);
	if (e.events == p->watched)
		return;
	epoll_ctl(epoll, EPOLL_CTL_MOD, p->fd, &e);
	p->watched = e.events;
}

static void narrow(int fd)
{
	int window = 4096, segment = 1000;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
	setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

struct peer *peer_new(const struct sockaddr_in *to, unsigned from, enum wire wire,
    const struct peer_events *on, void *owner)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct peer *p;

	if (fd < 0)
		return NULL;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK + from);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (peers_are_narrow)
		narrow(fd);
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS)) {
		close(fd);
		return NULL;
	}
	p = must_have(calloc(1, sizeof(*p)));
	p->fd = fd;
	p->wire = wire;
	p->on = on;
	p->owner = owner;
	p->watched = e.events;
	e.data.ptr = p;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	return p;
}

void peer_close(struct peer *p)
{
	if (p->fd < 0)
		return;
	close(p->fd);
	p->fd = -1;
	p->next_dead = dead;
	dead = p;
}

void peer_reset(struct peer *p)
{
	struct linger hard = { .l_onoff = 1 };

	if (p->fd >= 0)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	peer_close(p);
}

static void over(struct peer *p, int err)
{
	if (p->fd < 0)
		return;
	peer_close(p);
	p->on->ended(p, err);
}

/* --- writing ---------------------------------------------------------------------- */

static void flush(struct peer *p)
{
	ssize_t n;

	while (sendable(p) > 0) {
		n = send(p->fd, buf_at(&p->out), sendable(p), MSG_NOSIGNAL);
		if (n < 0)
			break; /* an error is seen by reading, after what came before it */
		buf_drop(&p->out, (size_t)n);
		p->allowed -= p->is_held ? (size_t)n : 0;
	}
	if (p->shut && buf_n(&p->out) == 0)
		shutdown(p->fd, SHUT_WR);
	watch(p);
}

void peer_write(struct peer *p, const void *bytes, size_t n)
{
	if (p->fd < 0 || p->shut)
		return;
	buf_add(&p->out, bytes, n);
	watch(p); /* one send for all that is written in this turn */
}

void peer_hold(struct peer *p, size_t kept)
{
	p->is_held = true;
	p->allowed = kept < buf_n(&p->out) ? buf_n(&p->out) - kept : 0;
	watch(p);
}

void peer_release(struct peer *p)
{
	p->is_held = false;
	watch(p);
}

bool peer_is_idle(const struct peer *p)
{
	return buf_n(&p->out) == 0;
}

void peer_half_close(struct peer *p)
{
	if (p->fd < 0)
		return;
	p->shut = true;
	flush(p);
}

void peer_set_deaf(struct peer *p, bool deaf)
{
	p->deaf = deaf;
	watch(p);
}

void peer_write_ws(struct peer *p, unsigned opcode, const void *bytes, size_t n)
{
	unsigned char head[14] = { (unsigned char)(0x80 | opcode) },
	              mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	char *masked = must_have(malloc(n + 1));
	size_t len = 2;

	if (n < 126) {
		head[1] = (unsigned char)(0x80 | n);
	} else if (n < 65536) {
		head[1] = 0x80 | 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		len = 4;
	} else {
		head[1] = 0x80 | 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
		len = 10;
	}
	memcpy(head + len, mask, 4);
	for (size_t i = 0; i < n; i++)
		masked[i] = (char)(((const unsigned char *)bytes)[i] ^ mask[i % 4]);
	peer_write(p, head, len + 4);
	peer_write(p, masked, n);
	free(masked);
}

/* --- frames in a body ------------------------------------------------------------- */

/* Frames inside script text are JSON strings; what the soak sends needs no escapes but those of
 * quotes. */
static size_t drop_backslashes(char *text, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (text[i] != '\\')
			text[to++] = text[i];
	return to;
}

/* The frame in PIECE is between BEFORE and AFTER. */
static void quoted_frame(
    struct peer *p, char *piece, size_t n, const char *before, const char *after)
{
	char *from = memmem(piece, n, before, strlen(before)), *to;

	if (!from)
		return;
	from += strlen(before);
	n -= (size_t)(from - piece);
	to = memmem(from, n, after, strlen(after));
	if (to)
		p->on->frame(p, from, drop_backslashes(from, (size_t)(to - from)));
}

static void one_frame(struct peer *p, char *piece, size_t n)
{
	switch (p->wire) {
	case WIRE_XHR_STREAMING:
		if (n == 2048 && !p->prelude_seen)
			p->prelude_seen = true;
		else
			p->on->frame(p, piece, n);
		break;
	case WIRE_EVENTSOURCE:
		while (n >= 2 && memcmp(piece, "\r\n", 2) == 0)
			piece += 2, n -= 2;
		if (n >= 6 && memcmp(piece, "data: ", 6) == 0)
			p->on->frame(p, piece + 6, n - 6);
		break;
	case WIRE_HTMLFILE:
		quoted_frame(p, piece, n, "<script>\np(\"", "\");\n");
		break;
	default:
		p->on->frame(p, piece, n);
		break;
	}
}

static const char *terminator(enum wire wire)
{
	switch (wire) {
	case WIRE_EVENTSOURCE:
		return "\r\n\r\n";
	case WIRE_HTMLFILE:
		return "</script>\r\n";
	default:
		return "\n";
	}
}

static void read_body(struct peer *p)
{
	const char *end = terminator(p->wire);
	ssize_t n;

	if (p->wire == WIRE_NONE || p->wire == WIRE_JSONP || p->status != 200)
		return; /* jsonp is looked at when it is complete */
	while (p->fd >= 0 && (n = buf_find(&p->body, end)) >= 0) {
		char *piece = buf_at(&p->body);

		buf_drop(&p->body, (size_t)n + strlen(end));
		one_frame(p, piece, (size_t)n);
	}
}

/* --- HTTP ------------------------------------------------------------------------- */

static void end_of_response(struct peer *p)
{
	if (p->wire == WIRE_JSONP && p->status == 200)
		quoted_frame(p, buf_at(&p->body), buf_n(&p->body), "(\"", "\");");
	p->phase = HEAD;
	p->prelude_seen = false;
	if (p->fd >= 0)
		p->on->response(p, p->status, p->keeps_alive);
	buf_drop(&p->body, buf_n(&p->body));
}

static const char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (; (head = strstr(head, "\r\n")) != NULL;) {
		head += 2;
		if (strncasecmp(head, name, n) == 0 && head[n] == ':')
			return head + n + 1 + strspn(head + n + 1, " ");
	}
	return NULL;
}

static bool read_head(struct peer *p)
{
	ssize_t n = buf_find(&p->in, "\r\n\r\n");
	char *head = buf_at(&p->in);
	const char *length, *value;

	if (n < 0)
		return false;
	head[n + 2] = '\0';
	p->status = strncmp(head, "HTTP/1.1 ", 9) == 0 ? (unsigned)atoi(head + 9) : 0;
	value = header(head, "Connection");
	p->keeps_alive = !value || strncasecmp(value, "close", 5) != 0;
	value = header(head, "Transfer-Encoding");
	p->chunked = value && strncmp(value, "chunked", 7) == 0;
	length = header(head, "Content-Length");
	p->left = length ? (size_t)atol(length) : 0;
	buf_drop(&p->in, (size_t)n + 4);
	if (p->status == 101) {
		p->phase = FRAMES;
		p->on->response(p, 101, true);
	} else if (p->status == 204 || p->status == 304 || (length && p->left == 0)) {
		end_of_response(p);
	} else {
		p->phase = p->chunked ? CHUNK_SIZE : length ? BODY : UNTIL_END;
	}
	return true;
}

/* Moves up to `left` octets into the body; whether that was all of them. */
static bool take_body(struct peer *p)
{
	size_t n = buf_n(&p->in) < p->left ? buf_n(&p->in) : p->left;

	buf_add(&p->body, buf_at(&p->in), n);
	buf_drop(&p->in, n);
	p->left -= n;
	read_body(p);
	return p->left == 0;
}

static bool read_chunk_size(struct peer *p)
{
	ssize_t n = buf_find(&p->in, "\r\n");

	if (n < 0)
		return false;
	p->left = strtoul(buf_at(&p->in), NULL, 16);
	buf_drop(&p->in, (size_t)n + 2);
	p->phase = p->left > 0 ? CHUNK : LAST_CHUNK;
	return true;
}

/* One step; false when more has to come. */
static bool http_step(struct peer *p)
{
	switch (p->phase) {
	case HEAD:
		return read_head(p);
	case BODY:
		if (take_body(p) && p->fd >= 0)
			end_of_response(p);
		return buf_n(&p->in) > 0;
	case CHUNK_SIZE:
		return read_chunk_size(p);
	case CHUNK:
		if (take_body(p))
			p->phase = CHUNK_END;
		return buf_n(&p->in) > 0;
	case CHUNK_END:
	case LAST_CHUNK:
		if (buf_n(&p->in) < 2)
			return false;
		buf_drop(&p->in, 2);
		if (p->phase == LAST_CHUNK)
			end_of_response(p);
		else
			p->phase = CHUNK_SIZE;
		return true;
	default:
		p->left = buf_n(&p->in);
		take_body(p);
		return false;
	}
}

/* --- WebSocket -------------------------------------------------------------------- */

static bool ws_step(struct peer *p)
{
	const unsigned char *b = (unsigned char *)buf_at(&p->in);
	size_t have = buf_n(&p->in), head = 2, n;
	const char *payload;

	if (have < 2)
		return false;
	n = b[1];
	if (n >= 126) {
		head = n == 126 ? 4 : 10;
		if (have < head)
			return false;
		n = 0;
		for (size_t i = 2; i < head; i++)
			n = n << 8 | b[i];
	}
	if (have < head + n)
		return false;
	payload = (const char *)b + head;
	buf_drop(&p->in, head + n); /* the memory stays until more is read */
	if ((b[0] & 0x0f) == WS_CLOSE)
		p->on->ws_close(p, n >= 2 ? (unsigned)(b[head] << 8 | b[head + 1]) : 1005);
	else if ((b[0] & 0x0f) == WS_TEXT)
		p->on->frame(p, payload, n);
	else if ((b[0] & 0x0f) == WS_PING)
		peer_write_ws(p, WS_PONG, payload, n);
	return true;
}

/* --- events ----------------------------------------------------------------------- */

static void take(struct peer *p, const char *bytes, size_t n)
{
	if (p->wire == WIRE_TCP) {
		p->on->frame(p, bytes, n);
		return;
	}
	buf_add(&p->in, bytes, n);
	while (p->fd >= 0 && (p->phase == FRAMES ? ws_step(p) : http_step(p)))
		;
}

static void hear(struct peer *p)
{
	static char scratch[READ_BYTES];
	ssize_t n = recv(p->fd, scratch, sizeof(scratch), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		over(p, -errno);
		return;
	}
	if (n > 0) {
		take(p, scratch, (size_t)n);
		return;
	}
	if (p->phase == UNTIL_END) {
		p->keeps_alive = false;
		end_of_response(p);
	}
	over(p, 0);
}

void peers_turn(int ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, ms);

	for (int i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;

		if (p->fd >= 0 && (events[i].events & EPOLLOUT))
			flush(p);
		if (p->fd >= 0 && (events[i].events & EPOLLIN))
			hear(p);
		else if (p->fd >= 0 && (events[i].events & (EPOLLERR | EPOLLHUP)))
			over(p, -ECONNRESET);
	}
	sweep();
}
