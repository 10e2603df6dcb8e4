/*
 * server/subprotocols.c - the subprotocols that sessions of a reactor have agreed on, each once.
 *
 * There are few of them, and as many sessions as there are clients: a copy for each would cost more
 * than all that is said in it. A name goes with the last session that has it, so that clients
 * cannot make them pile up. Only the reactor's thread comes here.
 */
#include <string.h>

#include "base/mem.h"
#include "server/server_private.h"

struct subprotocol {
	struct map_node by_name;
	unsigned sessions;
	size_t len;
	char name[];
};

static struct bytes name_of(const struct map_node *node)
{
	const struct subprotocol *p = container_of(node, struct subprotocol, by_name);

	return (struct bytes){ p->name, p->len };
}

static struct subprotocol *add(struct map *all, struct bytes name)
{
	struct subprotocol *p = mem_alloc(offsetof(struct subprotocol, name) + name.n + 1);

	if (!p)
		return NULL;
	p->sessions = 0;
	p->len = name.n;
	bytes_put(p->name, name);
	p->name[name.n] = '\0';
	if (map_insert(all, &p->by_name) == 0)
		return p;
	mem_free(p);
	return NULL;
}

void subprotocols_init(struct reactor *r)
{
	map_init(&r->subprotocols, name_of, NULL);
}

const char *subprotocol_take(struct reactor *r, struct bytes name)
{
	struct map_node *found = map_find(&r->subprotocols, name);
	struct subprotocol *p =
	    found ? container_of(found, struct subprotocol, by_name) : add(&r->subprotocols, name);

	if (!p)
		return NULL;
	p->sessions++;
	return p->name;
}

void subprotocol_drop(struct reactor *r, const char *name)
{
	struct subprotocol *p = name ? container_of(name, struct subprotocol, name) : NULL;

	if (!p || --p->sessions > 0)
		return;
	map_remove(&r->subprotocols, &p->by_name);
	mem_free(p);
}
