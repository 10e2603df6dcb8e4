/*
 * apps/amplify.c - a small message makes a large one: the number n is answered
 * with 2^n times 'x'. What is no number from 1 to 18 counts as 1.
 *
 * The state is the longest answer; a shorter one is its beginning.
 */
#include "apps/apps.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/kept.h"

#define MAX_POWER 18

/* As JavaScript's Math.floor(Number(text)) would have it. */
static unsigned power_of(const struct sockjs_message *m)
{
	char text[64], *end;
	double n;

	if (m->len == 0 || m->len >= sizeof(text))
		return 1;
	memcpy(text, m->data, m->len);
	text[m->len] = '\0';
	n = strtod(text, &end);
	while (isspace((unsigned char)*end))
		end++;
	if (end != text + m->len || !(n >= 1 && n < MAX_POWER + 1))
		return 1;
	return (unsigned)n;
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *state)
{
	if (sockjs_send(s, state, (size_t)1 << power_of(m)) == SOCKJS_FULL)
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
	return kept_put(to, "amplify", NULL, 0);
}

static int on_restore(struct sockjs_session *s, struct sockjs_saved *from, void *state)
{
	(void)s, (void)state;
	return kept_get(from, "amplify", NULL, 0) ? 0 : -ENOENT;
}

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	size_t len = (size_t)1 << MAX_POWER;

	(void)server, (void)options, (void)why, (void)why_size;
	if (!(*state = malloc(len)))
		return -ENOMEM;
	memset(*state, 'x', len);
	return 0;
}

static const struct sockjs_callbacks callbacks = {
	.message = on_message,
	.writable = on_writable,
	.save = on_save,
	.restore = on_restore,
};

const struct app amplify_app = {
	.name = "amplify",
	.sentence = "Answers a number n from 1 to 18 with 2^n times \"x\".",
	.callbacks = &callbacks,
	.start = start,
	.stop = free,
};
