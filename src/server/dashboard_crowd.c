/*
 * server/dashboard_crowd.c - which addresses have most sessions.
 *
 * All sessions are walked through, reactor by reactor and a bit in each turn, as for a list of them
 * (api_list.c); nothing is kept in the sessions for it. A client's network counts as one address,
 * as it does for limits (net/visitors.h).
 */
#include <string.h>

#include "server/dashboard_private.h"

#define COST_LOOK 200 /* nanoseconds, of one session: it is not in the cache */

static struct bytes row_key(const struct map_node *node)
{
	const struct crowd_row *row = container_of(node, struct crowd_row, node);

	return (struct bytes){ row->key, row->key_len };
}

void crowd_init(struct crowd *c, struct dashboard *d)
{
	c->d = d;
	map_init(&c->map, row_key, NULL);
}

void crowd_fini(struct crowd *c)
{
	session_walk_end(&c->walk);
	map_fini(&c->map);
}

/* --- counting --------------------------------------------------------------------- */

void crowd_begin(struct crowd *c)
{
	map_fini(&c->map);
	c->lost = 0;
	c->free_count = 0;
	for (size_t i = 0; i < CROWD_ADDRESSES; i++) {
		c->rows[i].key_len = 0;
		c->free_rows[c->free_count++] = &c->rows[i];
	}
}

/* As often as there was no room; an address must have been counted for each that it loses, so it is
 * a few steps for each session in all. */
static void take_one_of_each(struct crowd *c)
{
	c->lost++;
	for (size_t i = 0; i < CROWD_ADDRESSES; i++) {
		struct crowd_row *row = &c->rows[i];

		if (row->key_len == 0 || --row->sessions > 0)
			continue;
		map_remove(&c->map, &row->node);
		row->key_len = 0;
		c->free_rows[c->free_count++] = row;
	}
	sockjs_spend(CROWD_ADDRESSES);
}

static void count_new(struct crowd *c, struct bytes key)
{
	struct crowd_row *row;

	if (c->free_count == 0) {
		take_one_of_each(c);
		return;
	}
	row = c->free_rows[--c->free_count];
	row->sessions = 1;
	row->key_len = (uint8_t)key.n;
	bytes_put(row->key, key);
	if (map_insert(&c->map, &row->node) == 0)
		return;
	row->key_len = 0; /* out of memory: it is not counted */
	c->free_rows[c->free_count++] = row;
}

void crowd_count(struct crowd *c, struct bytes key)
{
	struct map_node *node = map_find(&c->map, key);

	if (node)
		container_of(node, struct crowd_row, node)->sessions++;
	else
		count_new(c, key);
}

static void look(struct crowd *c, const struct sockjs_session *s)
{
	char key[QUOTA_KEY_MAX];
	size_t n = visitor_key(&s->client, config_here(c->d->server)->prefixes, key);

	sockjs_spend(COST_LOOK);
	if (n > 0 && s->endpoint != c->d->feed && session_is_open(&s->base))
		crowd_count(c, (struct bytes){ key, n });
}

/* --- the result -------------------------------------------------------------------- */

static void tell(struct crowd *c, const struct crowd_row *row)
{
	size_t at = c->told_count;

	while (at > 0 && c->told[at - 1].sessions < row->sessions)
		at--;
	if (at == CROWD_TOLD)
		return;
	if (c->told_count < CROWD_TOLD)
		c->told_count++;
	memmove(&c->told[at + 1], &c->told[at], (c->told_count - 1 - at) * sizeof(*c->told));
	c->told[at] = *row;
}

void crowd_conclude(struct crowd *c)
{
	c->told_count = 0;
	for (size_t i = 0; i < CROWD_ADDRESSES; i++)
		if (c->rows[i].key_len)
			tell(c, &c->rows[i]);
	c->told_lost = c->lost;
	c->is_known = true;
	c->is_under_way = false;
	crowd_begin(c);
}

/* --- the way ------------------------------------------------------------------------ */

static void on_crowd(struct mail *mail, struct loop *loop);

/* In its next turn, where it is already. */
static void go_on(struct crowd *c)
{
	unsigned count = c->d->server->reactor_count;

	loop_post(c->d->server->reactors[c->reactor % count]->loop, &c->mail, on_crowd);
}

/* As far as this turn goes. */
static void walk_on(struct crowd *c, struct reactor *r)
{
	struct session *s;

	if (!c->is_walking)
		session_walk_begin(&c->walk, &r->base.sessions);
	c->is_walking = true;
	while ((s = session_walk_next(&c->walk)) != NULL) {
		look(c, container_of(s, struct sockjs_session, base));
		if (sockjs_is_late())
			return;
	}
	c->is_walking = false;
	c->reactor++;
}

static void on_crowd(struct mail *mail, struct loop *loop)
{
	struct crowd *c = container_of(mail, struct crowd, mail);
	struct reactor *r = reactor_current();

	(void)loop;
	if (!r || !r->base.http) {
		session_walk_end(&c->walk); /* the server has stopped meanwhile */
		return;
	}
	if (c->reactor == c->d->server->reactor_count) {
		crowd_conclude(c);
		return;
	}
	walk_on(c, r);
	go_on(c);
}

void crowd_gather(struct crowd *c)
{
	if (c->is_under_way)
		return;
	c->is_under_way = true;
	c->is_walking = false;
	c->reactor = 0;
	crowd_begin(c);
	go_on(c);
}
