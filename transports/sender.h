/*
 * transports/sender.h - a connection that has brought messages and was detached:
 * because a paused application has not taken them yet, or because the next
 * ones will come with the same head (http/http_again.h).
 */
#ifndef TRANSPORTS_SENDER_H
#define TRANSPORTS_SENDER_H

#include "http/http_again.h"
#include "transports/transport.h"

struct sender;

/* What a sender is answered when its messages are taken. */
struct incoming_answer {
	unsigned status;
	struct bytes body;
	bool repeats; /* such requests come in series, with one and the same head */
};

/* Messages of a request that has come again. False: nothing was done. */
typedef bool (*sender_again_fn)(struct sender *s, char *text, size_t n);

extern const struct incoming_answer xhr_send_answer, jsonp_send_answer;

struct sender {
	struct session_waiter waiter;
	struct http_again again;
	struct transport_reactor *reactor;
	struct endpoint *endpoint;
	const struct incoming_answer *answer;
	sender_again_fn serve_again;
	struct addr client;
	uint16_t lines_len, id_len;
	char text[]; /* the lines of the head, then the session id */
};

/* The head of an answer. */
void sender_make_head(const struct transport_request *t, const struct incoming_answer *answer,
    struct http_head *head);
/* Takes the request out, to wait in `loop` or (NULL) to be sent to another one. NULL: it was
 * answered with a refusal. */
struct sender *sender_new(const struct transport_request *t, const struct incoming_answer *answer,
    sender_again_fn serve_again, struct loop *loop);
/* In its reactor: waits if the session is behind, else is answered at once. */
void sender_wait(struct sender *s, struct session *session);
/* There is no room for what it has brought. */
void sender_refuse(struct sender *s);
/* Its session lets sends fail. */
void sender_fail(struct sender *s);
#define SENDER_FAILED "The application lets sends fail."
static inline struct bytes sender_session_id(const struct sender *s)
{
	return (struct bytes){ s->text + s->lines_len, s->id_len };
}

#endif
