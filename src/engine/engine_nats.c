/*
 * engine/engine_nats.c - NATS as an engine: a topic is a subscription there, a message is a message.
 *
 * A topic is active when the server has answered a PING that was sent behind its SUB: so topics of one turn
 * need one answer. If some of it is kept, that is the stream's to say (nats_history.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "broker/broker_name.h"
#include "engine/engine_nats.h"

static const char FORBIDDEN[] = "The engine does not let us subscribe to this.";

/* --- topics: until they are active --------------------------------------------------------------- */

static void ask(struct engine *e);

static void settle(struct engine *e, struct engine_topic *t)
{
	list_append(&e->active, &t->node);
	t->is_active = !t->is_refused;
	if (t->is_active)
		e->on->settled(e->arg, t, NULL);
}

/* A list that was here before the first is told of, for whoever is told may add to it. */
static void settle_all(struct engine *e, struct list *topics)
{
	struct list settled;

	list_init(&settled);
	list_splice(&settled, topics);
	while (!list_empty(&settled)) {
		struct engine_topic *t = container_of(list_first(&settled), struct engine_topic, node);

		list_remove(&t->node);
		if (t->is_kept && e->settings.keeps && !t->is_refused)
			nats_history_join(&e->history, t);
		else
			settle(e, t);
	}
}

static void on_flushed(struct nats_flush *f, int err)
{
	struct engine *e = container_of(f, struct engine, flush);

	if (err < 0) /* they are made again when there is a connection */
		list_splice(&e->joining, &e->asked);
	else
		settle_all(e, &e->asked);
	ask(e);
}

static void ask(struct engine *e)
{
	if (e->flush.done || list_empty(&e->joining) || !nats_client_is_up(e->client))
		return;
	if (nats_flush(e->client, &e->flush, on_flushed) == 0)
		list_splice(&e->asked, &e->joining);
}

static void on_up(struct nats_client *c, void *arg)
{
	struct engine *e = arg;

	(void)c;
	e->on->up(e->arg);
	nats_members_up(&e->members);
	if (e->settings.keeps)
		nats_history_up(&e->history);
	ask(e);
}

static void on_down(struct nats_client *c, const char *why, void *arg)
{
	struct engine *e = arg;
	uint64_t sound = nats_history_sound(&e->history);
	struct list *pos;

	(void)c;
	nats_members_down(&e->members);
	list_foreach (pos, &e->active) {
		struct engine_topic *t = container_of(pos, struct engine_topic, node);

		if (sound > t->baseline)
			t->baseline = sound;
	}
	if (e->settings.keeps)
		nats_history_down(&e->history, &e->joining);
	list_splice(&e->joining, &e->active);
	list_splice(&e->joining, &e->asked);
	list_foreach (pos, &e->joining) {
		struct engine_topic *t = container_of(pos, struct engine_topic, node);

		t->is_active = t->is_refused = false;
	}
	e->on->down(e->arg, why);
}

static void on_changed(struct nats_client *c, void *arg)
{
	struct engine *e = arg;

	(void)c;
	if (e->settings.keeps)
		nats_history_suspect(&e->history);
}

static void on_trouble(struct nats_client *c, const char *server, const char *why, void *arg)
{
	struct engine *e = arg;

	(void)c;
	e->on->trouble(e->arg, server, why);
}

/* --- messages that come ----------------------------------------------------------------------------- */

/* Whether it is the first that we see of it. */
static bool is_new(struct engine *e, const struct nats_event *m)
{
	struct bytes from = nats_headers_get(m->headers, ENGINE_NATS_FROM);
	uint64_t gateway, number;

	return !from.p || !engine_pair_read(from, &gateway, &number) || replay_note(&e->replay, gateway, number) != 0;
}

static void take(struct engine *e, const struct nats_event *m)
{
	if (is_new(e, m))
		engine_nats_tell(e, m, (struct engine_message){ 0 }, NULL);
	else
		e->counters.repeated++;
}

