/*
 * hostile/proxy.c - who comes in, and all of them together; see proxy.h.
 */
#include "hostile/proxy.h"

#include <stdio.h>

#include "hostile/conn_private.h"

/* --- accepting ------------------------------------------------------------------------------ */

/* Whether a rule says that nothing is accepted now; *wait: until that may change. */
static bool is_refused_now(const struct proxy *p, uint64_t *wait)
{
	uint64_t now = loop_now(p->loop);
	bool refused = false;

	for (size_t i = 0; i < p->rules.count; i++) {
		const struct rule *r = p->rules.rule[i];
		uint64_t from = p->rules.given_ms + r->at_ms, until = from + r->for_ms;

		if (r->kind != RULE_ACCEPT_NOTHING || (r->for_ms && now >= until))
			continue;
		if (now < from && from - now < *wait)
			*wait = from - now;
		if (now >= from && r->for_ms && until - now < *wait)
			*wait = until - now;
		refused |= now >= from;
	}
	return refused;
}

static void look_at_door(struct proxy *p)
{
	uint64_t wait = NEVER;
	bool listens = !is_refused_now(p, &wait) && p->conn_count < p->settings.connections;

	timer_stop(loop_timers(p->loop), &p->timer);
	if (wait != NEVER)
		timer_start(loop_timers(p->loop), &p->timer, wait);
	if (listens == p->is_listening)
		return;
	p->is_listening = listens;
	proxy_say(
	    p, listens ? "accepting" : "accepting nothing", LOG_INT("connections", p->conn_count));
	if (listens)
		listener_resume(p->listener);
	else
		listener_pause(p->listener);
}

static void on_timer(struct timer *t)
{
	look_at_door(container_of(t, struct proxy, timer));
}

static void on_accept(struct listener *l, int fd, const struct addr *peer, void *arg)
{
	(void)l;
	conn_new(arg, fd, peer);
}

void proxy_conn_began(struct proxy *p, struct conn *c)
{
	char peer[ADDR_TEXT_MAX];

	list_append(&p->conns, &c->node);
	p->conn_count++;
	p->stats.connections++;
	proxy_say(p, "connection", LOG_INT("connection", c->at.connection),
	    LOG_STR("peer", addr_print(&c->peer, true, peer)));
	look_at_door(p);
}

void proxy_conn_ended(struct proxy *p, struct conn *c)
{
	list_remove(&c->node);
	p->conn_count--;
	look_at_door(p);
}

/* --- all of them ---------------------------------------------------------------------------------
 */

void proxy_rules_changed(struct proxy *p)
{
	struct list *node, *next;

	list_foreach_safe (node, next, &p->conns)
		conn_run(container_of(node, struct conn, node));
	look_at_door(p);
}

unsigned proxy_cut(struct proxy *p, uint64_t number, enum cut_how how)
{
	struct list *node, *next;
	unsigned count = 0;

	list_foreach_safe (node, next, &p->conns) {
		struct conn *c = container_of(node, struct conn, node);

		if ((number && c->at.connection != number) || c->phase == CONN_ENDING)
			continue;
		conn_cut(c, how, (const bool[WAYS]){ true, true });
		conn_run(c);
		count++;
	}
	return count;
}

int proxy_open(struct proxy *p, const struct listen_addr *address, char *why, size_t why_size)
{
	int err = listen_socket_open(&p->socket, address, 0, why, why_size);

	if (err < 0)
		return err;
	err = listener_new(&p->listener, p->loop, &p->socket, on_accept, p);
	if (err < 0) {
		snprintf(why, why_size, "%s", strerror(-err));
		listen_socket_close(&p->socket, true);
		return err;
	}
	list_init(&p->conns);
	list_init(&p->copies);
	timer_init(&p->timer, on_timer);
	p->is_listening = true;
	look_at_door(p);
	return 0;
}

void proxy_close(struct proxy *p)
{
	struct list *node;

	while ((node = list_first(&p->conns)) != NULL)
		conn_end(container_of(node, struct conn, node));
	copy_end_all(p);
	timer_stop(loop_timers(p->loop), &p->timer);
	listener_free(p->listener);
	listen_socket_close(&p->socket, true);
}
