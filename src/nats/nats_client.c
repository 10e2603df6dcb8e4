/*
 * nats/nats_client.c - the life of a client of NATS; see nats_client.h.
 *
 * It begins when the connector has connected, and ends in one place, nats_client_drop(), whoever
 * has found that it must.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "nats/nats_client_private.h"
#include "nats/nats_json.h"

#define NEVER UINT64_MAX /* so many PONGs there are not */

/* --- the end of a connection -------------------------------------------------------- */

void nats_client_trouble(struct nats_client *c, const char *server, const char *why)
{
	c->counters.troubles++;
	if (c->on->trouble)
		c->on->trouble(c, server, why, c->arg);
}

static void close_connection(struct nats_client *c)
{
	timer_stop(loop_timers(c->loop), &c->timer);
	timer_stop(loop_timers(c->loop), &c->lame);
	stream_close(&c->stream);
	stream_init_empty(&c->stream);
	nats_parser_reset(&c->parser);
	buf_clear(&c->out);
	c->answers = 0;
	c->state = NATS_DOWN;
	c->connection++;
}

void nats_client_drop(struct nats_client *c, const char *why)
{
	bool was_up = c->state == NATS_UP;
	char copy[NATS_WHY_BYTES], server[NATS_WHY_BYTES];

	if (c->is_freed)
		return;
	snprintf(copy, sizeof(copy), "%s", why);
	snprintf(server, sizeof(server), "%s", connector_name(&c->connector));
	close_connection(c);
	connector_lost(&c->connector);
	c->counters.losses += was_up;
	nats_client_fail_requests(c, -ECONNRESET);
	if (c->is_freed)
		return;
	if (!was_up)
		nats_client_trouble(c, server, copy);
	else if (c->on->down)
		c->on->down(c, copy, c->arg);
}

void nats_client_drop_for(struct nats_client *c, int err)
{
	nats_client_drop(c, strerror(-err));
}

/* --- pings -------------------------------------------------------------------------- */

static const char *const late[] = {
	[NATS_GREETING] = "it did not say INFO in time",
	[NATS_SECURING] = "TLS: it did not answer in time",
	[NATS_LOGIN] = "it did not answer our login in time",
};

/* Whether it owes us a PONG, and none has come since the last time. Flushes ask for some, too. Who
 * is not listened to is not silent. */
static bool is_silent(struct nats_client *c)
{
	bool is_silent = c->pings > c->pongs && c->pongs == c->pongs_before;

	c->pongs_before = c->is_paused ? NEVER : c->pongs;
	return is_silent;
}

static void next_ping(struct nats_client *c)
{
	int err;

	c->silences = is_silent(c) ? c->silences + 1 : 0;
	if (c->silences >= c->options.pings_out)
		nats_client_drop(c, "it does not answer our pings");
	else if ((err = nats_client_ping(c)) < 0)
		nats_client_drop_for(c, err);
	else
		timer_start(loop_timers(c->loop), &c->timer, c->options.ping_interval_ms);
}

static void on_timer(struct timer *t)
{
	struct nats_client *c = container_of(t, struct nats_client, timer);

	if (c->state == NATS_UP)
		next_ping(c);
	else
		nats_client_drop(c, late[c->state]);
}

/* --- the stream --------------------------------------------------------------------- */

int nats_client_listen(struct nats_client *c)
{
	return stream_want(&c->stream, nats_client_is_deaf(c) ? 0 : STREAM_READ);
}

/* What is beyond the budget of this turn, or for an owner who has just paused, is put back. */
static void feed(struct nats_client *c, const char *octets, size_t n)
{
	uint32_t connection = c->connection;
	size_t used = nats_client_feed(c, octets, n);

	if (used == n || !nats_client_lives(c, connection))
		return;
	if (stream_unread(&c->stream, (struct bytes){ octets + used, n - used }) < 0)
		nats_client_drop_for(c, -ENOMEM);
	else if (!nats_client_is_deaf(c))
		stream_read_later(&c->stream, false);
}

static void on_readable(struct stream *s)
{
	struct nats_client *c = container_of(s, struct nats_client, stream);
	char *scratch = loop_scratch(c->loop);
	ssize_t n = stream_read(s, scratch, LOOP_SCRATCH_BYTES);

	if (n > 0)
		feed(c, scratch, (size_t)n);
	else if (n != -EAGAIN)
		nats_client_drop(c, n < 0 ? strerror((int)-n) : "the server has hung up");
}

static void on_hangup(struct stream *s, int err)
{
	nats_client_drop(container_of(s, struct nats_client, stream),
	    err < 0 ? strerror(-err) : "the server has hung up");
}

static void on_writable(struct stream *s)
{
	nats_client_tell_room(container_of(s, struct nats_client, stream));
}

static const struct stream_events stream_events = { on_readable, on_writable, on_hangup, NULL };

/* --- the connector ------------------------------------------------------------------ */

static void on_connected(struct connector *connector, struct stream *s)
{
	struct nats_client *c = container_of(connector, struct nats_client, connector);
	int err;

	stream_move(&c->stream, s, c->loop, &stream_events);
	c->state = NATS_GREETING;
	timer_start(loop_timers(c->loop), &c->timer, c->options.connect_timeout_ms);
	err = nats_client_listen(c);
	if (err < 0)
		nats_client_drop_for(c, err);
}

static void on_failed(struct connector *connector, const char *server, const char *why)
{
	nats_client_trouble(container_of(connector, struct nats_client, connector), server, why);
}

static const struct connector_events connector_events = { on_connected, on_failed };

/* --- life --------------------------------------------------------------------------- */

static void set_default(unsigned *value, unsigned otherwise)
{
	if (*value == 0)
		*value = otherwise;
}