static void refuse(struct engine_topic *t)
{
	t->is_refused = true;
	t->is_active = false;
	t->engine->on->settled(t->engine->arg, t, FORBIDDEN);
}

static void on_message(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	struct engine_topic *t = arg;

	(void)s;
	if (m && t->engine->settings.keeps && nats_history_take(&t->engine->history, t, m))
		return;
	if (m)
		take(t->engine, m);
	else
		refuse(t);
}

static void on_word(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	struct engine_topic *t = arg;
	struct engine *e = t->engine;

	(void)s;
	if (m)
		e->on->word(e->arg, t->name, m->payload);
	else
		refuse(t);
}

static void on_own_message(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	(void)s;
	if (m)
		take(arg, m);
}

/* --- joining ------------------------------------------------------------------------------------------- */

static int subscribe(struct engine *e, struct engine_topic *t)
{
	enum nats_space space = t->is_talk ? NATS_TALK : NATS_LIVE;
	nats_message_fn fn = t->is_talk ? on_word : on_message;
	size_t two = 0;
	int err;

	buf_clear(&e->name);
	err = t->is_user ? nats_name_all_of_user(&e->name, e->settings.prefix, t->name)
	                 : nats_name_pattern(
	                       &e->name, e->settings.prefix, space, t->name, e->settings.separator, &two);
	if (err == 0)
		err = nats_subscribe(e->client, &t->subscriptions[0], buf_data(&e->name), NULL, fn, t);
	if (err == 0 && two)
		err = nats_subscribe(
		    e->client, &t->subscriptions[1], (const char *)buf_data(&e->name) + two, NULL, fn, t);
	return err;
}

static void leave(struct engine_topic *t)
{
	if (!t->engine)
		return;
	for (size_t i = 0; i < 2; i++) {
		nats_unsubscribe(t->subscriptions[i]);
		t->subscriptions[i] = NULL;
	}
	if (t->is_kept && t->engine->settings.keeps)
		nats_history_leave(&t->engine->history, t);
	list_remove(&t->node);
	t->engine = NULL;
	t->is_active = false;
}

static int join(struct engine *e, struct engine_topic *t)
{
	int err;

	list_init(&t->node);
	t->is_active = t->is_refused = false;
	t->epoch = t->joined_at = t->baseline = t->skipped = 0;
	t->fills = 0;
	t->engine = e;
	err = subscribe(e, t);
	if (err < 0) {
		leave(t);
		return err;
	}
	list_append(&e->joining, &t->node);
	ask(e);
	return 0;
}

/* --- histories --------------------------------------------------------------------------------------------- */

static struct engine *engine_of(struct nats_history *h)
{
	return container_of(h, struct engine, history);
}

static void on_kept_message(struct nats_history *h, const struct nats_event *m, uint64_t sequence, uint64_t before,
    bool is_after_gap)
{
	engine_nats_tell(engine_of(h), m,
	    (struct engine_message){ .sequence = sequence, .before = before, .is_after_gap = is_after_gap }, NULL);
}

static void on_loaded(struct nats_history *h, struct engine_load *l, const struct nats_event *m, uint64_t sequence,
    uint64_t age_ms)
{
	engine_nats_tell(engine_of(h), m, (struct engine_message){ .sequence = sequence, .age_ms = age_ms }, l);
}

static void on_active(struct nats_history *h, struct engine_topic *t)
{
	settle(engine_of(h), t);
}

static void on_ready(struct nats_history *h, uint64_t epoch)
{
	struct engine *e = engine_of(h);

	e->on->kept(e->arg, epoch);
}

static void on_history_trouble(struct nats_history *h, const char *why)
{
	struct engine *e = engine_of(h);

	e->on->trouble(e->arg, nats_client_server(e->client), why);
}

static void on_unready(struct nats_history *h, const char *why)
{
	struct engine *e = engine_of(h);

	e->on->unkept(e->arg, why);
}

