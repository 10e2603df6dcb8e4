/*
 * pubsub/relayed_own.c - a link to the broker of one client alone: from the first frame that needs it to the
 * goodbye behind the last; see relayed.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "pubsub/relayed.h"

#define FULL       (1 << 20) /* octets that may wait; what is accepted beyond is one frame */
#define PARTING_MS 5000      /* for what was said last to arrive */
#define GOODBYE    "sockjsd-%" PRIx64 /* the receipt of DISCONNECT: what no client can guess */

/* What a client has said in its CONNECT, or NULL; the texts behind it. */
struct relayed_login {
	const char *login, *passcode, *client_id;
	size_t size;
};

/* --- whose link it is ----------------------------------------------------------------------------- */

static const char *put(char **at, struct bytes text)
{
	return text.p ? bytes_put_text(at, text) : NULL;
}

int relayed_own_note(struct sockjs_client *c, const struct stomp_frame *f)
{
	const struct relayed *r = c->part->relayed->relayed;
	struct bytes none = { 0 }, id = stomp_header_get(f, "client-id");
	struct bytes login = r->passes_login ? stomp_header_get(f, "login") : none;
	struct bytes passcode = r->passes_login ? stomp_header_get(f, "passcode") : none;
	size_t size = sizeof(struct relayed_login) + login.n + passcode.n + id.n + 3;
	struct client_extra *e;
	char *at;

	if (r->way == RELAYED_SHARED || (!login.p && !passcode.p && !id.p))
		return 0;
	e = client_extra(c);
	relayed_own_forget_login(c);
	if (!e || !(e->login = mem_alloc(size)))
		return -ENOMEM;
	at = (char *)(e->login + 1);
	*e->login = (struct relayed_login){ put(&at, login), put(&at, passcode), put(&at, id), size };
	return 0;
}

static void login_free(struct relayed_login *login)
{
	if (!login)
		return;
	explicit_bzero(login, login->size);
	mem_free(login);
}

void relayed_own_forget_login(struct sockjs_client *c)
{
	if (!c->extra)
		return;
	login_free(c->extra->login);
	c->extra->login = NULL;
}

bool relayed_own_has_login(const struct sockjs_client *c)
{
	const struct relayed_own *own = c->extra->own;

	return own || (c->extra->login && c->extra->login->login);
}

/* The texts are the client's, or the settings'. */
static struct stomp_login login_of(const struct sockjs_client *c)
{
	const struct relayed *r = c->part->relayed->relayed;
	const struct relayed_login *said = c->extra->login;
	struct stomp_login login = r->own.login;

	/* What its client acknowledges by, and how it escapes, is what the broker is spoken to with */
	login.version = (enum stomp_version)c->conn.version;
	if (said)
		login.client_id = said->client_id;
	if (r->passes_login) {
		login.login = said ? said->login : NULL;
		login.passcode = said ? said->passcode : NULL;
	}
	return login;
}

/* --- the end ------------------------------------------------------------------------------------------ */

static void free_own(struct deferred *d)
{
	mem_free(container_of(d, struct relayed_own, freeing));
}

static void end(struct relayed_own *own)
{
	struct relayed_part *share = own->share;
	struct loop *loop = own->link.loop;

	if (!share)
		return;
	own->share = NULL;
	if (own->client)
		own->client->extra->own = NULL;
	own->client = NULL;
	list_remove(&own->node);
	share->own_count--;
	atomic_fetch_sub_explicit(&share->relayed->own_count, 1, memory_order_relaxed);
	timer_stop(loop_timers(loop), &own->parting);
	relay_link_fini(&own->link);
	login_free(own->said);
	buf_fini(&own->waiting);
	buf_fini(&own->scratch);
	loop_defer(loop, &own->freeing, free_own);
}

static void on_parting(struct timer *t)
{
	struct relayed_own *own = container_of(t, struct relayed_own, parting);

	if (relayed_own_queued(own) > 0)
		log_warn_limited("what a client has sent last has not come to the broker in time",
		    LOG_STR("broker", own->share->relayed->own.name), LOG_INT("octets", relayed_own_queued(own)));
	end(own);
}

static int say_goodbye(struct relayed_own *own)
{
	struct buf frame = BUF_INIT;
	int err = stomp_write_begin(&frame, STOMP_DISCONNECT);

	random_bytes(&own->goodbye, sizeof(own->goodbye));
	if (err == 0)
		err = buf_printf(&frame, "receipt:" GOODBYE "\n", own->goodbye);
	if (err == 0)
		err = stomp_write_end(&frame, (struct bytes){ 0 });
	if (err == 0)
		err = relayed_own_say(own, &frame);
	buf_fini(&frame);
	return err;
}

void relayed_own_leave(struct sockjs_client *c)
{
	struct relayed_own *own = c->extra->own;
	bool has_business = relay_link_is_up(&own->link) || buf_len(&own->waiting) > 0;

	c->extra->own = NULL;
	own->client = NULL;
	own->said = c->extra->login; /* it may have to log in yet */
	c->extra->login = NULL;
	relay_link_pause(&own->link, false);
	if (!has_business || say_goodbye(own) < 0) {
		end(own);
		return;
	}
	timer_start(loop_timers(own->link.loop), &own->parting, PARTING_MS);
}

