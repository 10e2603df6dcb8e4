/*
 * apps/stomp.c - "stomp" in the list of applications; it is sockjs_broker_*() of the library.
 *
 * What is done here is what a program with the library does by itself: it sets the options of the
 * endpoint so that they go with those of the broker.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "apps/apps.h"
#include "base/log.h"
#include "base/mem.h"
#include "pubsub/broker_open.h"
#include "pubsub/rules.h"
#include "server/options.h"
#include "webhook/stomp_hooks.h"

/* --- the endpoint's options --------------------------------------------------------------------
 */

static int raise_to(struct sockjs_options *o, const char *key, uint64_t now, uint64_t least)
{
	const struct option *opt = options_find(key);
	char text[24];

	if (now >= least)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, least < opt->max ? least : opt->max);
	return options_set(o, opt, text);
}

/* A client may send a frame in one message, and the frame's limits are finer than the message's. */
static int let_frames_in(struct sockjs_options *o)
{
	const struct endpoint_options *e = &o->endpoint;
	uint64_t longest = o->stomp.max_head_bytes + o->stomp.max_body_bytes;
	int err = raise_to(o, "max_message_bytes", e->max_message_bytes, longest);

	return err < 0 ? err : raise_to(o, "max_body_bytes", e->max_body_bytes, longest);
}

/* The broker sees the header of the user, which the endpoint would hide. */
static int show_user_header(struct sockjs_options *o)
{
	const struct string_list *seen = &o->endpoint.request_headers;
	const char *name = o->stomp.user_header, **all;
	int err;

	for (size_t i = 0; name && i < seen->count; i++)
		if (strcasecmp(seen->items[i], name) == 0)
			return 0;
	if (!name)
		return 0;
	if (!(all = mem_alloc((seen->count + 1) * sizeof(*all))))
		return -ENOMEM;
	for (size_t i = 0; i < seen->count; i++)
		all[i] = seen->items[i];
	all[seen->count] = name;
	err = options_set_list(o, options_find("request_headers"), all, seen->count + 1);
	mem_free(all);
	return err;
}

static int complete(struct sockjs_options *o, char *why, size_t why_size)
{
	int err = let_frames_in(o);

	if (err == 0)
		err = show_user_header(o);
	if (err < 0 && err != -ENOMEM)
		snprintf(why, why_size, "%s", o->error);
	return err;
}

/* --- the application
 * ------------------------------------------------------------------------------ */

/* A program with the library may say by itself who its clients are; here only a backend can. */
static int check_people(const struct sockjs_options *o, char *why, size_t why_size)
{
	const struct stomp_options *s = &o->stomp;

	if (s->anonymous || s->users || s->tokens || s->user_header || o->hooks.url ||
	    strcmp(s->client_certificate, "none") != 0)
		return 0;
	snprintf(why, why_size,
	    "stomp.anonymous: false, but nobody can be anybody: stomp.users, stomp.tokens, "
	    "stomp.user_header and hooks.url are null, and stomp.client_certificate is \"none\"");
	return -EINVAL;
}

/* With its own options alone, as any program makes it. */
static int make_broker(struct sockjs_broker **b, struct sockjs_server *server,
    const struct sockjs_options *options, char *why, size_t why_size)
{
	struct sockjs_options own;
	int err = check_people(options, why, why_size);

	if (err < 0 || (err = options_init(&own)) < 0)
		return err;
	err = options_overlay(&own, options, OPTION_STOMP);
	if (err == 0)
		err = broker_prepare(b, server, &own, why, why_size);
	options_fini(&own);
	return err;
}

static int start(struct sockjs_server *server, struct sockjs_options *options, void **state,
    char *why, size_t why_size)
{
	struct sockjs_broker *b = NULL;
	int err;

	snprintf(why, why_size, "out of memory");
	if ((err = complete(options, why, why_size)) < 0 ||
	    (err = make_broker(&b, server, options, why, why_size)) < 0)
		return err;
	options_taken(options, OPTION_STOMP);
	*state = b;
	return 0;
}

/* What another process has now, or another disk might do, may pass. */
static int open_journal(void *state, char *why, size_t why_size)
{
	int err = broker_open(state, why, why_size);

	return err == -EBUSY || err == -ENOSPC || err == -EDQUOT || err == -EIO ? -EAGAIN : err;
}

static int check(
    struct sockjs_server *server, const struct sockjs_options *options, char *why, size_t why_size)
{
	struct sockjs_broker *b = NULL;
	int err;

	snprintf(why, why_size, "out of memory");
	err = make_broker(&b, server, options, why, why_size);
	if (err == 0)
		sockjs_broker_free(b);
	return err;
}

/* A backend is asked about its clients. */
static int hook(void *state, struct webhook *webhook, const struct sockjs_options *options,
    void **hooked, char *why, size_t why_size)
{
	struct stomp_hooks *h = NULL;
	int err = stomp_hooks_new(&h, state, webhook, options, why, why_size);

	*hooked = h;
	return err;
}

static void unhook(void *hooked)
{
	stomp_hooks_free(hooked);
}

static int renew(
    const struct sockjs_options *options, void **renewal, char *why, size_t why_size)
{
	struct pubsub_rules *rules = NULL;
	int err = check_people(options, why, why_size);

	if (err == 0)
		err = pubsub_rules_new(&rules, &options->stomp, why, why_size);
	*renewal = rules;
	return err;
}

static void take(void *state, void *renewal)
{
	if (broker_renew(state, renewal) < 0)
		log_error("stomp goes on by its old rules: out of memory");
}

static void drop(void *renewal)
{
	pubsub_rules_unref(renewal);
}

static void stop(void *state)
{
	sockjs_broker_free(state);
}

const struct app stomp_app = {
	.name = "stomp",
	.sentence = "A broker of STOMP: clients publish messages and subscribe to them.",
	.get_callbacks = sockjs_broker_callbacks,
	.start = start,
	.complete = complete,
	.renew = renew,
	.take = take,
	.drop = drop,
	.stays = true,
	.open = open_journal,
	.check = check,
	.stop = stop,
	.asks = STOMP_HOOKS_EVENTS,
	.hook = hook,
	.unhook = unhook,
	.scopes = 1u << OPTION_STOMP,
};