static void set_default_size(size_t *value, size_t otherwise)
{
	if (*value == 0)
		*value = otherwise;
}

static void take_options(struct nats_client *c, const struct nats_options *options)
{
	struct nats_options *o = &c->options;

	*o = *options;
	set_default(&o->connect_timeout_ms, 5000);
	set_default(&o->retry_ms, 250);
	set_default(&o->retry_max_ms, 10000);
	set_default(&o->ping_interval_ms, 30000);
	set_default(&o->pings_out, 2);
	set_default_size(&o->max_payload, 8 << 20);
	set_default_size(&o->send_bytes, 8 << 20);
	if (!o->name)
		o->name = "sockjsd";
	if (!o->inbox_prefix)
		o->inbox_prefix = "_INBOX";
	if (!o->js_prefix)
		o->js_prefix = "$JS.API";
	c->settings = (struct connector_settings){
		.connect_timeout_ms = o->connect_timeout_ms,
		.retry_ms = o->retry_ms,
		.retry_max_ms = o->retry_max_ms,
		.shuffle = !o->in_order,
	};
}

static void release(struct deferred *d)
{
	struct nats_client *c = container_of(d, struct nats_client, release);

	nats_parser_reset(&c->parser);
	nats_info_fini(&c->info);
	nats_secret_fini(&c->secret);
	nats_slots_fini(&c->subscriptions);
	nats_slots_fini(&c->requests);
	buf_fini(&c->out);
	buf_fini(&c->held);
	mem_free(c);
}

void nats_client_enter(struct nats_client *c, struct nats_user *u, void (*gone)(struct nats_user *))
{
	u->gone = gone;
	list_append(&c->users, &u->node);
}

void nats_client_leave(struct nats_user *u)
{
	list_remove(&u->node);
}

static void tell_users(struct nats_client *c)
{
	struct list *first;

	while ((first = list_first(&c->users))) {
		struct nats_user *u = container_of(first, struct nats_user, node);

		nats_client_leave(u);
		u->gone(u);
	}
}

/* What was said in this turn goes with on_flush(), which is deferred before the release is. */
void nats_client_free(struct nats_client *c)
{
	if (!c || c->is_freed)
		return;
	c->is_freed = true;
	tell_users(c);
	timer_stop(loop_timers(c->loop), &c->timer);
	connector_fini(&c->connector);
	nats_client_forget_servers(c);
	nats_client_cancel_requests(c);
	nats_client_free_subscriptions(c);
	if (buf_len(&c->out) > 0)
		nats_client_flush_later(c);
	else
		stream_close(&c->stream);
	loop_defer(c->loop, &c->release, release);
}

static int open_client(struct nats_client *c, char *why, size_t why_size)
{
	int err = nats_login_load(&c->secret, &c->options.login, why, why_size);

	if (err < 0)
		return err;
	if (!nats_json_can_say(c->options.name)) {
		snprintf(why, why_size, "the name is not UTF-8");
		return -EINVAL;
	}
	err = nats_client_open_inbox(c);
	if (err == 0)
		err = nats_client_list_servers(c);
	if (err < 0)
		snprintf(why, why_size, "%s",
		    err == -ENOMEM
		        ? "out of memory"
		        : "a server has no host or port, or the prefix of inboxes is no subject");
	return err;
}

int nats_client_new(struct nats_client **out, struct loop *loop, struct resolver *resolver,
    const struct nats_options *options, const struct nats_client_events *on, void *arg, char *why,
    size_t why_size)
{
	struct nats_client *c;
	int err;

	if (options->server_count == 0 || options->server_count > CONNECTOR_SERVERS_MAX) {
		snprintf(why, why_size, "there are 1 to %d servers", CONNECTOR_SERVERS_MAX);
		return -EINVAL;
	}
	c = mem_zalloc(sizeof(*c));
	if (!c) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	c->loop = loop;
	c->on = on;
	c->arg = arg;
	take_options(c, options);
	stream_init_empty(&c->stream);
	list_init(&c->flushes);
	list_init(&c->users);
	timer_init(&c->timer, on_timer);
	timer_init(&c->lame, NULL);
	nats_parser_init(&c->parser, c->options.max_payload);
	connector_init(&c->connector, loop, resolver, &c->settings, &connector_events);
	err = open_client(c, why, why_size);
	if (err < 0) {
		nats_client_free(c);
		return err;
	}
	connector_start(&c->connector);
	*out = c;
	return 0;
}

/* Where the kernel fails us, unanswered pings end the connection. */
static void set_paused(struct nats_client *c, bool is_paused)
{
	c->is_paused = is_paused;
	c->pongs_before = NEVER;
	if (nats_client_is_up(c))
		nats_client_listen(c);
}

void nats_client_pause(struct nats_client *c)
{
	set_paused(c, true);
}

void nats_client_resume(struct nats_client *c)
{
	set_paused(c, false);
}

bool nats_client_is_up(const struct nats_client *c)
{
	return c->state == NATS_UP && !c->is_freed;
}

struct loop *nats_client_loop(const struct nats_client *c)
{
	return c->loop;
}

const char *nats_client_js_prefix(const struct nats_client *c)
{
	return c->options.js_prefix;
}

bool nats_client_address(const struct nats_client *c, struct addr *out)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	if (!stream_is_open(&c->stream) || getsockname(c->stream.watch.fd, (void *)&own, &len) < 0)
		return false;
	*out = addr_from_sockaddr((void *)&own);
	return true;
}

const char *nats_client_server(const struct nats_client *c)
{
	return connector_name(&c->connector);
}

const struct nats_counters *nats_client_counters(const struct nats_client *c)
{
	return &c->counters;
}
