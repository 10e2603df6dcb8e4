/*
 * net/connector_servers.c - the servers of a connector; see connector.h.
 *
 * A list is replaced as a whole: who stands in both lists, by name and with the same TLS, takes
 * along what is known of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "net/connector_private.h"

static struct connector_place *place_of(struct list *node)
{
	return container_of(node, struct connector_place, node);
}

/* --- one of them -------------------------------------------------------------------- */

static bool server_is_valid(const struct connector_server *s)
{
	if (s->path)
		return !s->host && s->path[0] && (!s->tls || s->tls_host);
	return s->host && s->host[0] && s->port;
}

static size_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *put_text(char **at, const char *text)
{
	return text ? bytes_put_text(at, bytes_of(text)) : NULL;
}

static void name_server(char name[CONNECTOR_NAME_BYTES], const struct connector_server *s)
{
	if (s->path)
		snprintf(name, CONNECTOR_NAME_BYTES, "unix:%s", s->path);
	else if (strchr(s->host, ':') && s->host[0] != '[')
		snprintf(name, CONNECTOR_NAME_BYTES, "[%s]:%u", s->host, s->port);
	else
		snprintf(name, CONNECTOR_NAME_BYTES, "%s:%u", s->host, s->port);
}

static struct connector_place *place_new(const struct connector_server *from)
{
	struct connector_place *place;
	char name[CONNECTOR_NAME_BYTES], *at;

	name_server(name, from);
	place = mem_zalloc(sizeof(*place) + text_bytes(from->host) + text_bytes(from->path) +
	                   text_bytes(from->tls_host) + text_bytes(name));
	if (!place)
		return NULL;
	at = place->text;
	list_init(&place->node);
	place->server = *from;
	place->server.host = put_text(&at, from->host);
	place->server.path = put_text(&at, from->path);
	place->server.tls_host = put_text(&at, from->tls_host);
	if (!place->server.tls_host)
		place->server.tls_host = place->server.host;
	place->name = put_text(&at, name);
	return place;
}

static bool texts_are_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The same place, spoken to in the same way. */
static bool is_same(const struct connector_place *a, const struct connector_place *b)
{
	return strcmp(a->name, b->name) == 0 && a->server.tls == b->server.tls &&
	       texts_are_equal(a->server.tls_host, b->server.tls_host);
}

static struct connector_place *find_same(
    const struct connector *c, const struct connector_place *place)
{
	struct list *node;

	list_foreach (node, &c->places)
		if (is_same(place_of(node), place))
			return place_of(node);
	return NULL;
}

bool connector_has_other(const struct connector *c)
{
	struct list *node;

	list_foreach (node, &c->places)
		if (strcmp(place_of(node)->name, connector_name(c)) != 0)
			return true;
	return false;
}

/* The one that is connected, or was last, outlives its place in the list. */
void connector_drop_places(struct connector *c)
{
	struct list *node;

	while ((node = list_first(&c->places))) {
		struct connector_place *place = place_of(node);

		list_remove(node);
		place->is_listed = false;
		if (place != c->at)
			mem_free(place);
	}
}

void connector_leave_place(struct connector *c)
{
	if (c->at && !c->at->is_listed)
		mem_free(c->at);
	c->at = NULL;
}

void connector_mark_all(struct connector *c, bool has_failed)
{
	struct list *node;

	list_foreach (node, &c->places)
		place_of(node)->has_failed = has_failed;
}

/* The first behind the last one that has not failed; that one itself comes last. */
struct connector_place *connector_next_place(const struct connector *c)
{
	const struct list *from = c->at && c->at->is_listed ? &c->at->node : &c->places;
	struct list *node = from->next;

	for (;; node = node->next) {
		if (node != &c->places && !place_of(node)->has_failed)
			return place_of(node);
		if (node == from)
			return NULL;
	}
}

/* --- the list is replaced ----------------------------------------------------------- */

struct places {
	size_t n;
	struct connector_place *p[CONNECTOR_SERVERS_MAX];
};

static int make_places(struct places *made, const struct connector_server *servers, size_t n)
{
	made->n = 0;
	if (n > CONNECTOR_SERVERS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!server_is_valid(&servers[i]))
			return -EINVAL;
	for (; made->n < n; made->n++)
		if (!(made->p[made->n] = place_new(&servers[made->n])))
			return -ENOMEM;
	return 0;
}

static void shuffle(struct places *made)
{
	for (size_t i = made->n; i > 1; i--) {
		size_t k = random_u32() % i;
		struct connector_place *other = made->p[k];

		made->p[k] = made->p[i - 1];
		made->p[i - 1] = other;
	}
}

/* What was known of the same server; whether it was in the list. */
static bool inherit(const struct connector *c, struct connector_place *place)
{
	const struct connector_place *before = find_same(c, place);

	if (!before)
		return false;
	place->known = before->known;
	place->has_failed = before->has_failed;
	return true;
}

/* The one that is tried or connected becomes the one that is listed in its stead. An attempt that
 * goes on has begun with the former's address, which stays where it is until the next one. */
static void follow_place(struct connector *c)
{
	struct connector_place *same = c->at ? find_same(c, c->at) : NULL;

	if (!same)
		return;
	if (c->addr)
		c->addr = same->known.addrs + (c->addr - c->at->known.addrs);
	mem_free(c->at);
	c->at = same;
}

int connector_set_servers(struct connector *c, const struct connector_server *servers, size_t n)
{
	struct places made;
	int err = make_places(&made, servers, n);
	bool has_new = false;

	for (size_t i = 0; err < 0 && i < made.n; i++)
		mem_free(made.p[i]);
	if (err < 0)
		return err;
	if (c->settings->shuffle)
		shuffle(&made);
	for (size_t i = 0; i < n; i++)
		has_new |= !inherit(c, made.p[i]);
	connector_drop_places(c);
	for (size_t i = 0; i < n; i++) {
		made.p[i]->is_listed = true;
		list_append(&c->places, &made.p[i]->node);
	}
	follow_place(c);
	connector_settle(c, has_new);
	return 0;
}
