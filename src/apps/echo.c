/*
 * apps/echo.c - sends every message back, and shows how an application treats
 * back-pressure.
 *
 * When the client reads more slowly than it writes, sockjs_send() says
 * SOCKJS_FULL. The answer is to stop reading from that client until there is
 * room: it is slowed down to its own speed, and nothing piles up here.
 */
#include "apps/apps.h"

#include <errno.h>

#include "apps/kept.h"

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *state)
{
	int status =
	    m->is_binary ? sockjs_send_binary(s, m->data, m->len) : sockjs_send(s, m->data, m->len);

	(void)state;
	if (status == SOCKJS_FULL)
		sockjs_pause(s);
}

static void on_writable(struct sockjs_session *s, void *state)
{
	(void)state;
	sockjs_resume(s);
}

/* Nothing is kept of a session: it goes on as it is. */
static int on_save(struct sockjs_session *s, struct sockjs_saved *to, void *state)
{
	(void)s, (void)state;
	return kept_put(to, "echo", NULL, 0);
}

static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	(void)s, (void)state;
	return kept_get(from, "echo", NULL, 0) ? 0 : -ENOENT;
}

static const struct sockjs_callbacks callbacks = {
	.message = on_message,
	.writable = on_writable,
	.save = on_save,
	.restore = on_restore,
};

const struct app echo_app = {
	.name = "echo",
	.sentence = "Sends every message back.",
	.callbacks = &callbacks,
};
