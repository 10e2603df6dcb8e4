/*
 * server/sockjs_send.c - messages of applications: to one session, and prepared for many
 * (include/sockjs.h).
 */
#include <errno.h>

#include "base/utf8.h"
#include "server/server_private.h"

int message_from_app(struct message **out, const void *text, size_t n, bool for_many)
{
	bool surrogates = false;
	struct message *m;

	if (!utf8_is_valid_wide(text, n, &surrogates))
		return -EILSEQ;
	m = message_new(text, n, false, for_many);
	if (!m)
		return -ENOMEM;
	m->has_surrogates = surrogates;
	*out = m;
	return 0;
}

static int send_message(struct sockjs_session *s, const void *data, size_t n, bool binary)
{
	bool surrogates = false;
	struct message *m;
	int err;

	if (!session_is_open(&s->base))
		return -EPIPE;
	if (!binary && !utf8_is_valid_wide(data, n, &surrogates))
		return -EILSEQ;
	m = message_new_in(&s->base.reactor->freelist, data, n, binary);
	if (!m)
		return -ENOMEM;
	m->has_surrogates = surrogates;
	err = session_send(&s->base, m);
	message_unref(m);
	return err;
}

void send_accepted(struct sockjs_session *s, struct message *m)
{
	int err = session_send(&s->base, m);

	if (err == -EMSGSIZE)
		session_close(&s->base, CLOSE_TOO_BIG, NULL);
	else if (err == -ENOMEM)
		session_close(&s->base, CLOSE_INTERNAL_ERROR, "Out of memory");
}

int sockjs_send(struct sockjs_session *s, const void *text, size_t len)
{
	return send_message(s, text, len, false);
}

int sockjs_send_binary(struct sockjs_session *s, const void *data, size_t len)
{
	return s->base.is_raw ? send_message(s, data, len, true) : -ENOTSUP;
}

/* --- prepared messages ---------------------------------------------------- */

/* One is a message that was made for many, under the name that applications know. */
static struct message *message_of(struct sockjs_prepared *p)
{
	return (struct message *)(void *)p;
}

struct sockjs_prepared *sockjs_prepare(const void *data, size_t len, int is_binary)
{
	struct message *m = NULL;

	if (is_binary)
		m = message_new(data, len, true, true);
	else if (message_from_app(&m, data, len, true) < 0)
		return NULL;
	return (struct sockjs_prepared *)(void *)m;
}

struct sockjs_prepared *sockjs_prepared_ref(struct sockjs_prepared *p)
{
	message_ref(message_of(p));
	return p;
}

void sockjs_prepared_free(struct sockjs_prepared *p)
{
	message_unref(message_of(p));
}

struct sockjs_prepared *sockjs_prepared_join(struct sockjs_prepared *const *parts, size_t count)
{
	struct message *const *messages = (struct message *const *)(const void *)parts;

	return (struct sockjs_prepared *)(void *)message_join(messages, count);
}

int sockjs_send_prepared(struct sockjs_session *s, struct sockjs_prepared *p)
{
	struct message *m = message_of(p);

	return m->binary && !s->base.is_raw ? -ENOTSUP : session_send(&s->base, m);
}

int sockjs_offer_prepared(struct sockjs_session *s, struct sockjs_prepared *p)
{
	struct message *m = message_of(p);

	return m->binary && !s->base.is_raw ? -ENOTSUP : session_offer(&s->base, m);
}