/* They are not active until they have looked. */
static void on_suspect(struct nats_history *h, uint64_t sound)
{
	struct engine *e = engine_of(h);
	struct list *pos, *next;

	list_foreach_safe (pos, next, &e->active) {
		struct engine_topic *t = container_of(pos, struct engine_topic, node);

		if (!t->is_kept || t->is_refused)
			continue;
		list_remove(&t->node);
		t->is_active = false;
		if (sound > t->baseline)
			t->baseline = sound;
		nats_history_join(h, t);
	}
}

static bool is_wanted(struct nats_history *h, struct bytes subject)
{
	struct engine *e = engine_of(h);
	struct bytes user, destination;
	struct list *pos;

	if (nats_name_read(&e->name, e->settings.prefix, subject, e->settings.separator, &user, &destination) < 0 ||
	    user.n > 0)
		return false;
	list_foreach (pos, &e->active) {
		const struct engine_topic *t = container_of(pos, struct engine_topic, node);

		if (t->is_kept && t->is_active && broker_name_matches(t->name, destination, e->settings.separator))
			return true;
	}
	return false;
}

static const struct nats_history_events history_events = {
	.message = on_kept_message,
	.loaded = on_loaded,
	.active = on_active,
	.ready = on_ready,
	.trouble = on_history_trouble,
	.unready = on_unready,
	.suspect = on_suspect,
	.is_wanted = is_wanted,
};

static int load(struct engine *e, struct bytes destination, uint64_t since, struct engine_topic *topic,
    struct engine_load *l)
{
	return nats_history_load(&e->history, destination, since, topic, l);
}

/* --- other gateways ------------------------------------------------------------------------------------------ */

static void on_member(struct nats_members *m, uint64_t gateway, bool is_there)
{
	struct engine *e = container_of(m, struct engine, members);

	e->on->gateway(e->arg, gateway, is_there);
}

static void on_said(struct nats_members *m, uint64_t gateway, struct bytes text)
{
	struct engine *e = container_of(m, struct engine, members);

	if (e->on->said)
		e->on->said(e->arg, gateway, text);
}

static void on_asked(struct nats_members *m, struct bytes what, struct bytes body, struct bytes to)
{
	struct engine *e = container_of(m, struct engine, members);

	e->on->asked(e->arg, what, body, to);
}

static const struct nats_members_events members_events = { .member = on_member,
	.said = on_said,
	.asked = on_asked };

static size_t gateways(const struct engine *e)
{
	return nats_members_count(&e->members);
}

static int announce(struct engine *e, struct bytes text)
{
	return nats_members_announce(&e->members, text);
}

static bool address(const struct engine *e, struct addr *out)
{
	return nats_client_address(e->client, out);
}

static int ask_all(struct engine *e, struct bytes what, struct bytes body, unsigned timeout_ms, struct engine_question *q)
{
	return nats_members_ask(&e->members, what, body, timeout_ms, q);
}

static int tell_others(struct engine *e, uint64_t gateway, struct bytes what, struct bytes body)
{
	return nats_members_tell(&e->members, gateway, what, body);
}

static int say_of(struct engine *e, struct bytes destination, struct bytes body)
{
	int err;

	buf_clear(&e->name);
	err = nats_name_destination(&e->name, e->settings.prefix, NATS_TALK, destination, e->settings.separator);
	return err ? err
	           : nats_publish(e->client,
	                 &(struct nats_message){ .subject = { buf_data(&e->name), buf_len(&e->name) }, .payload = body });
}

static int reply(struct engine *e, struct bytes to, struct bytes body)
{
	return nats_members_reply(&e->members, to, body);
}

/* --- life -------------------------------------------------------------------------------------------------- */

static const struct nats_client_events client_events = {
	.up = on_up,
	.down = on_down,
	.trouble = on_trouble,
	.changed = on_changed,
};

static struct nats_options options_of(const struct engine *e)
{
	const struct engine_settings *s = &e->settings;

