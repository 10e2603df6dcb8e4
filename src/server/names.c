/*
 * server/names.c - texts that many sessions of a reactor have in common, each once: subprotocols
 * that were agreed on, who the client is, the page and the program that it comes from.
 *
 * There are few of them, and as many sessions as there are clients: a copy for each would cost more
 * than all that is said in it. A text goes with the last session that has it, so that clients
 * cannot make them pile up. Only the reactor's thread comes here.
 */
#include <string.h>

#include "base/mem.h"
#include "server/server_private.h"

struct name {
	struct map_node by_name;
	unsigned sessions;
	size_t len;
	char text[];
};

static struct bytes name_of(const struct map_node *node)
{
	const struct name *p = container_of(node, struct name, by_name);

	return (struct bytes){ p->text, p->len };
}

static struct name *name_new(struct map *all, struct bytes text)
{
	struct name *p = mem_alloc(offsetof(struct name, text) + text.n + 1);

	if (!p)
		return NULL;
	p->sessions = 0;
	p->len = text.n;
	bytes_put(p->text, text);
	p->text[text.n] = '\0';
	if (map_insert(all, &p->by_name) == 0)
		return p;
	mem_free(p);
	return NULL;
}

void names_init(struct reactor *r)
{
	map_init(&r->names, name_of, NULL);
}

const char *name_take(struct reactor *r, struct bytes text)
{
	struct map_node *found = map_find(&r->names, text);
	struct name *p =
	    found ? container_of(found, struct name, by_name) : name_new(&r->names, text);

	if (!p)
		return NULL;
	p->sessions++;
	return p->text;
}

void name_drop(struct reactor *r, const char *text)
{
	struct name *p = text ? container_of(text, struct name, text) : NULL;

	if (!p || --p->sessions > 0)
		return;
	map_remove(&r->names, &p->by_name);
	mem_free(p);
}