void relayed_own_end_all(struct relayed_part *share)
{
	while (!list_empty(&share->owns))
		end(container_of(list_first(&share->owns), struct relayed_own, node));
}

/* --- what the link says ----------------------------------------------------------------------------------- */

static struct relayed_own *of_link(struct relay_link *l)
{
	return container_of(l, struct relayed_own, link);
}

/* Nobody waits any more for what the broker may say: its client, if it is there, is told why. */
static void fail(struct relayed_own *own, enum stomp_error err, const char *sentence)
{
	struct sockjs_client *c = own->client;

	end(own);
	if (c)
		client_fail(c, err, sentence);
}

static void on_up(struct relay_link *l)
{
	struct relayed_own *own = of_link(l);

	if (buf_len(&own->waiting) == 0)
		return;
	if (buf_add(relay_link_out(l), buf_data(&own->waiting), buf_len(&own->waiting)) < 0) {
		fail(own, STOMP_E_INTERNAL, "Out of memory.");
		return;
	}
	buf_fini(&own->waiting);
	relay_link_said(l);
	if (own->client)
		relayed_wake(own->client);
}

static bool is_goodbye(const struct relayed_own *own, const struct stomp_frame *f)
{
	char receipt[40];

	snprintf(receipt, sizeof(receipt), GOODBYE, own->goodbye);
	return f->command == STOMP_RECEIPT &&
	       bytes_equal(stomp_header_get(f, "receipt-id"), bytes_of(receipt));
}

static void on_frame(struct relay_link *l, const struct stomp_frame *f)
{
	struct relayed_own *own = of_link(l);

	if (own->client)
		relayed_own_take(own, f);
	else if (is_goodbye(own, f))
		end(own);
}

static void on_away(struct relay_link *l, const char *why)
{
	(void)why;
	fail(of_link(l), STOMP_E_BROKER, "The broker has ended your connection to it.");
}

static void on_failed(struct relay_link *l, const char *why, bool refused)
{
	struct relayed_own *own = of_link(l);

	(void)why;
	if (refused)
		fail(own, own->share->relayed->passes_login ? STOMP_E_UNAUTHENTICATED : STOMP_E_BROKER,
		    "The broker does not let you in.");
	else if (own->share->relayed->closes)
		fail(own, STOMP_E_BROKER, "The broker of this destination cannot be reached.");
}

static void on_drained(struct relay_link *l)
{
	struct relayed_own *own = of_link(l);

	if (own->client)
		relayed_wake(own->client);
}

static const struct relay_link_ops link_ops = {
	.up = on_up,
	.frame = on_frame,
	.away = on_away,
	.drained = on_drained,
	.failed = on_failed,
};

/* --- the beginning ------------------------------------------------------------------------------------------ */

static int own_new(struct sockjs_client *c, struct relayed_own **out)
{
	struct relayed_part *share = c->part->relayed;
	const struct relayed *r = share->relayed;
	struct relayed_own *own = mem_zalloc(sizeof(*own));
	int err;

	if (!own)
		return -ENOMEM;
	own->client = c;
	own->login = login_of(c);
	timer_init(&own->parting, on_parting);
	err = relay_link_init(&own->link, loop_current(), share->resolver, &r->own, r->servers, r->server_count,
	    &link_ops, &share->frame);
	if (err < 0) {
		relay_link_fini(&own->link);
		mem_free(own);
		return err;
	}
	own->link.login = &own->login;
	own->share = share;
	list_append(&share->owns, &own->node);
	share->own_count++;
	*out = own;
	return 0;
}

enum stomp_error relayed_own_get(struct sockjs_client *c, struct relayed_own **out, const char **why)
{
	struct client_extra *e = client_extra(c);
	struct relayed *r = c->part->relayed->relayed;
	size_t most = (size_t)r->options.stomp.relay_max_client_links;

	if (!e)
		return STOMP_E_INTERNAL;
	*out = e->own;
	if (e->own)
		return STOMP_OK;
	if (atomic_fetch_add_explicit(&r->own_count, 1, memory_order_relaxed) >= most) {
		atomic_fetch_sub_explicit(&r->own_count, 1, memory_order_relaxed);
		*why = "Too many clients have a connection of their own to the broker.";
		return STOMP_E_LIMIT;
	}
	if (!c->part->relayed->resolver || own_new(c, &e->own) < 0) {
		atomic_fetch_sub_explicit(&r->own_count, 1, memory_order_relaxed);
		return STOMP_E_INTERNAL;
	}
	*out = e->own;
	relay_link_start(&e->own->link);
	return STOMP_OK;
}

/* --- saying ---------------------------------------------------------------------------------------------------- */

int relayed_own_say(struct relayed_own *own, const struct buf *frame)
{
	bool is_up = relay_link_is_up(&own->link);
	int err = buf_add(is_up ? relay_link_out(&own->link) : &own->waiting, buf_data(frame), buf_len(frame));

	if (err == 0 && is_up)
		relay_link_said(&own->link);
	return err;
}

size_t relayed_own_queued(const struct relayed_own *own)
{
	return buf_len(&own->waiting) + relay_link_queued(&own->link);
}

bool relayed_own_is_full(const struct relayed_own *own)
{
	return relayed_own_queued(own) >= FULL;
}

void relayed_own_go_on(struct relayed_own *own)
{
	relay_link_pause(&own->link, false);
}