	return (struct nats_options){
		.servers = e->servers,
		.server_count = s->server_count,
		.tls = s->tls,
		.tls_required = s->tls_required,
		.tls_host = s->tls_host,
		.login = { .user = s->user,
		    .password = s->password,
		    .token = s->token,
		    .seed_file = s->seed_file,
		    .creds_file = s->creds_file },
		.connect_timeout_ms = s->connect_timeout_ms,
		.retry_ms = s->retry_ms,
		.retry_max_ms = s->retry_max_ms,
		.ping_interval_ms = s->ping_interval_ms,
		.max_payload = s->max_bytes,
		.send_bytes = s->queue_bytes,
		.held_bytes = s->queue_bytes,
	};
}

static void stop(struct engine *e)
{
	struct list *all[] = { &e->active, &e->joining, &e->asked };

	if (e->history.client)
		nats_history_down(&e->history, &e->joining);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		while (!list_empty(all[i]))
			leave(container_of(list_first(all[i]), struct engine_topic, node));
	if (e->client)
		nats_flush_cancel(&e->flush);
	nats_history_fini(&e->history);
	nats_members_fini(&e->members);
	nats_client_free(e->client);
	replay_fini(&e->replay);
	buf_fini(&e->name);
	buf_fini(&e->id);
	buf_fini(&e->texts);
	mem_free(e);
}

static int subscribe_own(struct engine *e)
{
	int err;

	buf_clear(&e->name);
	err = nats_name_all_members(&e->name, e->settings.prefix, e->settings.gateway);
	return err ? err : nats_subscribe(e->client, &e->own, buf_data(&e->name), NULL, on_own_message, e);
}

static int start(struct engine **out, const struct engine_settings *settings, const struct engine_events *on,
    void *arg, char *why, size_t size)
{
	struct engine *e = mem_zalloc(sizeof(*e));
	struct nats_options options;
	int err;

	snprintf(why, size, "out of memory");
	if (!e)
		return -ENOMEM;
	e->settings = *settings;
	e->on = on;
	e->arg = arg;
	list_init(&e->active);
	list_init(&e->joining);
	list_init(&e->asked);
	replay_init(&e->replay);
	for (size_t i = 0; i < settings->server_count; i++)
		e->servers[i] = (struct nats_server){ settings->servers[i].host, settings->servers[i].port };
	options = options_of(e);
	err = nats_client_new(&e->client, settings->loop, settings->resolver, &options, &client_events, e, why, size);
	if (err == 0)
		err = subscribe_own(e);
	if (err == 0)
		err = nats_members_init(&e->members, e->client, settings->prefix, settings->gateway, &members_events);
	if (err == 0 && settings->keeps)
		err = nats_history_init(&e->history, e->client, &e->settings, &e->counters, &history_events);
	if (err < 0)
		stop(e);
	else
		*out = e;
	return err;
}

static bool is_up(const struct engine *e)
{
	return nats_client_is_up(e->client);
}

static size_t pending(const struct engine *e)
{
	return nats_client_pending(e->client);
}

static const struct engine_counters *counters(const struct engine *e)
{
	struct engine_counters *c = (struct engine_counters *)(uintptr_t)&e->counters;

	c->connects = nats_client_counters(e->client)->connects;
	c->losses = nats_client_counters(e->client)->losses;
	return c;
}

static const char *server(const struct engine *e)
{
	return nats_client_server(e->client);
}

const struct engine_kind engine_nats = {
	.name = "nats",
	.start = start,
	.stop = stop,
	.is_up = is_up,
	.join = join,
	.leave = leave,
	.publish = engine_nats_publish,
	.store = engine_nats_store,
	.store_cancel = nats_history_store_cancel,
	.load = load,
	.load_cancel = nats_history_load_cancel,
	.gateways = gateways,
	.announce = announce,
	.address = address,
	.ask = ask_all,
	.ask_cancel = nats_members_ask_cancel,
	.tell = tell_others,
	.say = say_of,
	.reply = reply,
	.pending = pending,
	.counters = counters,
	.server = server,
};
