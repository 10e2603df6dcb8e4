/*
 * apps/broadcast.c - sends every message to all clients of the endpoint, the
 * sender among them; at all gateways that are joined with this one.
 *
 * The state is a group: it encodes a message once for all members, on whatever
 * threads they live, and forgets a member when its session closes. In another process
 * a session that was a member joins again; user data tell which are.
 */
#include "apps/apps.h"

#include <errno.h>
#include <stdbool.h>

#include "apps/kept.h"

static int join(struct sockjs_session *s, void *state)
{
	int err = sockjs_group_join(state, s);

	if (err == 0)
		sockjs_set_user(s, state);
	return err;
}

static void on_open(struct sockjs_session *s, void *state)
{
	if (join(s, state) < 0)
		sockjs_close(s, 4011, "Out of memory");
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *state)
{
	if (m->is_binary)
		sockjs_close(s, 4003, "Text only"); /* most members could not take it */
	else
		sockjs_group_send(state, m->data, m->len);
}

static int on_save(struct sockjs_session *s, struct sockjs_saved *to, void *state)
{
	bool is_member = s && sockjs_user(s) != NULL;

	(void)state;
	return kept_put(to, "broadcast", &is_member, sizeof(is_member));
}

/* One that has not opened yet will. */
static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	char is_member;

	if (!kept_get(from, "broadcast", &is_member, sizeof(is_member)))
		return -ENOENT;
	return s && is_member ? join(s, state) : 0;
}

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	(void)options, (void)why, (void)why_size;
	*state = sockjs_group_new(server);
	return *state ? 0 : -ENOMEM;
}

static int place(void *state, const char *prefix)
{
	return sockjs_group_share(state, prefix);
}

static void stop(void *state)
{
	sockjs_group_free(state);
}

static const struct sockjs_callbacks callbacks = {
	.open = on_open,
	.message = on_message,
	.save = on_save,
	.restore = on_restore,
};

const struct app broadcast_app = {
	.name = "broadcast",
	.sentence = "Sends every message to all clients of the endpoint.",
	.callbacks = &callbacks,
	.start = start,
	.place = place,
	.stop = stop,
};
