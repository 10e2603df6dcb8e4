/*
 * pubsub/held.c - a frame that waits for the application's word: a hook has said SOCKJS_LATER, and
 * sockjs_client_decide() is to follow.
 *
 * What is needed to go on is copied, and a client has one such frame at most, for nothing behind it
 * is looked at; so all of it is no more than an incomplete frame may hold, and counts as one does
 * (limits.memory_bytes). Then it takes up its way where it was asked about: connect.c and frames.c
 * have a function for each such place, which they call as well if the answer comes at once.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pubsub/pubsub.h"

struct held_frame {
	enum stomp_command command;
	struct published *message; /* what was sent, or its CONNECT; NULL: neither */
	size_t octets;
	size_t header_count;
	struct sockjs_header headers[]; /* and their texts behind them */
};

/* --- the frame --------------------------------------------------------------------- */

static size_t size_of(const struct stomp_frame *f, size_t count)
{
	size_t size = offsetof(struct held_frame, headers) + count * sizeof(struct sockjs_header);

	for (size_t i = 0; i < count; i++)
		size += f->headers[i].name.n + f->headers[i].value.n + 2;
	return size;
}

struct held_frame *held_new(const struct stomp_frame *f, struct published *message)
{
	size_t count = f ? f->header_count : 0, size = size_of(f, count);
	struct held_frame *h = mem_alloc(size);
	char *at;

	if (!h)
		return NULL;
	h->command = f ? f->command : STOMP_NONE;
	h->message = message;
	h->octets = size;
	h->header_count = count;
	at = (char *)(h->headers + count);
	for (size_t i = 0; i < count; i++) {
		h->headers[i].name = bytes_put_text(&at, f->headers[i].name);
		h->headers[i].value = bytes_put_text(&at, f->headers[i].value);
	}
	if (message) {
		broker_message_ref(&message->base);
		h->octets += message->base.octets;
	}
	return h;
}

/* There may be a passcode among the headers. */
void held_drop(struct held_frame *h)
{
	if (!h)
		return;
	if (h->command == STOMP_CONNECT || h->command == STOMP_STOMP)
		for (size_t i = 0; i < h->header_count; i++)
			explicit_bzero(
			    (char *)(uintptr_t)h->headers[i].value, strlen(h->headers[i].value));
	if (h->message)
		broker_message_unref(&h->message->base);
	mem_free(h);
}

struct sockjs_publication held_view(const struct held_frame *h)
{
	return (struct sockjs_publication){
		.destination = "", .headers = h->headers, .header_count = h->header_count
	};
}

/* As it came, but for its body: that is in the message. */
static void put_back(const struct held_frame *h, struct stomp_frame *f)
{
	f->command = h->command;
	f->body = (struct bytes){ 0 };
	f->header_count = h->header_count;
	for (size_t i = 0; i < h->header_count; i++)
		f->headers[i] = (struct stomp_header){ bytes_of(h->headers[i].name),
			bytes_of(h->headers[i].value) };
}

/* --- waiting ----------------------------------------------------------------------- */

enum stomp_error held_keep(struct sockjs_client *c, enum ask what, struct held_frame *h)
{
	struct client_extra *e = client_extra(c);

	if (h && e && c->conn.state != STOMP_CONN_ENDED) {
		e->held = h;
		c->asked = (uint8_t)what;
		return STOMP_PENDING;
	}
	held_drop(h);
	return c->conn.state == STOMP_CONN_ENDED ? STOMP_E_DISCONNECTED : STOMP_E_INTERNAL;
}

static struct held_frame *take_out(struct sockjs_client *c)
{
	struct held_frame *h = c->extra->held;

	c->extra->held = NULL;
	c->extra->decided_at = clock_now();
	c->asked = ASK_NOTHING;
	return h;
}

void held_forget(struct sockjs_client *c)
{
	if (c->asked)
		held_drop(take_out(c));
}

size_t held_octets(const struct sockjs_client *c)
{
	return c->asked ? c->extra->held->octets : 0;
}

/* --- the word ------------------------------------------------------------------------ */

enum stomp_error decision_verdict(const struct decision *d, const char **why)
{
	if (d->status != 0 && d->sentence)
		*why = d->sentence;
	switch (d->status) {
	case 0:
		return STOMP_OK;
	case -EACCES:
		return STOMP_E_FORBIDDEN;
	case -ENOENT:
		return STOMP_E_NO_DESTINATION;
	case -EAGAIN:
		return STOMP_E_BUSY;
	case -EHOSTUNREACH:
		return STOMP_E_BACKEND;
	case -ENOMEM:
		return STOMP_E_INTERNAL;
	default:
		return STOMP_E_VETOED;
	}
}

static void go_on_with(struct sockjs_client *c, enum ask what, struct held_frame *h,
    const struct stomp_frame *f, const struct decision *d)
{
	const char *why = NULL;
	enum stomp_error err;

	if (what == ASK_AUTHENTICATE) {
		connect_authenticated(c, f, h->message, d);
	} else if (what == ASK_CONNECT) {
		connect_decided(c, h->message, d);
	} else {
		err = frames_decided(c, what, f, h->message, d, &why);
		if (err != STOMP_PENDING)
			stomp_conn_settle(&c->conn, err, stomp_header_get(f, "receipt"), why);
	}
}

/* The part's scratch frame may be in use by another client, whose hook this is called from. */
static int decide(struct sockjs_client *c, const struct decision *d)
{
	enum ask what = (enum ask)c->asked;
	struct held_frame *h;
	struct stomp_frame f;

	if (what == ASK_NOTHING)
		return -EALREADY;
	if (d->status > 0 || (d->instead && !hooks_publication_is_sound(d->instead)))
		return -EINVAL;
	h = take_out(c);
	put_back(h, &f);
	go_on_with(c, what, h, &f, d);
	held_drop(h);
	client_settle(c);
	return 0;
}

int sockjs_client_decide(struct sockjs_client *c, int status, const struct sockjs_publication *p)
{
	return decide(c, &(struct decision){ .status = status, .instead = p });
}

int sockjs_client_refuse(struct sockjs_client *c, int status, const char *sentence)
{
	if (status == 0)
		return c->asked ? -EINVAL : -EALREADY;
	return decide(c, &(struct decision){ .status = status, .sentence = sentence });
}
